package oauth

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// createPage is the page on which a person makes an account.
func (v *visit) createPage(wrong web.Wrong) error {
	return v.render(status(wrong), web.CreateAccount{Ask: v.errand.ask(), Server: v.server.ServerName, Wrong: wrong,
		User: v.typed("user"), Token: cmp.Or(v.typed("token"), v.token),
		NeedToken: v.server.Registration == handlers.RegistrationToken,
		Mail:      v.server.MailOn(), Email: v.typed("email"),
		Waits: v.server.Registration == handlers.RegistrationApproval, Terms: v.server.Terms.URL,
		Rules: passwordRules(v.server.Passwords), Form: v.formProof(), SignIn: v.toSignIn()})
}

// toCreate is where somebody goes who has no account: to the page that they are on, if a client waits for them there.
func (v *visit) toCreate() string {
	if v.path == handlers.AuthorizePath || v.path == handlers.SSOPath {
		return v.with("create")
	}
	return handlers.RegisterPath
}

// toSignIn is where somebody goes who has an account.
func (v *visit) toSignIn() string {
	if v.path == handlers.RegisterPath {
		return handlers.AccountPath
	}
	return v.with("")
}

// createAccount makes the account. Who sends the form again, since the answer was lost or the button was clicked twice,
// signs in to it, or hears that it waits.
func (v *visit) createAccount() (db.User, error) {
	address, err := v.newcomersAddress()
	if err != nil {
		return db.User{}, err
	}
	account, err := v.server.CreateAccount(v.ctx, handlers.NewAccount{
		Name: v.typed("user"), Password: v.typed("password"), Token: v.typed("token"),
		AgreedToTerms: v.typed("agree") != "",
	})
	if err == nil || handlers.AsError(err).Code == handlers.AwaitingApproval {
		v.mailNewcomer(account, address)
	}
	if err == nil || handlers.AsError(err).Code != "M_USER_IN_USE" {
		return account, err
	}
	mine, wrong := v.checkPassword(v.typed("user"), v.typed("password"))
	if wrong == nil || handlers.AsError(wrong).Code == handlers.AwaitingApproval {
		return mine, wrong
	}
	return db.User{}, err
}

// newcomersAddress is the mail address that was typed, if any was.
func (v *visit) newcomersAddress() (string, error) {
	if v.typed("email") == "" || !v.server.MailOn() {
		return "", nil
	}
	address, err := handlers.Address(v.typed("email"))
	if err != nil {
		return "", errNoAddress
	}
	return address, nil
}

// errNoAddress says that what was typed is no mail address.
var errNoAddress = &handlers.Error{Status: http.StatusBadRequest, Code: "M_INVALID_PARAM",
	Message: "This is not a mail address."}

// waitsPage says that the account waits for an operator, and what comes next: a mail, if they have shown an address.
func (v *visit) waitsPage(mailed bool) error {
	name := handlers.Spelled(v.typed("user"), v.server.ServerName)
	sent := v.did == "create" && v.typed("email") != "" && v.server.MailOn()
	return v.render(http.StatusForbidden, web.Waits{Ask: v.errand.ask(), Server: v.server.ServerName, Sent: sent,
		Mailed: mailed,
		UserID: v.userID(db.User{Localpart: strings.ToLower(name)}), Form: v.formProof()})
}

// notMade is why an account could not be made, in the person's own language.
func notMade(e *handlers.Error) web.Wrong {
	var weak *handlers.WeakPassword
	switch {
	case errors.As(e, &weak):
		return tooWeak(weak)
	case errors.Is(e, db.ErrFull):
		return web.Wrong{Text: "tooManyWait"}
	case errors.Is(e, errNoAddress):
		return web.Wrong{Text: "emailWrong"}
	}
	switch e.Code {
	case "M_USER_IN_USE":
		return web.Wrong{Text: "nameTaken"}
	case "M_EXCLUSIVE":
		return web.Wrong{Text: "nameReserved"}
	case "M_INVALID_USERNAME":
		return web.Wrong{Text: "nameInvalid"}
	case "M_UNAUTHORIZED":
		return web.Wrong{Text: "tokenOver"}
	case "M_MISSING_PARAM":
		return web.Wrong{Text: "agreeFirst"}
	case "M_FORBIDDEN":
		return web.Wrong{Text: "closed"}
	}
	return web.Wrong{Text: "refused", Values: []any{e.Message}} // by the homeserver, in its own words
}

func tooWeak(weak *handlers.WeakPassword) web.Wrong {
	switch {
	case weak.Least > 0:
		return web.Wrong{Text: "passwordShort", Values: []any{weak.Least}}
	case weak.Easy:
		return web.Wrong{Text: "passwordEasy"}
	case weak.Leaked:
		return web.Wrong{Text: "passwordLeaked"}
	case weak.Lacks == "digit":
		return web.Wrong{Text: "passwordDigit"}
	case weak.Lacks == "symbol":
		return web.Wrong{Text: "passwordSymbol"}
	case weak.Lacks == "uppercase":
		return web.Wrong{Text: "passwordUpper"}
	}
	return web.Wrong{Text: "passwordLower"}
}

// invited is the errand of somebody whom an invitation's link has led here: nobody asks, and the account is all they
// want.
type invited struct{ *visit }

// forInvited looks at the invitation before anybody types: one that is over is of no use.
func (v *visit) forInvited() (errand, error) {
	v.onward = handlers.RegisterPath + "?made"
	v.token = v.r.URL.Query().Get("token")
	v.create = !v.r.URL.Query().Has("made") || v.r.URL.Query().Get("prompt") == "create"
	e := invited{v}
	if v.server.Registration == handlers.RegistrationClosed {
		return nil, v.render(http.StatusForbidden, web.Failure{Text: "closed"})
	}
	if v.r.Method == http.MethodPost || v.token == "" || v.server.Registration == handlers.RegistrationOpen {
		return e, nil
	}
	good, err := v.server.InvitationGood(v.ctx, v.token)
	if problem := handlers.AsError(err); err != nil && problem.Code == "M_LIMIT_EXCEEDED" {
		return nil, v.render(http.StatusForbidden, web.Failure{Text: "loadLater"})
	}
	if err == nil && !good {
		return nil, v.render(http.StatusGone, web.Failure{Text: "invitationOver"})
	}
	return e, err
}

func (invited) ask() web.Ask       { return web.Ask{} }
func (invited) to() []string       { return nil }
func (e invited) cancelled() error { return e.again() }

// enter says what to do with the account.
func (e invited) enter(account db.User, _ bool) error {
	return e.render(http.StatusOK, web.Welcome{UserID: e.userID(account), Server: e.server.ServerName,
		Account: handlers.AccountPath})
}
