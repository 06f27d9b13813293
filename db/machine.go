package db

import (
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
// The machine (n is Generation, k the generation of a token that is presented):
//
//	     StartSession
//	          │
//	          ▼      today's door, k = n        draft's door, k = n
//	┌─ n live, unused ──────────────► n+1 live, unused     n+1 live, used, single use
//	│         │                                            (the old pair is dead at once)
//	│         │ a token of n is seen (NoteUse)
//	│         ▼
//	│   n live, used                 k = n-1 while n is unused, or was used within the leeway:
//	│         │                      the same pair n again (draft's door: refused, nothing ends)
//	│         │
//	│         │ any other refresh token: a replay. One of two holders is a thief, and the row cannot tell
//	│         ▼ which (RFC 9700, section 4.14), so both lose their tokens and the user keeps the device.
//	└──────► soft ──► StartSession on the same device, or EndSession
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
	KeyID         int64 // the root key of this generation
	Minted        time.Time
	AccessExpires time.Time // zero: the access token never expires
	Used          time.Time // zero: no token of this generation was seen yet
	SingleUse     bool      // claimed at the draft's door: nothing of the predecessor is good any more, at any door
	Locked        bool      // the account is locked, see LockUser
	Admin         bool      // the account may administer the homeserver, see SetAdmin
	State         State
	Seen          Seen
	Imported      bool // another server gave the tokens of this generation, see ImportedToken
}

// Refresh is a refresh token presented: its claims and the rules of the door at which it was.
type Refresh struct {
	Session    string
	Generation int64
	At         time.Time
	KeyID      int64         // the root key that a new generation is minted with
	AccessTTL  time.Duration // of a new access token; 0: it never expires
	Leeway     time.Duration // how long the predecessor of a used generation still yields the same pair; 0: not at all
	SingleUse  bool          // the draft's door
	Seen       Seen
}

// What a token can be refused for.
var (
	// ErrSuperseded says that an access token's generation is not in force.
	ErrSuperseded = errors.New("token is superseded")
	// ErrSoft says that the session had gone soft before.
	ErrSoft = errors.New("session is soft")
	// ErrEnded says that the session is past its absolute end.
	ErrEnded = errors.New("session has ended")
	// ErrLocked says that the token, or the proof at login, is good, but its account is locked
	// (Client-Server API v1.19, "Account locking").
	ErrLocked = errors.New("account is locked")
	// ErrSpent says that a refresh token was claimed before, at a door where it works once. Nothing ends.
	ErrSpent = errors.New("refresh token is spent")
	// ErrReplay says that an old refresh token came back, and that the session went soft just now because of it.
	ErrReplay = errors.New("refresh token is replayed")
)

// Accepts judges an access token of generation k: nil if it is good at now, else ErrSoft, ErrEnded, ErrSuperseded or,
// told only to who holds a good one, ErrLocked. The predecessor stays good until the new generation is first used,
// because an answer may get lost (Client-Server API v1.19, "Refreshing access tokens"). The token's own expiry is the
// caller's to judge.
func (s Session) Accepts(k int64, now time.Time) error {
	switch {
	case s.State != Live:
		return ErrSoft
	case s.ended(now):
		return ErrEnded
	case k != s.Generation && (k != s.Generation-1 || !s.Used.IsZero() || s.SingleUse):
		return ErrSuperseded
	case s.Locked:
		return ErrLocked
	}
	return nil
}

// A step is what the machine does about a refresh token.
type step int

const (
	stepAdvance step = iota // n becomes n+1
	stepSame                // the pair n is computed again: no write
	stepRemint              // n stays, minted anew: its access token or its root key is gone
	stepSpent               // refused; nothing ends
	stepReplay              // refused; the session goes soft
	stepSoft                // refused; it was soft before
	stepEnded               // refused; past its absolute end
	stepLocked              // refused for now: one of the first three, were the account not locked
)

// decide is the whole law of refreshing. keyGone says that generation n's root key was retired: nobody can mint or hold
// a token of it.
func (s Session) decide(r Refresh, keyGone bool) step {
	do := s.judge(r, keyGone)
	if s.Locked && do <= stepRemint {
		return stepLocked
	}
	return do
}

// judge is decide, locks apart.
func (s Session) judge(r Refresh, keyGone bool) step {
	switch {
	case s.State != Live:
		return stepSoft
	case s.ended(r.At):
		return stepEnded
	case r.Generation == s.Generation:
		return stepAdvance
	case r.Generation != s.Generation-1:
		return stepReplay
	}

	// The predecessor came back: an answer was lost, two tabs share a session, or a thief has it.
	recent := s.Used.IsZero() || r.At.Sub(s.Used) <= r.Leeway
	switch {
	case r.SingleUse || s.SingleUse:
		if recent {
			return stepSpent
		}
		return stepReplay
	case !s.Used.IsZero() && (r.Leeway <= 0 || !recent):
		return stepReplay
	case keyGone || !s.AccessExpires.IsZero() && !r.At.Before(s.AccessExpires):
		return stepRemint
	}
	return stepSame
}

func (s Session) ended(now time.Time) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) }

// accessEnd is when an access token minted now for a session that ends at end expires; zero: never.
func accessEnd(now time.Time, ttl time.Duration, end time.Time) time.Time {
	if ttl <= 0 {
		return end
	}
	if t := now.Add(ttl); end.IsZero() || t.Before(end) {
		return t
	}
	return end
}
