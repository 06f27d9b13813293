package handlers

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern/db"
	"postern/gen"
)

// A validation session is what a client asks for before somebody registers with a mail address, adds one to their
// account or resets their password by it. The link in the mail completes it, on a page: a click on its button does, and
// not the request for the page, which programs make that look through mails for what is harmful. Client-Server API
// v1.19, "Adding Account Administrative Contact Information"; Identity Service API v1.19, "Email associations".
//
// Nobody hears whether an account has an address. Asking has the same answer, and costs as many writes, and the mail
// says what is the case. A session of which no link tells is never completed.

// purpose is what a validation session is good for, and nothing else.
type purpose string

const (
	toRegister purpose = "register"
	toAdd      purpose = "add"
	toReset    purpose = "reset"
)

const (
	// validationLife is how long a link is good. A mail may wait for as long as a mail server puts strangers off.
	validationLife = time.Hour

	// maxValidations bounds what strangers make the database hold, at about 1 KiB each. See maxInteractions.
	maxValidations = 10_000

	validations = "validation" // the kind of the rows

	linkBytes = 18 // of a link's secret
)

// validation is a validation session as one request sees it.
type validation struct {
	row db.Interaction
	shown
	Purpose purpose
	Secret  string // the client's
	Link    string // the secret of the link in the mail; empty: no link leads here
	Next    string `json:",omitempty"` // where the link leads at last
	Attempt int64  // the client's count of mails
}

// shown is what a completed validation session proves.
type shown struct {
	Address  string
	At       time.Time // when the link was followed; zero: not yet
	Language string    `json:",omitempty"` // in which its owner reads
	// to reset a password: the account that has the address, and how it was when the mail was asked for
	Localpart, Proof string `json:",omitempty"`
	Era              int64  `json:",omitempty"`
}

// linksByMail reports whether validation sessions are served: there is mail, and the page that its links lead to.
func (s *Server) linksByMail() bool { return s.MailOn() && s.Config.OAuth != nil }

// sid is the session's id. It is computed from what was asked, so that asking again leads to the same session. Whoever
// knows it has to know the client's secret as well.
func sid(p purpose, address, secret string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{validations, string(p), address, secret}, "\x00")))
	return db.Spell(sum[:])
}

// validation finds a session that is open, or gives nil.
func (s *Server) validation(ctx context.Context, id string) (*validation, error) {
	row, err := s.DB.Interaction(ctx, id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	if err != nil || row.Kind != validations || !openAt(row.Expires, CallerOf(ctx).Now, validationLife) {
		return nil, err
	}
	v := &validation{row: row}
	if !s.Sealer().Unseal(row, v, "a validation session") {
		return nil, nil
	}
	return v, nil
}

// validate has a mail sent to the address that a client names, and gives the validation session's id. A number of
// attempt that is not higher than the last one asks for no other mail.
func (s *Server) validate(ctx context.Context, p purpose, language *string, body *gen.RequestEmailRequest) (string,
	error) {
	if err := s.CountMail(ctx, CallerOf(ctx).Session.Localpart); err != nil {
		return "", err
	}
	address, err := Address(body.Email)
	if err != nil {
		return "", badRequest("M_INVALID_PARAM", "This is no mail address: "+err.Error()+".")
	}
	id := sid(p, address, body.ClientSecret)
	was, err := s.validation(ctx, id)
	if err != nil || was != nil && body.SendAttempt <= was.Attempt {
		return id, err
	}
	v, err := s.newValidation(ctx, p, address, body.ClientSecret)
	switch {
	case err != nil:
		return "", err
	case was != nil && was.waitsLike(v):
		was.Language, v = v.Language, was
	case was != nil: // it is over: the link was followed, or the account has changed
		if err := s.DB.EndInteraction(ctx, id); err != nil && !errors.Is(err, db.ErrNotFound) {
			return "", err
		}
	}
	v.Attempt, v.Next = body.SendAttempt, value(body.NextLink)
	if v.Language == "" {
		v.Language = spokenIn(language)
	}
	// First the mail: if the server is killed in between, the client asks again and another one is sent.
	if err := s.mailLink(ctx, v); err != nil {
		return "", err
	}
	return id, s.keepValidation(ctx, v)
}

// newValidation begins a session, which is not kept yet.
func (s *Server) newValidation(ctx context.Context, p purpose, address, secret string) (*validation, error) {
	v := &validation{shown: shown{Address: address}, Purpose: p, Secret: secret}
	v.row = db.Interaction{Kind: validations, ID: sid(p, address, secret),
		Expires: CallerOf(ctx).Now.Add(validationLife).Truncate(time.Millisecond)}
	bound, err := s.DB.Email(ctx, address)
	known := err == nil
	v.Language = bound.Language // its owner's, whoever asks
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return nil, err
	}
	account, err := s.DB.User(ctx, bound.Localpart) // of an address that nobody has it is nobody's
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return nil, err
	}
	if known == (p == toReset) && account.Locked.IsZero() {
		v.Localpart, v.Proof, v.Era = account.Localpart, account.PasswordHash, account.Closings+1
		v.Link, err = s.randomID(linkBytes)
		return v, err
	}
	return v, nil
}

// waitsLike reports whether a session waits for its link, if it has one, and is what it would be if it began now.
func (v *validation) waitsLike(now *validation) bool {
	return v.At.IsZero() && (v.Link == "") == (now.Link == "") && v.Localpart == now.Localpart && v.Era == now.Era &&
		subtle.ConstantTimeCompare([]byte(v.Proof), []byte(now.Proof)) == 1
}

// mailLink sends the mail that belongs to the session.
func (s *Server) mailLink(ctx context.Context, v *validation) error {
	m := Mail{Kind: MailVerify, To: v.Address, Language: v.Language, Localpart: v.Localpart, Until: v.row.Expires,
		Values: map[string]string{MailLink: s.PublicURL + EmailPath + "?" +
			url.Values{"sid": {v.row.ID}, "token": {v.Link}}.Encode()}}
	switch {
	case v.Purpose == toReset:
		m.Kind = MailReset
	case v.Link == "":
		m.Kind, m.Values = MailKnown, nil
	}
	if v.Purpose == toReset && v.Link == "" { // no account has it
		var err error
		if m.To, err = s.nobody(v.Address); err != nil {
			return err
		}
		m.Unsent = true
	}
	return s.SendMail(ctx, m)
}

// keepValidation keeps what a session has come to. If another request was faster, that one's stands.
func (s *Server) keepValidation(ctx context.Context, v *validation) error {
	if err := s.Sealer().Seal(&v.row, v); err != nil {
		return err
	}
	if v.row.Version == 0 {
		v.row.Version = 1
		return s.DB.AddInteraction(ctx, v.row, v.row.Expires.Add(-validationLife), maxValidations)
	}
	err := s.DB.SaveInteraction(ctx, v.row)
	v.row.Version++
	if errors.Is(err, db.ErrConflict) {
		return limitExceeded(time.Second)
	}
	return err
}

var (
	// errNotFollowed says that the link in the mail was not followed yet.
	errNotFollowed = errors.New("the link in the mail was not followed yet")

	errNoValidation = &Error{Status: http.StatusUnauthorized, Code: "M_UNAUTHORIZED",
		Message: "There is no such validation session, or its time is over; ask for another mail."}
)

// shown is what a client's validation session proves. errNotFollowed and errNoValidation if it proves nothing.
func (s *Server) shown(ctx context.Context, p purpose, id, secret string) (shown, error) {
	v, err := s.validation(ctx, id)
	switch {
	case err != nil:
		return shown{}, err
	case v == nil || v.Purpose != p || subtle.ConstantTimeCompare([]byte(v.Secret), []byte(secret)) == 0:
		return shown{}, errNoValidation
	case v.At.IsZero():
		return shown{}, errNotFollowed
	}
	return v.shown, nil
}

// MailedLink is a link of a mail that somebody has followed, to the page [EmailPath].
type MailedLink struct {
	server *Server
	v      *validation

	Address string
	Resets  bool // it is about a password
	Done    bool // they have pressed the button
	Next    string
}

// MailedLink finds the validation session that a link belongs to; 404 if it is over.
func (s *Server) MailedLink(ctx context.Context, query url.Values) (MailedLink, error) {
	v, err := s.validation(ctx, query.Get("sid"))
	if err != nil {
		return MailedLink{}, err
	}
	if v == nil || v.Link == "" || subtle.ConstantTimeCompare([]byte(v.Link), []byte(query.Get("token"))) == 0 {
		return MailedLink{}, notFound("This link is not good, or no longer.")
	}
	return MailedLink{server: s, v: v, Address: Printable(v.Address), Resets: v.Purpose == toReset,
		Done: !v.At.IsZero(), Next: s.ownLink(v.Next)}, nil
}

// Complete completes the session: somebody who reads the address's mail has said so.
func (l MailedLink) Complete(ctx context.Context, language string) error {
	if l.Done {
		return nil
	}
	l.v.At, l.v.Language = CallerOf(ctx).Now, language
	err := l.server.keepValidation(ctx, l.v)
	if err == nil || AsError(err).Status != http.StatusTooManyRequests {
		return err
	}
	// Somebody else was faster, who may have pressed the same button.
	if v, again := l.server.validation(ctx, l.v.row.ID); again == nil && v != nil && !v.At.IsZero() {
		return nil
	}
	return err
}

// ownLink is where a client wants a link to lead, if that is on this server: a mail of ours leads to nobody else.
func (s *Server) ownLink(next string) string {
	u, err := url.Parse(next)
	own, _ := url.Parse(s.PublicURL)
	if err != nil || next == "" || own == nil || u.Scheme != own.Scheme || u.Host != own.Host || u.User != nil {
		return ""
	}
	return u.String()
}
