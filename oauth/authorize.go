package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"postern/db"
	"postern/handlers"
	"postern/oauth/protocol"
	"postern/web"
)

// Pages serves GET and POST /oauth2/authorize: a person signs in, or makes an account, and lets the client in.
// Client-Server API v1.19, "Authorization code grant".
func (a *API) Pages() http.Handler { return http.HandlerFunc(a.authorize) }

// visit is one request of a person's browser for a client that was found.
type visit struct {
	*API
	w       http.ResponseWriter
	r       *http.Request
	ctx     context.Context
	request *protocol.Authorization
	client  *protocol.Client
}

func (a *API) authorize(w http.ResponseWriter, r *http.Request) {
	v := &visit{API: a, w: w, r: r, ctx: r.Context()}
	find := func(id string) (*protocol.Client, error) {
		client, err := a.client(r.Context(), id)
		v.client = client
		return client, err
	}
	request, err := protocol.ParseAuthorization(r.URL.Query(), find)
	var nowhere *protocol.Misdirected
	var refused *protocol.Error
	var barred *handlers.OAuthError
	switch v.request = request; {
	case errors.As(err, &nowhere):
		v.render(http.StatusBadRequest, web.Failure{Text: "misdirected", Detail: nowhere.Error()})
	case errors.As(err, &barred):
		v.render(http.StatusForbidden, web.Failure{Text: "notAdmitted", Detail: barred.Error()})
	case errors.As(err, &refused):
		// Not by itself: anybody may register a client, and would send people to a page of theirs by way of this one
		// (RFC 9700, section 4.11.2).
		v.render(http.StatusBadRequest, web.Failure{Text: "refusedRequest", Detail: refused.Error(),
			App: v.client.Host(), Back: request.Answer(v.issuer(), "", refused)})
	case err != nil:
		v.away(err)
	case r.Method == http.MethodPost:
		v.submit()
	case request.Create && v.server.Registration != handlers.RegistrationClosed:
		v.create(web.Wrong{})
	default:
		v.signIn(web.Wrong{})
	}
}

// submit takes what a form sent.
func (v *visit) submit() {
	if err := v.r.ParseForm(); err != nil || !v.formIsOurs() {
		v.show(web.Wrong{Text: "again"})
		return
	}
	var account db.User
	var err error
	switch v.r.PostForm.Get("do") {
	case "cancel":
		v.leave("", &protocol.Error{Code: protocol.AccessDenied, Description: "the person did not agree"})
		return
	case "create":
		account, err = v.createAccount()
	default:
		account, err = v.server.CheckPassword(v.ctx, v.typed("user"), v.typed("password"),
			v.request.Scope.DeviceID)
	}
	if err == nil && !account.Locked.IsZero() {
		err = db.ErrLocked
	}
	if err != nil {
		v.refuse(err)
		return
	}
	code, err := v.agreed(account)
	if err != nil {
		v.away(err)
		return
	}
	v.leave(code, nil)
}

// agreed is the code for a request that the owner of an account agrees to. Its client stays until that is redeemed.
func (v *visit) agreed(account db.User) (string, error) {
	if err := v.keep(v.ctx, v.client); err != nil {
		return "", err
	}
	return v.sealCode(newCode(v.request, v.client, account))
}

// createAccount makes the account. Who sends the form again, since the answer was lost or the button was clicked twice,
// signs in to it.
func (v *visit) createAccount() (db.User, error) {
	account, err := v.server.CreateAccount(v.ctx, handlers.NewAccount{
		Name: v.typed("user"), Password: v.typed("password"), Token: v.typed("token"),
		AgreedToTerms: v.typed("agree") != "",
	})
	if err == nil || handlers.AsError(err).Code != "M_USER_IN_USE" {
		return account, err
	}
	if mine, wrong := v.server.CheckPassword(v.ctx, v.typed("user"), v.typed("password"),
		v.request.Scope.DeviceID); wrong == nil {
		return mine, nil
	}
	return db.User{}, err
}

// typed is a field of the form.
func (v *visit) typed(field string) string { return v.r.PostForm.Get(field) }

// refuse shows the form again and says what was wrong; nothing that was typed is lost but the password.
func (v *visit) refuse(err error) {
	e := handlers.AsError(err)
	switch {
	case e.Status >= http.StatusInternalServerError:
		v.away(err)
	case e.Code == "M_LIMIT_EXCEEDED":
		v.show(web.Wrong{Text: "slowDown", Values: []any{int(e.RetryAfter.Seconds()) + 1}})
	case e.Code == "M_USER_LOCKED":
		v.show(web.Wrong{Text: "locked"})
	case e.Code == "M_USER_DEACTIVATED":
		v.show(web.Wrong{Text: "deactivated"})
	case v.typed("do") == "create":
		v.show(web.Wrong{Text: "refused", Values: []any{e.Message}})
	default:
		v.show(web.Wrong{Text: "wrongPassword"})
	}
}

// show gives the form that was sent.
func (v *visit) show(wrong web.Wrong) {
	if v.typed("do") == "create" {
		v.create(wrong)
	} else {
		v.signIn(wrong)
	}
}

func (v *visit) signIn(wrong web.Wrong) {
	page := web.SignIn{Client: v.asks(), Server: v.server.ServerName, Device: v.request.Scope.DeviceID, Wrong: wrong,
		User: v.typed("user"), Form: v.formProof()}
	if page.User == "" {
		page.User = strings.TrimPrefix(v.request.LoginHint, "mxid:")
	}
	if v.server.Registration != handlers.RegistrationClosed {
		page.Create = v.with("create")
	}
	v.render(status(wrong), page)
}

func (v *visit) create(wrong web.Wrong) {
	v.render(status(wrong), web.CreateAccount{Client: v.asks(), Server: v.server.ServerName,
		Device: v.request.Scope.DeviceID, Wrong: wrong, User: v.typed("user"), Token: v.typed("token"),
		NeedToken: v.server.Registration == handlers.RegistrationToken, Terms: v.server.Terms.URL,
		Form: v.formProof(), SignIn: v.with("")})
}

// status is 403 for a form that comes back, so that a log can tell.
func status(wrong web.Wrong) int {
	if wrong.Text != "" {
		return http.StatusForbidden
	}
	return http.StatusOK
}

// asks is the client as a person sees it.
func (v *visit) asks() web.Client {
	return web.Client{Name: v.client.DisplayName(), Host: v.client.Host(), Terms: v.client.TermsURI,
		Policy: v.client.PolicyURI}
}

// with is this page's address with another prompt.
func (v *visit) with(prompt string) string {
	q := v.r.URL.Query()
	if q.Del("prompt"); prompt != "" {
		q.Set("prompt", prompt)
	}
	return handlers.AuthorizePath + "?" + q.Encode()
}

// leave sends the browser back to the client, with a code or an error.
func (v *visit) leave(code string, refused *protocol.Error) {
	h := v.w.Header()
	h.Set("Location", v.request.Answer(v.issuer(), code, refused))
	h.Set("Referrer-Policy", "no-referrer")
	v.w.WriteHeader(http.StatusSeeOther) // so that the browser does not send the password on
}

func (v *visit) away(err error) {
	if v.ctx.Err() == nil {
		v.server.Log.Error("a page could not be answered", "route", handlers.AuthorizePath, "error", err)
	}
	v.w.Header().Set("Retry-After", "5")
	v.render(http.StatusServiceUnavailable, web.Failure{Text: "away"})
}

func (v *visit) render(status int, page web.Page) {
	var to []string
	if v.client != nil && v.request != nil {
		to = append(to, scheme(v.request.RedirectURI))
	}
	if err := web.Render(v.w, v.r, status, page, to...); err != nil {
		v.server.Log.Debug("a page could not be written", "error", err)
	}
}

// scheme is how a policy names where a redirect URI leads. Its host would be too narrow: browsers hold what that
// redirects to against the policy as well, and know no IPv6 address there.
func scheme(uri string) string {
	name, _, _ := strings.Cut(uri, ":")
	return strings.ToLower(name) + ":"
}
