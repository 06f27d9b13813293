package db

import (
	"context"
	"time"
)

// RegistrationToken is an invitation: anybody who has it may register (Client-Server API v1.19, "Token-authenticated
// registration").
type RegistrationToken struct {
	Token       string
	UsesAllowed int64 // 0: no bound; below 0: not one
	Used        int64
	Reserved    int64     // uses set aside for registrations that are under way
	Expires     time.Time // zero: never
	Created     time.Time
	Revoked     time.Time // zero: it is not
}

func scanRegistrationToken(scan func(...any) error) (r RegistrationToken, err error) {
	var expires, created, revoked int64
	err = scan(&r.Token, &r.UsesAllowed, &r.Used, &r.Reserved, &expires, &created, &revoked)
	r.Expires, r.Created, r.Revoked = FromMillis(expires), FromMillis(created), FromMillis(revoked)
	return r, err
}

// AddRegistrationToken adds an invitation; ErrConflict if there is or was one of that name. Reservations are not added.
func (d *DB) AddRegistrationToken(ctx context.Context, r RegistrationToken) error {
	const q = `INSERT INTO registration_tokens (token, uses_allowed, used, expires, created, revoked)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING token`
	return d.must(ctx, onRow(r.Token), ErrConflict, func(t *Tx) (bool, error) {
		made, err := t.Get(q, nil, r.Token, r.UsesAllowed, r.Used, Millis(r.Expires), Millis(r.Created),
			Millis(r.Revoked))
		if err == nil && made {
			err = t.Record(Event{At: r.Created, Kind: EventInvited})
		}
		return made, err
	})
}

const countedTokens = `SELECT token, uses_allowed, used, (SELECT COUNT(*) FROM registration_reservations r
	WHERE r.token = registration_tokens.token AND r.expires > $1), expires, created, revoked FROM registration_tokens`

// RegistrationTokens lists all invitations by age, also those that are spent, expired or revoked.
func (d *DB) RegistrationTokens(ctx context.Context, now time.Time) ([]RegistrationToken, error) {
	return d.RegistrationTokenPage(ctx, now, RegistrationToken{}, everyRow)
}

// RegistrationTokenPage lists at most limit of them, after one. Operators make them, so there are few.
func (d *DB) RegistrationTokenPage(ctx context.Context, now time.Time, after RegistrationToken,
	limit int) ([]RegistrationToken, error) {
	const q = countedTokens + ` WHERE (created, token) > ($2, $3) ORDER BY created, token LIMIT $4`
	return list(ctx, d, q, scanRegistrationToken, Millis(now), Millis(after.Created), after.Token, limit)
}

// RegistrationToken finds an invitation; else ErrNotFound.
func (d *DB) RegistrationToken(ctx context.Context, token string, now time.Time) (RegistrationToken, error) {
	return one(ctx, d, countedTokens+` WHERE token = $2`, scanRegistrationToken, Millis(now), token)
}

// State says whether somebody may register with an invitation: it is good, or else revoked, expired or used-up.
func (r RegistrationToken) State(now time.Time) string {
	switch {
	case !r.Revoked.IsZero():
		return "revoked"
	case !r.Expires.IsZero() && !now.Before(r.Expires):
		return "expired"
	case r.UsesAllowed != 0 && r.Used >= r.UsesAllowed:
		return "used-up"
	}
	return "good"
}

// ChangeRegistrationToken changes how often an invitation may be used and until when; nil: as it is. ErrNotFound if
// there is none, or it is revoked.
func (d *DB) ChangeRegistrationToken(ctx context.Context, token string, uses *int64, expires *time.Time) error {
	const q = `UPDATE registration_tokens SET
		uses_allowed = CASE WHEN CAST($2 AS BOOLEAN) THEN CAST($3 AS BIGINT) ELSE uses_allowed END,
		expires = CASE WHEN CAST($4 AS BOOLEAN) THEN CAST($5 AS BIGINT) ELSE expires END
		WHERE token = $1 AND revoked = 0 RETURNING token`
	var n, until int64
	if uses != nil {
		n = *uses
	}
	if expires != nil {
		until = Millis(*expires)
	}
	return d.must(ctx, invitation(token), ErrNotFound, func(t *Tx) (bool, error) {
		return t.Get(q, nil, token, uses != nil, n, expires != nil, until)
	})
}

// DeleteRegistrationToken revokes an invitation and forgets it, so that its text may be used for another one;
// ErrNotFound if there is none, or it is revoked already.
func (d *DB) DeleteRegistrationToken(ctx context.Context, token string) error {
	const q = `DELETE FROM registration_tokens WHERE token = $1 AND revoked = 0 RETURNING token`
	return d.must(ctx, invitation(token), ErrNotFound, func(t *Tx) (bool, error) {
		found, err := t.Get(q, nil, token)
		if err == nil && found {
			err = t.Record(Event{Kind: EventInviteRevoked})
		}
		return found, err
	})
}

// RevokeRegistrationToken ends an invitation at once, for registrations under way as well. One that is revoked stays so
// since the first time. ErrNotFound if there is none.
func (d *DB) RevokeRegistrationToken(ctx context.Context, token string, when time.Time) error {
	if Millis(when) == 0 {
		return errNoTime
	}
	const (
		there = `SELECT token FROM registration_tokens WHERE token = $1`
		q     = `UPDATE registration_tokens SET revoked = $2 WHERE token = $1 AND revoked = 0 RETURNING token`
	)
	return d.must(ctx, invitation(token), ErrNotFound, func(t *Tx) (bool, error) {
		revoked, err := t.Get(q, nil, token, Millis(when))
		if err != nil || !revoked {
			found, err := t.Get(there, nil, token)
			return found, err
		}
		return true, or(t.Exec(`DELETE FROM registration_reservations WHERE token = $1`, token),
			t.Record(Event{At: when, Kind: EventInviteRevoked}))
	})
}

const (
	// tokenHasUse holds at $2 for the owner of the reservation $3, or of none: a use is left that nobody else has set
	// aside.
	tokenHasUse = `revoked = 0 AND (expires = 0 OR expires > $2) AND (uses_allowed = 0 OR uses_allowed > used +
		(SELECT COUNT(*) FROM registration_reservations r
			WHERE r.token = registration_tokens.token AND r.expires > $2 AND r.session_id <> $3))`

	tokenValid = `SELECT token FROM registration_tokens WHERE token = $1 AND ` + tokenHasUse

	reserveToken = `INSERT INTO registration_reservations (token, session_id, expires)
		SELECT token, CAST($3 AS TEXT), CAST($4 AS BIGINT) FROM registration_tokens
			WHERE token = $1 AND ` + tokenHasUse + `
		ON CONFLICT (token, session_id) DO UPDATE SET expires = excluded.expires RETURNING token`

	// A reservation makes up for the token's own end, never for more uses than are allowed.
	useToken = `UPDATE registration_tokens SET used = used + 1
		WHERE token = $1 AND (uses_allowed = 0 OR uses_allowed > used) AND (` + tokenHasUse + ` OR EXISTS (SELECT 1
			FROM registration_reservations r WHERE r.token = $1 AND r.session_id = $3 AND r.expires > $2))
		RETURNING token`

	releaseToken = `DELETE FROM registration_reservations WHERE token = $1 AND session_id = $2`
	forgetToken  = `DELETE FROM registration_reservations WHERE token = $1 AND expires <= $2`
)

// RegistrationTokenValid says whether somebody could begin to register with a token now.
func (d *DB) RegistrationTokenValid(ctx context.Context, token string, now time.Time) (bool, error) {
	return d.Get(ctx, tokenValid, []any{new(string)}, token, Millis(now), "")
}

// ReserveRegistrationToken sets a use aside for a user-interactive session until then; once more by the same session,
// it prolongs. ErrTokenSpent if no use is left, or the token is expired, revoked or unknown.
func (d *DB) ReserveRegistrationToken(ctx context.Context, token, sessionID string, now, until time.Time) error {
	if Millis(until) == 0 {
		return errNoTime
	}
	return d.must(ctx, invitation(token), ErrTokenSpent, func(t *Tx) (bool, error) {
		if err := t.Exec(forgetToken, token, Millis(now)); err != nil {
			return false, err
		}
		return t.Get(reserveToken, nil, token, Millis(now), sessionID, Millis(until))
	})
}

// ReleaseRegistrationToken gives back what a session has set aside, if anything.
func (d *DB) ReleaseRegistrationToken(ctx context.Context, token, sessionID string) error {
	return d.exec(ctx, invitation(token), releaseToken, token, sessionID)
}

// useRegistrationToken turns a reservation, or a use that is free, into a use.
func (t *Tx) useRegistrationToken(token, sessionID string, now time.Time) error {
	used, err := t.Get(useToken, nil, token, Millis(now), sessionID)
	switch {
	case err != nil:
		return err
	case !used:
		return ErrTokenSpent
	}
	return t.Exec(releaseToken, token, sessionID)
}
