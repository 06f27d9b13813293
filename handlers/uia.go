package handlers

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"postern/db"
	"postern/gen"
)

// User-interactive authentication: a request that changes an account proves more than an access token, in one or
// several stages, before it is carried out. Client-Server API v1.19, "User-Interactive Authentication API".
//
// The stages that a client has completed are kept in an interaction. It is bound to the method, the path, the user and
// the session of the request that began it, and to its body, so that a proof given for one thing is good for no other:
// whoever has stolen an access token cannot have its owner prove one thing, on the page of a stage, and do another.
// A request with another body begins anew; when it brings the password itself, that is at once the end as well.
//
// What a request does outside of its interaction (comparing a password, reserving an invitation) it does once; what it
// changes in it, it may have to change again when another request was faster, see save.

// uiaRequest is a request that needs an interaction: what it is bound to, the ways through, and the step it brings.
type uiaRequest struct {
	binding
	deed  Deed
	flows [][]string
	auth  *gen.AuthData
}

// challenge is the 401 that asks for more. Its errcode says why the last step failed, if it did.
type challenge struct {
	gen.AuthResponse
	why *Error // the last step failed; nil: it did not
}

// Error implements error: a challenge is returned like one and becomes HTTP where they do.
func (c *challenge) Error() string { return "user-interactive authentication is needed" }

// challenge tells the client where it stands.
func (s *Server) challenge(i *interaction, failed *Error) *challenge {
	c := &challenge{gen.AuthResponse{Session: i.id, Params: s.params(i.Flows)}, failed}
	for _, stages := range i.Flows {
		c.Flows = append(c.Flows, gen.AuthFlow{Stages: stages})
	}
	if len(i.Completed) > 0 {
		completed := slices.Clone(i.Completed)
		c.Completed = &completed
	}
	if failed != nil {
		c.Errcode, c.AuthResponse.Error = &failed.Code, &failed.Message
	}
	return c
}

// open finds the interaction that a request continues, or begins one, which is not kept yet. One that was begun for
// another request or by another session is 403, and nothing happens. One that was begun with another body counts as
// absent, and so does one that asks for other stages than the server asks for by now, since it was restarted with other
// flags.
func (s *Server) open(ctx context.Context, b uiaRequest) (*interaction, error) {
	who := CallerOf(ctx)
	if b.auth != nil && b.auth.Session != nil {
		i, err := s.interactions.get(ctx, *b.auth.Session, who.Now)
		if err != nil {
			return nil, err
		}
		if i != nil && i.Bound.by() != b.by() {
			return nil, forbidden("This authentication session was begun for another request.")
		}
		if i != nil && i.Bound == b.binding &&
			(i.Made != nil || slices.EqualFunc(i.Flows, b.flows, slices.Equal[[]string])) {
			return i, nil
		}
	}
	// A registration is counted with each of its requests, and by address. What a session begins is counted by that, so
	// that nobody else keeps it from deleting a device.
	if b.User != "" {
		if err := s.stages.takeAccount("begun by "+b.Session, who.Now); err != nil {
			return nil, err
		}
	}
	id, err := s.randomID(interactionIDBytes)
	if err != nil {
		return nil, err
	}
	return &interaction{id: id, expires: who.Now.Add(interactionLife),
		state: state{Bound: b.binding, Deed: b.deed, Flows: b.flows}}, nil
}

// step takes what the request brings, keeps how far that leads, and returns nil when a whole flow is complete.
//
// A first request may bring its proof along without a session; the server then has nothing to remember for it.
func (s *Server) step(ctx context.Context, i *interaction, auth *gen.AuthData) error {
	var wrong *stageFailed
	if auth != nil && auth.Type != nil {
		if err := s.complete(ctx, i, auth); err != nil && !errors.As(err, &wrong) {
			return err
		}
	}
	if i.version == 0 && i.done() {
		return nil
	}
	if err := s.save(ctx, i); err != nil {
		return err
	}
	switch {
	case wrong != nil:
		return s.unlessMade(ctx, i, s.challenge(i, wrong.why))
	case !i.done():
		return s.challenge(i, nil)
	}
	return nil
}

// complete tries a stage that is not complete yet, from the client or from its page.
func (s *Server) complete(ctx context.Context, i *interaction, auth *gen.AuthData) error {
	stage := *auth.Type
	if slices.Contains(i.Completed, stage) {
		return nil
	}
	prove, err := s.attempt(ctx, i, auth)
	if errors.Is(err, errNotFollowed) {
		return nil
	}
	if err != nil {
		return err
	}
	i.change(func(now *state) bool {
		if slices.Contains(now.Completed, stage) {
			return false
		}
		now.Completed = append(slices.Clone(now.Completed), stage)
		prove(now)
		return true
	})
	return nil
}

// saveTries bounds how often a request makes its changes again. Each time it loses, another request has got through.
const saveTries = 16

// errOver refuses to continue an interaction that has ended meanwhile.
var errOver = forbidden("This authentication session was used before.")

// save makes the request's changes known to those that come after it. If another one was faster, here or at another
// replica, they are made once more, to what that one has kept. A registration that is finished stays as it is.
func (s *Server) save(ctx context.Context, i *interaction) error {
	if i.version == 0 {
		i.changes = nil
		return s.interactions.add(ctx, i)
	}
	for range saveTries {
		if i.Made != nil {
			return s.giveBack(ctx, i)
		}
		if len(i.changes) == 0 {
			return nil
		}
		saved, err := s.interactions.save(ctx, i)
		if err != nil {
			return err
		}
		if saved {
			i.changes = nil
			return nil
		}
		if err := s.reload(ctx, i); err != nil {
			return err
		}
	}
	return limitExceeded(time.Second)
}

// reload reads an interaction that another request has changed, and makes this one's changes to that.
func (s *Server) reload(ctx context.Context, i *interaction) error {
	fresh, err := s.interactions.get(ctx, i.id, CallerOf(ctx).Now)
	if err != nil {
		return err
	}
	if fresh == nil {
		return errOver
	}
	for _, f := range i.changes {
		fresh.change(f)
	}
	fresh.reserved = i.reserved
	*i = *fresh
	return nil
}

// unlessMade is nil instead of a refusal if another request has made the account meanwhile: it may be this one's name
// that is taken, and its invitation that is used up.
func (s *Server) unlessMade(ctx context.Context, i *interaction, refusal error) error {
	if i.version == 0 {
		return refusal
	}
	err := s.reload(ctx, i)
	switch {
	case errors.Is(err, errOver), err == nil && i.Made == nil:
		return refusal
	}
	return err
}

// giveBack releases what was reserved for a registration after another request had finished it.
func (s *Server) giveBack(ctx context.Context, i *interaction) error {
	if i.reserved == "" {
		return nil
	}
	return s.DB.ReleaseRegistrationToken(ctx, i.reserved, i.name())
}

// byPassword lets the user's own request through once the user has given the password again, and never twice with
// one interaction.
func (s *Server) byPassword(ctx context.Context, r Sensitive, auth *gen.AuthData) error {
	i, err := s.prove(ctx, r, auth)
	if err != nil {
		return err
	}
	return s.spend(ctx, i)
}

// prove is the part of byPassword that may be done again: it leads to an interaction that is complete and not yet used.
// A step that can fail belongs between prove and spend, so that its failure does not cost the user the proof.
func (s *Server) prove(ctx context.Context, r Sensitive, auth *gen.AuthData) (*interaction, error) {
	i, err := s.tryProve(ctx, r, auth)
	name := CallerOf(ctx).Session.Localpart
	if auth != nil {
		name = cmp.Or(named(auth), name)
	}
	return i, trying(stageWrong, name, err)
}

func (s *Server) tryProve(ctx context.Context, r Sensitive, auth *gen.AuthData) (*interaction, error) {
	session := CallerOf(ctx).Session
	body, err := bodyHash(r.Body)
	if err != nil {
		return nil, err
	}
	account, err := s.DB.User(ctx, session.Localpart)
	if err != nil {
		return nil, err
	}
	flows, err := s.proofOf(account)
	if err != nil {
		return nil, err
	}
	if r.ByEmail {
		emails, err := s.DB.Emails(ctx, account.Localpart)
		if err != nil {
			return nil, err
		}
		if len(emails) > 0 {
			flows = append(flows, []string{stageEmail})
		}
	}
	b := uiaRequest{
		binding: binding{Method: r.Method, Path: r.Path, User: session.Localpart, Session: session.ID, Body: body},
		deed:    r.Deed, flows: flows, auth: auth,
	}
	i, err := s.open(ctx, b)
	if err != nil {
		return nil, err
	}
	if err := s.step(ctx, i, auth); err != nil {
		return nil, err
	}
	return i, s.stillProven(ctx, i, session)
}

// spend uses up an interaction: of those who would go on with it, one does.
func (s *Server) spend(ctx context.Context, i *interaction) error {
	if i.version == 0 {
		return nil // it was never kept
	}
	ended, err := s.interactions.end(ctx, i)
	if err == nil && !ended {
		err = errOver
	}
	return err
}

// stillProven looks again at what was proven: comparing a password takes its time, and a stage that was completed on
// its page may be a quarter of an hour old. The session may have ended meanwhile, and the password may be another one.
func (s *Server) stillProven(ctx context.Context, i *interaction, session db.Session) error {
	now, _, err := s.DB.Session(ctx, session.ID)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return s.gone(ctx, session)
	case err != nil:
		return err
	case now.State != db.Live:
		return UnknownToken("The session has ended.", true)
	case now.Locked:
		return userLocked()
	}
	account, err := s.DB.User(ctx, session.Localpart)
	if err != nil {
		return err
	}
	why, err := s.overSince(ctx, i, account)
	if err != nil || why == "" {
		return err
	}
	i.change(func(now *state) bool {
		now.Completed, now.Proof, now.Email = nil, "", shown{}
		return true
	})
	if err := s.save(ctx, i); err != nil {
		return err
	}
	return s.challenge(i, failed("M_FORBIDDEN", why).why)
}

// overSince says why what was proven is so no more; empty: it is.
func (s *Server) overSince(ctx context.Context, i *interaction, account db.User) (why string, err error) {
	if subtle.ConstantTimeCompare([]byte(account.PasswordHash), []byte(i.Proof)) != 1 {
		return "The password was changed meanwhile.", nil
	}
	if i.Email.Era != 0 && i.Email.Era != account.Closings+1 {
		return "The account was locked meanwhile.", nil
	}
	if i.Email.Address != "" {
		has, err := s.hasEmail(ctx, account.Localpart, i.Email.Address)
		if err != nil {
			return "", err
		}
		if !has {
			return "The account does not have the mail address any more.", nil
		}
	}
	if !i.has(stageSSO) && s.passwordAlone(account) != nil {
		return "The account has a second factor since.", nil
	}
	return "", nil
}
