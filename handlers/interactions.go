package handlers

import (
	"crypto/sha256"
	"slices"
	"time"

	"postern/db"
	"postern/gen"
)

const (
	// interactionLife is how long a person may take over all stages: long enough to read terms and find an invitation.
	interactionLife = 15 * time.Minute

	// maxInteractions bounds what strangers make the database hold, at about 3 KiB each. When there are more the oldest
	// goes: honest ones live for seconds, and the rate limit keeps one address from pushing them out.
	maxInteractions = 2000

	interactionIDBytes = 18
)

// interaction is one user-interactive session as one request sees it. Each request works on its own copy, here or at
// another replica. When two requests have changed the same session, the one that saves second reads what the first has
// saved and applies its changes to that.
type interaction struct {
	id      string
	expires time.Time
	version int64 // 0: it is not kept yet
	state
	changes []func(*state) bool // that are not kept yet

	reserved string // the registration token that this request has reserved for it
}

// state is what is remembered of an interaction.
type state struct {
	Bound     binding
	Deed      Deed `json:",omitzero"` // of a registration it is empty
	Flows     [][]string
	Completed []string `json:",omitempty"`
	// the hash of the password that was given; another one proves nothing any more
	Proof string               `json:",omitempty"`
	Token string               `json:",omitempty"` // the registration token that is reserved for it
	Email shown                `json:",omitzero"`  // the mail address that was shown
	Sid   string               `json:",omitempty"` // the validation session that its page has begun
	First *gen.RegisterRequest `json:",omitempty"` // the parameters that a registration has given so far
	Made  *made                `json:",omitempty"` // what a registration has led to
}

// binding is what an interaction is good for, and nothing else.
type binding struct {
	Method, Path string
	User         string // localpart; empty for a registration, like the following
	Session      string `json:",omitempty"` // the id of the login that began it
	Body         string `json:",omitempty"` // see bodyHash; the parameters of a registration may come piece by piece
}

// by leaves out what a binding says of the request's body.
func (b binding) by() binding {
	b.Body = ""
	return b
}

// made is the account that a registration has led to, and its first session, if it was to have one. Finishing again,
// because the answer was lost, leads to the same.
type made struct {
	Localpart, Session string
	Waits              bool `json:",omitempty"` // for an operator's approval
}

// name is what the database knows it by. Who knows the id may go on with it, so the id itself is not written down.
func (i *interaction) name() string { return interactionName(i.id) }

func interactionName(id string) string {
	sum := sha256.Sum256([]byte(id))
	return db.Spell(sum[:])
}

// openAt says whether one that expires then is open. One that begins later than now was begun by a clock that was set
// back since.
func openAt(expires, now time.Time, life time.Duration) bool {
	left := expires.Sub(now)
	return left >= 0 && left <= 2*life
}

// change changes this request's copy, and remembers how, until it is kept.
func (i *interaction) change(f func(*state) bool) {
	if f(&i.state) {
		i.changes = append(i.changes, f)
	}
}

// finish is what is left to remember of a registration that is over.
func (s state) finish(m made) state {
	s.First, s.Made = nil, &m
	return s
}

// done reports whether one of the flows is complete.
func (s *state) done() bool {
	return slices.ContainsFunc(s.Flows, func(stages []string) bool {
		return !slices.ContainsFunc(stages, func(stage string) bool { return !slices.Contains(s.Completed, stage) })
	})
}

// has reports whether the stage is part of a flow.
func (s *state) has(stage string) bool {
	return slices.ContainsFunc(s.Flows, func(stages []string) bool { return slices.Contains(stages, stage) })
}
