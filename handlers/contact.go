package handlers

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"postern/db"
	"postern/gen"
)

// The mail addresses of accounts. There are no text messages here and, unless the operator names a mail server, no mail
// either: what would need them is refused in words for the person whose client shows them, and with the errcodes of a
// Synapse that has neither. Client-Server API v1.19, "Password management", "Account registration" and "Adding Account
// Administrative Contact Information".

// What these operations read: nothing. See logout.go.
var (
	_ = struct{}(gen.RequestTokenToResetPasswordMSISDNRequestObject{})
	_ = struct{}(gen.RequestTokenToRegisterMSISDNRequestObject{})
	_ = struct{}(gen.RequestTokenTo3PIDMSISDNRequestObject{})
	_ = struct{}(gen.GetAccount3PIDsRequestObject{})
)

func noReset() *Error {
	return badRequest("M_UNKNOWN", "This server sends neither mail nor text messages, so it cannot reset a password "+
		"that way. Ask its administrator for a new one.")
}

func noRegistration() *Error {
	return badRequest("M_UNKNOWN", "This server sends neither mail nor text messages. Register without an address "+
		"and without a phone number.")
}

func noVerification() *Error {
	return badRequest("M_THREEPID_MEDIUM_NOT_SUPPORTED", "This server sends neither mail nor text messages, so an "+
		"address or a phone number cannot be added to the account.")
}

func noChange() *Error {
	return badRequest("M_FORBIDDEN", "Addresses and phone numbers of an account cannot be changed on this server.")
}

// noText is how a phone number is refused: as without mail, but where there is mail an address is of use.
func (s *Server) noText(refused *Error) *Error {
	if s.linksByMail() {
		refused.Message = "This server sends no text messages, so a phone number is of no use here. A mail address is."
	}
	return refused
}

// needMail are the operations that need mail, and what is said without.
var needMail = map[string]func() *Error{
	"requestTokenToResetPasswordEmail": noReset,
	"requestTokenToRegisterEmail":      noRegistration,
	"requestTokenTo3PIDEmail":          noVerification,
	"add3PID":                          noChange,
	"delete3pidFromAccount":            noChange,
}

// withoutMail answers them when there is none, before it looks at their bodies.
func (s *Server) withoutMail(next echo.HandlerFunc) echo.HandlerFunc {
	if s.linksByMail() {
		return next
	}
	return func(c echo.Context) error {
		op := s.contract.operations[route{c.Request().Method, c.Path()}]
		refuse := needMail[op.id]
		if refuse == nil {
			return next(c)
		}
		if op.secured {
			if err := s.identify(c, s.callerFrom(c), false); err != nil {
				return err
			}
		}
		return refuse()
	}
}

// RequestTokenToResetPasswordEmail implements POST /account/password/email/requestToken.
func (s *Server) RequestTokenToResetPasswordEmail(ctx context.Context,
	r gen.RequestTokenToResetPasswordEmailRequestObject) (gen.RequestTokenToResetPasswordEmailResponseObject, error) {
	id, err := s.validate(ctx, toReset, r.Params.AcceptLanguage, r.Body)
	return gen.RequestTokenToResetPasswordEmail200JSONResponse{Sid: id}, err
}

// RequestTokenToResetPasswordMSISDN implements POST /account/password/msisdn/requestToken.
func (s *Server) RequestTokenToResetPasswordMSISDN(context.Context,
	gen.RequestTokenToResetPasswordMSISDNRequestObject) (gen.RequestTokenToResetPasswordMSISDNResponseObject, error) {
	return nil, s.noText(noReset())
}

// RequestTokenToRegisterEmail implements POST /register/email/requestToken.
func (s *Server) RequestTokenToRegisterEmail(ctx context.Context,
	r gen.RequestTokenToRegisterEmailRequestObject) (gen.RequestTokenToRegisterEmailResponseObject, error) {
	if err := s.mayRegister(nil); err != nil {
		return nil, err
	}
	id, err := s.validate(ctx, toRegister, r.Params.AcceptLanguage, r.Body)
	return gen.RequestTokenToRegisterEmail200JSONResponse{Sid: id}, err
}

// RequestTokenToRegisterMSISDN implements POST /register/msisdn/requestToken.
func (s *Server) RequestTokenToRegisterMSISDN(context.Context,
	gen.RequestTokenToRegisterMSISDNRequestObject) (gen.RequestTokenToRegisterMSISDNResponseObject, error) {
	return nil, s.noText(noRegistration())
}

// RequestTokenTo3PIDEmail implements POST /account/3pid/email/requestToken.
func (s *Server) RequestTokenTo3PIDEmail(ctx context.Context,
	r gen.RequestTokenTo3PIDEmailRequestObject) (gen.RequestTokenTo3PIDEmailResponseObject, error) {
	id, err := s.validate(ctx, toAdd, r.Params.AcceptLanguage, r.Body)
	return gen.RequestTokenTo3PIDEmail200JSONResponse{Sid: id}, err
}

// RequestTokenTo3PIDMSISDN implements POST /account/3pid/msisdn/requestToken.
func (s *Server) RequestTokenTo3PIDMSISDN(context.Context,
	gen.RequestTokenTo3PIDMSISDNRequestObject) (gen.RequestTokenTo3PIDMSISDNResponseObject, error) {
	return nil, s.noText(noVerification())
}

// email is the only medium that is served.
const email = "email"

// GetAccount3PIDs implements GET /account/3pid.
func (s *Server) GetAccount3PIDs(ctx context.Context,
	_ gen.GetAccount3PIDsRequestObject) (gen.GetAccount3PIDsResponseObject, error) {
	emails, err := s.DB.Emails(ctx, CallerOf(ctx).Session.Localpart)
	list := make([]gen.ThirdPartyIdentifier, len(emails))
	for i, e := range emails {
		list[i] = gen.ThirdPartyIdentifier{Medium: email, Address: e.Address, ValidatedAt: db.Millis(e.Validated),
			AddedAt: db.Millis(e.Added)}
	}
	return gen.GetAccount3PIDs200JSONResponse{Threepids: list}, err
}

// Add3PID implements POST /account/3pid/add.
func (s *Server) Add3PID(ctx context.Context, r gen.Add3PIDRequestObject) (gen.Add3PIDResponseObject, error) {
	localpart := CallerOf(ctx).Session.Localpart
	if added, err := s.addedBy(ctx, localpart, r.Body.Sid, r.Body.ClientSecret); added || err != nil {
		return gen.Add3PID200JSONResponse{}, err
	}
	e, err := s.shownBy(ctx, localpart, r.Body.Sid, r.Body.ClientSecret)
	if errors.Is(err, errNotFollowed) || errors.Is(err, errNoValidation) {
		return nil, badRequest("M_THREEPID_AUTH_FAILED",
			"The link in the mail was not followed yet, or its time is over.")
	}
	if err != nil {
		return nil, err
	}
	err = s.byPassword(ctx, Sensitive{
		Method: http.MethodPost, Path: "account/3pid/add",
		Body: gen.AddThirdPartyIdentifierRequest{Sid: r.Body.Sid, ClientSecret: r.Body.ClientSecret},
		Deed: Deed{Text: "deedEmail", Words: "The mail address " + Printable(e.Address) + " is added to the account. " +
			"Whoever reads its mail can choose another password for the account."},
	}, r.Body.Auth)
	if err != nil {
		return nil, err
	}
	return gen.Add3PID200JSONResponse{}, s.bind(ctx, e, localpart, r.Body.Sid)
}

// addedBy reports whether the address of a validation session is the account's already: the session is spent then, and
// the answer may have been lost.
func (s *Server) addedBy(ctx context.Context, localpart, id, secret string) (bool, error) {
	emails, err := s.DB.Emails(ctx, localpart)
	return slices.ContainsFunc(emails, func(e db.Email) bool {
		return subtle.ConstantTimeCompare([]byte(sid(toAdd, e.Address, secret)), []byte(id)) == 1
	}), err
}

// shownBy is what a completed session proves, to add an address to an account. The session is the account's from then
// on.
func (s *Server) shownBy(ctx context.Context, localpart, id, secret string) (e shown, err error) {
	for range validationTries {
		v, err := s.completed(ctx, toAdd, id, secret)
		switch {
		case err != nil:
			return shown{}, err
		case v.Localpart == localpart:
			return v.shown, nil
		case v.Localpart != "":
			return shown{}, errNoValidation
		}
		v.Localpart = localpart
		if err := s.keepValidation(ctx, v); !errors.Is(err, db.ErrConflict) {
			return v.shown, err
		}
	}
	return shown{}, limitExceeded(time.Second)
}

// bind binds an address to an account, and ends the validation session that shows it: a session is good once.
func (s *Server) bind(ctx context.Context, e shown, localpart, id string) error {
	err := s.DB.WriteFor(ctx, localpart, func(t *db.Tx) error {
		bound, err := t.AddEmail(e.bound(localpart, s.Now()))
		if err == nil && !bound {
			err = db.ErrConflict
		}
		if err == nil {
			_, err = t.EndInteraction(id)
		}
		return err
	})
	if errors.Is(err, db.ErrConflict) {
		return addressInUse()
	}
	return err
}

// bound is the address as an account's.
func (e shown) bound(localpart string, now time.Time) db.Email {
	return db.Email{Address: e.Address, Localpart: localpart, Validated: e.At, Added: now, Language: e.Language}
}

func addressInUse() *Error {
	return badRequest("M_THREEPID_IN_USE",
		"Another account has this address by now, or this one has as many as it may.")
}

// Delete3PidFromAccount implements POST /account/3pid/delete. No identity server is asked to forget the address.
func (s *Server) Delete3PidFromAccount(ctx context.Context,
	r gen.Delete3PidFromAccountRequestObject) (gen.Delete3PidFromAccountResponseObject, error) {
	answer := gen.Delete3PidFromAccount200JSONResponse{IDServerUnbindResult: gen.NoSupport}
	address, err := Address(r.Body.Address)
	if err != nil || r.Body.Medium != email {
		return answer, nil // no account has it
	}
	err = s.DB.RemoveEmail(ctx, CallerOf(ctx).Session.Localpart, address)
	if errors.Is(err, db.ErrNotFound) {
		return answer, nil
	}
	return answer, err
}

// spokenIn is the language that a client's headers ask for first, such as "de"; empty if they ask for none.
func spokenIn(header *string) string {
	first, _, _ := strings.Cut(value(header), ",")
	first, _, _ = strings.Cut(first, ";")
	first, _, _ = strings.Cut(strings.TrimSpace(first), "-")
	if len(first) > 3 {
		return ""
	}
	return strings.ToLower(first)
}
