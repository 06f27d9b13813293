package db

import (
	"context"
	"crypto/subtle"
	"time"
)

// Login is a proof verified, a password or a login token, and the session to start because of it.
type Login struct {
	ID, Localpart         string
	PasswordHash          string // the hash that was verified; may be empty if there is a login token
	DeviceID, DisplayName string
	At                    time.Time
	Expires               time.Time // absolute end; zero: none
	KeyID                 int64
	AccessTTL             time.Duration // 0: the access token never expires
	Refreshable           bool
	Seen                  Seen
	ClientID              string // the OAuth 2.0 client that it is for; empty: another API
	Bot                   bool   // it is a token for a bot, see Session
	Restrictions          string // of such a token
	Scope                 string // of such a token: what it opens, see Session

	SecondFactor bool // the password does not stand alone: a second factor was shown, or somebody else vouches

	LoginToken        string    // the id of the login token that was verified; "": it was a password
	LoginTokenExpires time.Time // when that ends
	Issuer            string    // the id of the session that asked for it; "": an operator did
}

// StartSession starts a session in generation 1. On a device that has a session it takes that one's place: the tokens
// of the old one die, the device keeps its name (Client-Server API v1.19, "Relationship between access tokens and
// devices" and "POST /login", initial_device_display_name).
//
// ErrConflict if the account is not what it was when the password was verified, which took its time: the hash changed,
// or it was deactivated; or if the OAuth 2.0 client is gone. ErrSecondFactor if it has a second factor and the password
// stands alone. ErrTokenSpent if the login token was redeemed before, is
// over, or its issuer has logged out. ErrLocked if all that is well and the account is locked; then the token is not
// spent. ErrKeyGone if the root key was retired meanwhile. ErrDeviceTaken and ErrFull as Admissible says.
func (d *DB) StartSession(ctx context.Context, l Login) (Session, error) {
	return write(ctx, d, account(l.Localpart), func(t *Tx) (Session, error) {
		if err := t.admit(l); err != nil {
			return Session{}, err
		}
		return t.start(l)
	})
}

// admit lets a login in, which spends its token, or says why not.
func (t *Tx) admit(l Login) error {
	if err := t.Admissible(l); err != nil || l.LoginToken == "" {
		return err
	}
	return t.Spend(l.LoginToken, l.At, l.LoginTokenExpires)
}

// maxBots bounds the tokens for bots of one account.
const maxBots = 100

// Admissible returns what StartSession would refuse a login for, with the same errors, and spends nothing. The lock
// comes last: only somebody who has proved who they are learns of it.
//
// ErrDeviceTaken if a login would end a bot's token, or a bot's token a session: whoever uses that would not know why.
// ErrFull if the account has as many tokens for bots as it may.
func (t *Tx) Admissible(l Login) error {
	if l.LoginToken != "" && l.LoginTokenExpires.IsZero() {
		return errNoTime
	}
	const q = `SELECT password_hash, locked, ` + secondFactor + ` FROM users WHERE localpart = $1 AND deactivated = 0`
	var hash string
	var locked int64
	var factor bool
	ok, err := t.Get(q, []any{&hash, &locked, &factor}, l.Localpart)
	switch {
	case err != nil:
		return err
	case !ok,
		(l.LoginToken == "" || l.PasswordHash != "") &&
			subtle.ConstantTimeCompare([]byte(hash), []byte(l.PasswordHash)) == 0:
		return ErrConflict
	case factor && !l.SecondFactor && l.LoginToken == "":
		return ErrSecondFactor
	}
	if l.ClientID != "" {
		if found, err := t.Get(`SELECT id FROM oauth_clients WHERE id = $1`, nil, l.ClientID); err != nil || !found {
			return or(err, ErrConflict)
		}
	}
	if l.LoginToken != "" {
		if err := t.checkLoginToken(l); err != nil {
			return err
		}
	}
	if locked != 0 {
		return ErrLocked
	}
	return t.freeDevice(l)
}

// freeDevice says whether the device may have the session.
func (t *Tx) freeDevice(l Login) error {
	const taken = `SELECT id FROM sessions WHERE localpart = $1 AND device_id = $2
		AND ($4 OR bot AND state = 'live' AND (expires = 0 OR expires > $3))`
	if found, err := t.Get(taken, nil, l.Localpart, l.DeviceID, Millis(l.At), l.Bot); err != nil || found {
		return or(err, ErrDeviceTaken)
	}
	if !l.Bot {
		return nil
	}
	const count = `SELECT COUNT(*) FROM sessions WHERE localpart = $1 AND bot AND state = 'live'
		AND (expires = 0 OR expires > $2)`
	var bots int
	if _, err := t.Get(count, []any{&bots}, l.Localpart, Millis(l.At)); err != nil || bots >= maxBots {
		return or(err, ErrFull)
	}
	return nil
}

const replace = `DELETE FROM sessions WHERE localpart = $1 AND device_id = $2 RETURNING id, display_name`

// start starts the session of an account that is not locked.
func (t *Tx) start(l Login) (Session, error) {
	const insert = `INSERT INTO sessions (id, localpart, device_id, display_name, created, expires, refreshable,
			generation, key_id, minted, access_expires, used, single_use, state, locked, admin, seen_at, seen_addr,
			seen_agent, client_id, bot, restrictions, scope)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10, 0, FALSE, 'live', FALSE,
			(SELECT admin FROM users WHERE localpart = $2), $11, $12, $13, $14, $15, $16, $17)
		RETURNING ` + sessionColumns
	if gone, err := t.keyClosed(l.KeyID); gone || err != nil {
		return Session{}, or(err, ErrKeyGone)
	}
	var old string
	name := DeviceName(l.DisplayName)
	replaced, err := t.Get(replace, []any{&old, &name}, l.Localpart, l.DeviceID)
	if err != nil {
		return Session{}, err
	}
	if replaced {
		if err := t.MarkEnded(old); err != nil {
			return Session{}, err
		}
	}
	seen := l.Seen.Clip()
	s, _, err := t.session(insert, l.ID, l.Localpart, l.DeviceID, name, Millis(l.At), Millis(l.Expires), l.Refreshable,
		l.KeyID, Millis(l.At), Millis(accessEnd(l.At, l.AccessTTL, l.Expires)), Millis(seen.At), seen.Addr, seen.Agent,
		l.ClientID, l.Bot, l.Restrictions, l.Scope)
	if err == nil {
		err = t.Follow(l.Localpart, l.DeviceID)
	}
	if err == nil {
		err = t.recordLogin(l, !replaced)
	}
	if err == nil && l.ClientID != "" {
		err = t.useClient(l.ClientID, l.At)
	}
	return s, err
}

// recordLogin says that a session has begun, and that its device is a new one.
func (t *Tx) recordLogin(l Login, newDevice bool) error {
	seen := l.Seen.Clip()
	e := Event{At: l.At, Kind: EventLogin, Localpart: l.Localpart, DeviceID: l.DeviceID, Session: l.ID,
		Addr: seen.Addr, Agent: seen.Agent}
	if l.Bot {
		e.Kind = EventTokenIssued
	}
	if err := t.Record(e); err != nil || !newDevice || l.Bot {
		return err
	}
	e.Kind = EventNewDevice
	return t.Record(e)
}
