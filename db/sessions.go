package db

import (
	"context"
	"errors"
	"time"
)

// State says whether a session's tokens are alive.
type State string

const (
	// Live sessions have good tokens.
	Live State = "live"
	// Soft sessions have none, but the device and its keys are kept: the user logs in again with the same device id
	// (Client-Server API v1.19, "Soft logout").
	Soft State = "soft"
)

// Seen is when and from where a session was last used.
type Seen struct {
	At          time.Time
	Addr, Agent string
}

// Session is one device's login, and the whole state of its tokens: the pair of a generation is computed from the row,
// never stored. Times have millisecond precision; the zero time means "none".
//
// How it moves (n is Generation, k the generation of a token that is presented):
//
//	     StartSession
//	          │
//	          ▼      current API, k = n         2015 draft, k = n
//	┌─ n live, unused ──────────────► n+1 live, unused     n+1 live, used, single use
//	│         │                                            (the old pair is dead at once)
//	│         │ a token of n is seen (NoteUse)
//	│         ▼
//	│   n live, used                 k = n-1 while n is unused, or was used within the leeway:
//	│         │                      the same pair n again (2015 draft: refused, nothing ends)
//	│         │
//	│         │ any other refresh token: a replay. One of two holders is a thief, and the row cannot tell
//	│         ▼ which (RFC 9700, section 4.14), so both lose their tokens and the user keeps the device.
//	└──────► soft ──► StartSession on the same device, or EndSession
//
// An access token that a newer one has followed stays good until its own expiry, as long as the session is live: two
// processes may share a session, and some clients log out when a token dies before its time. The 2015 draft has it dead
// at once, and one without an expiry dies when the newer one is used.
//
// A token that is newer than the row (k > n) is no replay: the database has lost commits, and the row catches up with
// it (CatchUp). Tokens of generations that were lost get the same pair then for as long as the leeway is: which of them
// were used was lost too. Generations that were lost are given again with the same numbers: two refresh tokens of one
// generation and root key are the same bytes, so whoever holds the older pair goes on.
//
// While its account is locked a session does not move: what would have been good is refused, and good again afterwards.
// A replay is a replay all the same.
//
// A clock that steps back never harms: an interval that comes out negative counts as within the leeway.
type Session struct {
	ID, Localpart, DeviceID, DisplayName string

	Created       time.Time
	Expires       time.Time // absolute end; zero: none
	Refreshable   bool
	Generation    int64 // from 1
	Oldest        int64 // from this one on, superseded access tokens are good until they expire; each has an expiry
	KeyID         int64 // the root key of this generation
	Minted        time.Time
	AccessExpires time.Time // zero: the access token never expires
	Used          time.Time // zero: no token of this generation was seen yet
	// this generation was claimed at the 2015 draft's endpoint: its predecessor is good for nothing more, at any
	// endpoint
	SingleUse bool
	Locked    bool // the account is locked, see LockUser
	Admin     bool // the account may administer the homeserver
	State     State
	Seen      Seen
	Imported  bool   // another server gave the tokens of this generation
	ClientID  string // the OAuth 2.0 client that it was begun for; empty: it was begun by another API

	CaughtUp   time.Time // when a token was newer than the row; zero: never
	CaughtFrom int64     // the generation of the row then: what happened to later ones was lost

	Bot          bool   // it is a token for a bot, which is never refreshed
	Restrictions string // the caveats that the bot's token was made with, one a line
	Scope        string // what its token opens: empty, the Client-Server API; or ScopeAdmin
}

// ScopeAdmin is the scope of a session whose token opens the admin API, and nothing else. Only a bot's has it.
const ScopeAdmin = "admin"

// What a token can be refused for.
var (
	// ErrSuperseded says that an access token's generation is not in force.
	ErrSuperseded = errors.New("token is superseded")
	// ErrSoft says that the session was soft-logged-out before.
	ErrSoft = errors.New("session is soft")
	// ErrEnded says that the session is past its absolute end.
	ErrEnded = errors.New("session has ended")
	// ErrLocked says that the token, or the proof at login, is good, but its account is locked
	// (Client-Server API v1.19, "Account locking").
	ErrLocked = errors.New("account is locked")
	// ErrSpent says that a refresh token was claimed before, at an endpoint where it works once. Nothing ends.
	ErrSpent = errors.New("refresh token is spent")
	// ErrReplay says that an old refresh token came back, and that the session is soft-logged-out because of it.
	ErrReplay = errors.New("refresh token is replayed")
)

// Accepts judges an access token of generation k: nil if it is good at now, else ErrSoft, ErrEnded, ErrSuperseded or,
// only for a good one, ErrLocked. One that is newer than the row is good, see Ahead. The token's own expiry is the
// caller's to judge.
func (s Session) Accepts(k int64, now time.Time) error {
	switch {
	case s.State != Live:
		return ErrSoft
	case s.ended(now):
		return ErrEnded
	case !s.InForce(k) && k < s.Oldest:
		return ErrSuperseded
	case s.Locked:
		return ErrLocked
	}
	return nil
}

// InForce reports whether generation k is the newest one, or newer than the row, or the newest one's predecessor while
// the newest is unused: the answer may have been lost (Client-Server API v1.19, "Refreshing access tokens"). Access
// tokens in force may be good without an expiry.
func (s Session) InForce(k int64) bool {
	return k >= s.Generation || k == s.Generation-1 && s.Used.IsZero() && !s.SingleUse
}

func (s Session) ended(now time.Time) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) }

const sessionColumns = `id, localpart, device_id, display_name, created, expires, refreshable, generation, oldest,
	key_id, minted, access_expires, used, single_use, state, locked, admin, seen_at, seen_addr, seen_agent, imported,
	client_id, bot, restrictions, scope, caught_up, caught_from`

func scanSession(scan func(...any) error) (s Session, err error) {
	var created, expires, minted, accessExpires, used, seen, caughtUp int64
	var state string
	err = scan(&s.ID, &s.Localpart, &s.DeviceID, &s.DisplayName, &created, &expires, &s.Refreshable, &s.Generation,
		&s.Oldest, &s.KeyID,
		&minted, &accessExpires, &used, &s.SingleUse, &state, &s.Locked, &s.Admin, &seen, &s.Seen.Addr, &s.Seen.Agent,
		&s.Imported, &s.ClientID, &s.Bot, &s.Restrictions, &s.Scope, &caughtUp, &s.CaughtFrom)
	s.Created, s.Expires, s.Minted = FromMillis(created), FromMillis(expires), FromMillis(minted)
	s.AccessExpires = FromMillis(accessExpires)
	s.Used, s.Seen.At, s.CaughtUp, s.State = FromMillis(used), FromMillis(seen), FromMillis(caughtUp), State(state)
	return s, err
}

// session runs a statement that changes or reads at most one session, and lets the cache know how it is now.
func (t *Tx) session(query string, args ...any) (s Session, found bool, err error) {
	err = t.Each(query, args, func(scan func(...any) error) (err error) {
		found = true
		s, err = scanSession(scan)
		return err
	})
	if err != nil || !found {
		return Session{}, false, err
	}
	t.put(s)
	return s, true, nil
}

const (
	sessionByID = `SELECT ` + sessionColumns + ` FROM sessions WHERE id = $1`

	// Keys are added and retired, never removed; but a database may forget that. So this is another number with each
	// change, and also when one was forgotten and another took its place.
	keyEpoch = `SELECT COUNT(*) + CAST(COALESCE(SUM(created + retired), 0) AS BIGINT) FROM root_keys`
)

// Session finds a session as it is now, whoever wrote it last, and whatever was noted of it; else ErrNotFound. With it
// comes the epoch it was read in. It answers from memory where there is one, after making sure that memory is right.
func (d *DB) Session(ctx context.Context, id string) (Session, uint64, error) {
	if d.cache != nil {
		if err := d.ready(ctx); err != nil {
			return Session{}, 0, err
		}
	}
	// The note first: when it is gone from memory, the row that counts it is in the cache or in the database.
	n, noted := d.notes.get(id)
	s, epoch, err := d.find(ctx, id)
	if err != nil {
		return Session{}, 0, err
	}
	if noted {
		s = n.over(s)
	}
	return s, epoch, nil
}

// find looks into the cache, or into the database.
func (d *DB) find(ctx context.Context, id string) (s Session, epoch uint64, err error) {
	if d.reader != nil {
		return asked(ctx, d.reader, statement{sessionByID, []any{id}}, scanSession)
	}
	s, ok := d.cache.get(id)
	if !ok {
		s, err = d.load(ctx, id)
	}
	return s, d.Epoch(), err
}

// load fetches a row for the cache.
func (d *DB) load(ctx context.Context, id string) (Session, error) {
	commits := d.cache.counted(id)
	args := storable([]any{id})
	s, err := found(scanSession(d.sessionByID.QueryRowContext(context.WithoutCancel(ctx), args...).Scan))
	if err == nil {
		d.cache.store(&s, commits)
	}
	return s, err
}

// Sessions lists the sessions of an account by age. With an empty name it is EachSession for whoever needs all sessions
// at once.
func (d *DB) Sessions(ctx context.Context, localpart string) (all []Session, err error) {
	if localpart == "" {
		err = d.EachSession(ctx, func(s Session) error {
			all = append(all, s)
			return nil
		})
		return all, err
	}
	all, err = list(ctx, d, `SELECT `+sessionColumns+` FROM sessions WHERE localpart = $1 ORDER BY created, id`,
		scanSession, localpart)
	for i, s := range all {
		all[i] = d.noted(s)
	}
	return all, err
}

// noted is a session with what was noted of it.
func (d *DB) noted(s Session) Session {
	if n, ok := d.notes.get(s.ID); ok {
		return n.over(s)
	}
	return s
}
