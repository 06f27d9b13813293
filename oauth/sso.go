package oauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"postern/db"
	"postern/gen"
	"postern/handlers"
	"postern/oauth/protocol"
	"postern/web"
)

// RedirectToSSO implements GET /login/sso/redirect. Client-Server API v1.19, "Client login via SSO".
func (a *API) RedirectToSSO(_ context.Context, request gen.RedirectToSSORequestObject) (
	gen.RedirectToSSOResponseObject, error) {
	to := request.Params.RedirectURL
	if _, ok := returnAddress(to); !ok {
		return nil, &handlers.Error{Status: http.StatusBadRequest, Code: "M_INVALID_PARAM",
			Message: "redirectUrl is no address that a client could wait at"}
	}
	q := url.Values{"redirectUrl": {to}}
	if value(request.Params.Action) == "register" {
		q.Set("prompt", "create")
	}
	page := a.base + handlers.SSOPath + "?" + q.Encode()
	return gen.RedirectToSSO302Response{Headers: gen.RedirectToSSO302ResponseHeaders{Location: &page}}, nil
}

// forbiddenSchemes run something in the browser, or show what the address itself holds.
var forbiddenSchemes = []string{"javascript", "data", "vbscript", "blob", "file", "filesystem", "about", "view-source"}

// returnAddress reads the address at which a client waits for a login token. Clients do not register them, so a person
// is shown the host, and asked.
func returnAddress(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.User != nil || strings.ContainsFunc(text, unsafe) ||
		slices.Contains(forbiddenSchemes, u.Scheme) {
		return nil, false
	}
	web := u.Scheme == "http" || u.Scheme == "https"
	return u, !web || u.Host != "" && u.Opaque == "" && protocol.PlainHost(u)
}

// unsafe reports what browsers drop from an address, or read as something else than it looks.
func unsafe(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }

// tokenLogin is the errand of a client that wants a login token.
type tokenLogin struct {
	*visit
	back *url.URL
}

// forToken reads the request of a client that knows nothing of OAuth 2.0.
func (v *visit) forToken() (errand, error) {
	q := v.r.URL.Query()
	back, ok := returnAddress(q.Get("redirectUrl"))
	if !ok {
		return nil, v.render(http.StatusBadRequest, web.Failure{Text: "misdirected",
			Detail: "redirectUrl: it is no address that a client could wait at"})
	}
	v.create = q.Get("prompt") == "create" && v.server.Registration != handlers.RegistrationClosed
	return &tokenLogin{v, back}, nil
}

func (e *tokenLogin) ask() web.Ask {
	name := e.back.Host
	if e.back.Scheme != "http" && e.back.Scheme != "https" {
		name = e.back.Scheme + ":" // an app of one's own, which may name any host
	}
	return web.Ask{Client: web.Client{Name: name, Host: e.back.Scheme}, Signs: true}
}

func (e *tokenLogin) to() []string { return []string{scheme(e.back.String())} }

// enter sends the client a login token. It is asked each time: nothing tells that it is the same client.
func (e *tokenLogin) enter(account db.User, agreed bool) error {
	if !agreed {
		return e.consentPage(account)
	}
	token, err := e.server.SSOToken(e.ctx, account)
	if err != nil {
		return err
	}
	to := *e.back
	q := to.Query()
	q.Set("loginToken", token)
	to.RawQuery = q.Encode()
	return e.leave(to.String())
}

// cancelled leads back without a token: the specification has no word for it.
func (e *tokenLogin) cancelled() error { return e.leave(e.back.String()) }
