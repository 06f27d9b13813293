package db

import "time"

// A login token (Client-Server API v1.19, "Token-based login") is computed like the others. What this file remembers is
// which of them are spent.

const (
	// A clock that steps back must not revive a token that was forgotten because its time was over.
	rememberLoginTokens = 24 * time.Hour
	// Spending one removes up to this many old ones: more than are added, and never many at once.
	forgetLoginTokens = 100
)

const (
	findLoginToken   = `SELECT id FROM used_login_tokens WHERE id = $1`
	spendLoginToken  = `INSERT INTO used_login_tokens (id, expires) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id`
	forgetLoginToken = `DELETE FROM used_login_tokens WHERE id IN
		(SELECT id FROM used_login_tokens WHERE expires < $1 ORDER BY expires LIMIT $2)`
)

// checkLoginToken says ErrTokenSpent if a token can start nothing: it was redeemed before, is over, or the session that
// asked for it has ended.
func (t *Tx) checkLoginToken(l Login) error {
	if !l.At.Before(l.LoginTokenExpires) {
		return ErrTokenSpent // its use may be forgotten
	}
	if l.Issuer != "" {
		s, there, err := t.session(sessionByID, l.Issuer)
		if err != nil {
			return err
		}
		if !there || s.Localpart != l.Localpart || s.State != Live || s.ended(l.At) {
			return ErrTokenSpent
		}
	}
	used, err := t.Get(findLoginToken, nil, l.LoginToken)
	if err == nil && used {
		err = ErrTokenSpent
	}
	return err
}

// Spend spends a token, or anything else with an id of its own that is good once: ErrTokenSpent if it was spent
// before. It is remembered until it would have expired.
func (t *Tx) Spend(id string, now, expires time.Time) error {
	if err := t.Exec(forgetLoginToken, Millis(now.Add(-rememberLoginTokens)), forgetLoginTokens); err != nil {
		return err
	}
	won, err := t.Get(spendLoginToken, nil, id, Millis(expires))
	if err == nil && !won {
		err = ErrTokenSpent
	}
	return err
}
