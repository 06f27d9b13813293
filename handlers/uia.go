package handlers

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"sync"
	"time"

	"postern/db"
	"postern/gen"
)

// User-interactive authentication: a request that changes an account proves more than an access token, in one or
// several stages, before it is carried out. Client-Server API v1.19, "User-Interactive Authentication API".
//
// The stages that a client has completed are kept in an interaction, in memory: it may hold a password that somebody
// wants to register with, and that must not lie on a disk. It is bound to the method, the path and the user of the
// request that began it, so that a proof given for one thing is good for no other; only the body may change.

const (
	// interactionLife is how long a person may take over all stages: long enough to read terms and find an invitation.
	interactionLife = 15 * time.Minute

	// maxInteractions bounds the memory, at about 3 KiB each. When there are more the oldest goes: honest ones live
	// for seconds, and the rate limit keeps one address from pushing them out.
	maxInteractions = 2000

	interactionIDBytes = 18
)

// interaction is one user-interactive session.
type interaction struct {
	id     string
	bound  binding
	flows  [][]string
	opened time.Time

	mu        sync.Mutex // one step at a time
	completed []string
	proof     string               // the hash of the password that was given; another one proves nothing any more
	token     string               // the registration token that is reserved for it
	first     *gen.RegisterRequest // the parameters that a registration has given so far
	made      *made                // what a registration has led to
}

// binding is what an interaction is good for, and nothing else.
type binding struct {
	method, path string
	user         string // localpart; empty for a registration
}

// begun is a request that needs an interaction: what it is bound to, the ways through, and the step it brings.
type begun struct {
	binding
	flows [][]string
	auth  *gen.AuthData
}

// challenge is the 401 that asks for more. Its errcode says why the last step failed, if it did.
type challenge struct {
	gen.AuthResponse
}

// Error implements error: a challenge is returned like one and becomes HTTP where they do.
func (c *challenge) Error() string { return "user-interactive authentication is needed" }

// challenge tells the client where it stands.
func (s *Server) challenge(i *interaction, failed *Error) *challenge {
	c := &challenge{gen.AuthResponse{Session: i.id, Params: s.params(i.flows)}}
	for _, stages := range i.flows {
		c.Flows = append(c.Flows, gen.AuthFlow{Stages: stages})
	}
	if len(i.completed) > 0 {
		completed := slices.Clone(i.completed)
		c.Completed = &completed
	}
	if failed != nil {
		c.Errcode, c.AuthResponse.Error = &failed.Code, &failed.Message
	}
	return c
}

// open finds the interaction that a request goes on with, or begins one. One that was begun for another request or
// by another user is 403, and nothing happens.
func (s *Server) open(ctx context.Context, b begun) (*interaction, error) {
	who := callerOf(ctx)
	if b.auth != nil && b.auth.Session != nil {
		if i := s.interactions.get(*b.auth.Session, who.now); i != nil {
			if i.bound != b.binding {
				return nil, forbidden("This authentication session was begun for another request.")
			}
			return i, nil
		}
	}
	if b.user != "" { // a registration is counted with each of its requests
		if err := s.attempts.takeAddress(who.addr, who.now); err != nil {
			return nil, err
		}
	}
	id, err := s.randomID(interactionIDBytes)
	if err != nil {
		return nil, err
	}
	i := &interaction{id: id, bound: b.binding, flows: b.flows, opened: who.now}
	s.interactions.add(i)
	return i, nil
}

// step takes what the request brings and returns nil when a whole flow is complete. The caller holds i.mu.
//
// A first request may bring its proof along without a session; the server then has nothing to remember for it.
func (s *Server) step(ctx context.Context, i *interaction, auth *gen.AuthData) error {
	if auth == nil {
		return s.challenge(i, nil)
	}
	if auth.Type != nil {
		err := s.complete(ctx, i, auth)
		var failed *stageFailed
		if errors.As(err, &failed) {
			return s.challenge(i, failed.why)
		}
		if err != nil {
			return err
		}
	}
	if !i.done() {
		return s.challenge(i, nil)
	}
	return nil
}

// complete tries a stage that is not complete yet, from the client or from its page. The caller holds i.mu.
func (s *Server) complete(ctx context.Context, i *interaction, auth *gen.AuthData) error {
	if slices.Contains(i.completed, *auth.Type) {
		return nil
	}
	if err := s.attempt(ctx, i, auth); err != nil {
		return err
	}
	i.completed = append(i.completed, *auth.Type)
	return nil
}

// done reports whether one of the flows is complete.
func (i *interaction) done() bool {
	return slices.ContainsFunc(i.flows, func(stages []string) bool {
		return !slices.ContainsFunc(stages, func(stage string) bool { return !slices.Contains(i.completed, stage) })
	})
}

// has reports whether the stage is part of a flow.
func (i *interaction) has(stage string) bool {
	return slices.ContainsFunc(i.flows, func(stages []string) bool { return slices.Contains(stages, stage) })
}

// byPassword lets the user's own request through once the user has given the password again, and never twice with
// one interaction. It returns the hash that the password was held against.
func (s *Server) byPassword(ctx context.Context, method, path string, auth *gen.AuthData) (proof string, err error) {
	session := callerOf(ctx).session
	b := begun{
		binding: binding{method: method, path: path, user: session.Localpart},
		flows:   [][]string{{stagePassword}}, auth: auth,
	}
	i, err := s.open(ctx, b)
	if err != nil {
		return "", err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := s.step(ctx, i, auth); err != nil {
		return "", err
	}
	if err := s.stillProven(ctx, i, session); err != nil {
		return "", err
	}
	if !s.interactions.end(i) {
		return "", forbidden("This authentication session was used before.")
	}
	return i.proof, nil
}

// stillProven looks again at what was proven: comparing a password takes its time, and a stage that was completed on
// its page may be a quarter of an hour old. The session may have ended meanwhile, and the password may be another one.
func (s *Server) stillProven(ctx context.Context, i *interaction, session db.Session) error {
	now, _, err := s.db.Session(ctx, session.ID)
	if errors.Is(err, db.ErrNotFound) || err == nil && now.State != db.Live {
		return unknownToken("The session has ended.", err == nil)
	}
	if err != nil {
		return err
	}
	if now.Locked {
		return userLocked()
	}
	account, err := s.db.User(ctx, session.Localpart)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(account.PasswordHash), []byte(i.proof)) == 1 {
		return nil
	}
	i.completed, i.proof = nil, ""
	return s.challenge(i, failed("M_FORBIDDEN", "The password was changed meanwhile.").why)
}

// interactions are the open ones, oldest first.
type interactions struct {
	mu   sync.Mutex
	byID map[string]*interaction
	line []*interaction // in the order of opening; ended ones leave it when their turn comes
}

func newInteractions() *interactions { return &interactions{byID: make(map[string]*interaction)} }

// get finds an interaction that is still open at the time.
func (x *interactions) get(id string, now time.Time) *interaction {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := x.byID[id]
	if i == nil || now.Sub(i.opened).Abs() > interactionLife {
		return nil
	}
	return i
}

// add opens one, and closes those whose time is over and, when there are too many, the oldest.
func (x *interactions) add(i *interaction) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.line) > 0 {
		oldest := x.line[0]
		open := x.byID[oldest.id] == oldest
		if open && len(x.line) < maxInteractions && i.opened.Sub(oldest.opened).Abs() <= interactionLife {
			break
		}
		x.line[0] = nil
		x.line = x.line[1:]
		if open {
			delete(x.byID, oldest.id) // a registration token that it reserved becomes free by itself
		}
	}
	x.byID[i.id] = i
	x.line = append(x.line, i)
}

// expire closes those whose time is over at the time, and returns them.
func (x *interactions) expire(now time.Time) (over []*interaction) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var line []*interaction
	for _, i := range x.line {
		switch open := x.byID[i.id] == i; {
		case open && now.Sub(i.opened).Abs() > interactionLife:
			delete(x.byID, i.id)
			over = append(over, i)
		case open:
			line = append(line, i)
		}
	}
	x.line = line
	return over
}

// end closes one, and reports whether it was open: of two requests that finish it, one does.
func (x *interactions) end(i *interaction) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byID[i.id] != i {
		return false
	}
	delete(x.byID, i.id)
	return true
}
