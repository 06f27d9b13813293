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
	// to reset a password: the account that has the address, and how it was when the mail was asked for; to add an
	// address: the account that has come with the session first
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
	v, _, err := s.validationAt(ctx, id)
	return v, err
}

// validationAt is validation, and says which version of it is kept, even if it is over; 0: none.
func (s *Server) validationAt(ctx context.Context, id string) (v *validation, version int64, err error) {
	row, err := s.DB.Interaction(ctx, id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil || row.Kind != validations || !openAt(row.Expires, CallerOf(ctx).Now, validationLife) {
		return nil, row.Version, err
	}
	v = &validation{row: row}
	if !s.Sealer().Unseal(row, v, "a validation session") {
		v = nil
	}
	return v, row.Version, nil
}

// validationTries is how often a request that others were faster than looks again at what they have come to.
const validationTries = 3

// validate has a mail sent to the address that a client names, and gives the validation session's id. A number of
// attempt that is not higher than the last one asks for no other mail. Of requests at a time one may send its mail
// alone: then that is the answer to all of them.
func (s *Server) validate(ctx context.Context, p purpose, language *string, body *gen.RequestEmailRequest) (string,
	error) {
	if err := s.countMail(ctx, ""); err != nil {
		return "", err
	}
	address, err := Address(body.Email)
	if err != nil {
		return "", badRequest("M_INVALID_PARAM", "This is not a mail address: "+err.Error()+".")
	}
	id := sid(p, address, body.ClientSecret)
	for range validationTries {
		was, version, err := s.validationAt(ctx, id)
		if err != nil || was != nil && body.SendAttempt <= was.Attempt {
			return id, err
		}
		v, err := s.newValidation(ctx, p, address, body.ClientSecret)
		if err != nil {
			return "", err
		}
		v.row.Version = version // of one that is over: the link was followed, or the account has changed
		if was != nil && was.waitsLike(v) {
			was.Language, v = v.Language, was
		}
		v.Attempt, v.Next = body.SendAttempt, value(body.NextLink)
		if v.Language == "" {
			v.Language = spokenIn(language)
		}
		if err := s.mailLink(ctx, v); !errors.Is(err, db.ErrConflict) {
			return id, err
		}
	}
	return id, nil
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

// mailLink keeps the session and sends its mail, in one transaction. To an address that nobody has none goes, and as
// much is done. [db.ErrConflict] if another request was faster.
func (s *Server) mailLink(ctx context.Context, v *validation) error {
	if err := s.Sealer().Seal(&v.row, v); err != nil {
		return err
	}
	m := Mail{Kind: MailAppVerify, To: v.Address, Language: v.Language, Localpart: v.Localpart, Until: v.row.Expires,
		Values: map[string]string{MailLink: s.PublicURL + EmailPath + "?" +
			url.Values{"sid": {v.row.ID}, "token": {v.Link}}.Encode(), MailFrom: network(CallerOf(ctx).Addr)}}
	switch {
	case v.Purpose == toReset && v.Link == "":
		nobody, err := s.nobody(v.Address)
		if err != nil {
			return err
		}
		m.Kind, m.To, m.Unsent = MailAppReset, nobody, true
	case v.Purpose == toReset:
		m.Kind = MailAppReset
	case v.Link == "":
		m.Kind, m.Values = MailKnown, nil
	}
	return s.sendAbout(ctx, m, &db.Asked{Interaction: v.row, Now: v.row.Expires.Add(-validationLife),
		Most: maxValidations})
}

// keepValidation saves what a session has come to. [db.ErrConflict] if another request was faster: that one's stands.
func (s *Server) keepValidation(ctx context.Context, v *validation) error {
	if err := s.Sealer().Seal(&v.row, v); err != nil {
		return err
	}
	return s.DB.SaveInteraction(ctx, v.row)
}

var (
	// errNotFollowed says that the link in the mail was not followed yet.
	errNotFollowed = errors.New("the link in the mail was not followed yet")

	errNoValidation = &Error{Status: http.StatusUnauthorized, Code: "M_UNAUTHORIZED",
		Message: "There is no such validation session, or its time is over; ask for another mail."}
)

// completed is a client's validation session that proves something; else errNotFollowed or errNoValidation.
func (s *Server) completed(ctx context.Context, p purpose, id, secret string) (*validation, error) {
	v, err := s.validation(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case v == nil || v.Purpose != p || subtle.ConstantTimeCompare([]byte(v.Secret), []byte(secret)) == 0:
		return nil, errNoValidation
	case v.At.IsZero():
		return nil, errNotFollowed
	}
	return v, nil
}

// MailedLink is a link of a mail that somebody has followed, to the page [EmailPath].
type MailedLink struct {
	server *Server
	v      *validation

	Address string
	Account string // whose password it is about; empty: it is about none
	Done    bool   // they have pressed the button
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
	l := MailedLink{server: s, v: v, Address: Printable(v.Address), Done: !v.At.IsZero(), Next: s.ownLink(v.Next)}
	if v.Purpose == toReset {
		l.Account = Printable(string(NewUserID(v.Localpart, s.ServerName)))
	}
	return l, nil
}

// Complete completes the session: somebody who reads the address's mail has said so.
func (l MailedLink) Complete(ctx context.Context, language string) error {
	if l.Done {
		return nil
	}
	l.v.At, l.v.Language = CallerOf(ctx).Now, language
	err := l.server.keepValidation(ctx, l.v)
	if !errors.Is(err, db.ErrConflict) {
		return err
	}
	// Somebody else was faster, who may have pressed the same button.
	if v, again := l.server.validation(ctx, l.v.row.ID); again == nil && v != nil && !v.At.IsZero() {
		return nil
	}
	return limitExceeded(time.Second)
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
