package oauth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"postern/db"
	"postern/handlers"
	"postern/oauth/protocol"
	"postern/web"
)

// Pages serves what a person looks at.
func (a *API) Pages() http.Handler {
	mux := http.NewServeMux()
	for path, come := range map[string]func(*visit) (errand, error){
		handlers.AuthorizePath: (*visit).forClient,
		handlers.DevicePath:    (*visit).forDevice,
		handlers.SSOPath:       (*visit).forToken,
		handlers.AccountPath:   (*visit).forAccount,
		handlers.DeskPath:      (*visit).forDesk,
		handlers.RegisterPath:  (*visit).forInvited,
		handlers.StagePath:     (*visit).forStage,
		handlers.RecoverPath:   (*visit).forRecover,
		handlers.EmailPath:     (*visit).forMailed,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			v := &visit{API: a, w: w, r: r, ctx: r.Context(), path: path}
			v.serve(come)
		})
	}
	return mux
}

// errand is what a person's browser has come for.
type errand interface {
	// ask is who asks for what. Of a page of the account's own nobody does.
	ask() web.Ask

	// enter goes on with somebody who is signed in. Agreed says that they have just said so on a page that named who
	// asks: they signed in there, or pressed Allow.
	enter(account db.User, agreed bool) error

	// cancelled goes on with somebody who does not agree.
	cancelled() error

	// to are the addresses beside this server to which a form of the page may lead.
	to() []string
}

// visit is one request of a person's browser.
type visit struct {
	*API
	w       http.ResponseWriter
	r       *http.Request
	ctx     context.Context
	path    string
	errand  errand
	did     string     // which button of a form of ours was pressed
	create  bool       // they come to make an account
	token   string     // the invitation that they come with
	onward  string     // where they go once they are signed in, if nobody asks; empty: to this page
	hint    string     // who may sign in, as the client thinks
	account *db.User   // who is signed in; nil: nobody
	browser db.Browser // in which
	why     web.Wrong  // why the form that was sent did nothing, whatever page comes

	apps map[string]string // what clients that were read are called, by id
}

// serve answers the request. An errand is nil if its page is shown already.
func (v *visit) serve(come func(*visit) (errand, error)) {
	var err error
	if v.errand, err = come(v); err == nil && v.errand != nil {
		if err = v.recognise(); err == nil {
			err = v.answer()
		}
	}
	var barred *handlers.OAuthError
	switch {
	case errors.As(err, &barred):
		_ = v.render(http.StatusForbidden, web.Failure{Text: "notAdmitted", Detail: barred.Error()})
	case err != nil:
		v.away(err)
	}
}

func (v *visit) answer() error {
	switch {
	case v.r.Method == http.MethodPost:
		return v.submit()
	case v.create:
		return v.createPage(web.Wrong{})
	case v.account != nil && !v.hintsAnother():
		return v.enter(*v.account, false)
	default:
		return v.signInPage(web.Wrong{})
	}
}

// hintsAnother reports whether the client wants somebody else than who is signed in: it may have a device of theirs.
func (v *visit) hintsAnother() bool {
	wanted := handlers.Spelled(v.wanted(), v.server.ServerName)
	return wanted != "" && !strings.EqualFold(wanted, v.account.Localpart)
}

// wanted is who may sign in, as the client thinks.
func (v *visit) wanted() string { return strings.TrimPrefix(v.hint, "mxid:") }

// submit takes what a form sent.
func (v *visit) submit() error {
	if !v.formIsOurs() {
		return v.show(web.Wrong{Text: "again"})
	}
	switch v.did = v.typed("do"); v.did {
	case "cancel":
		return v.errand.cancelled()
	case "sign out":
		return v.signOut()
	case "create":
		return v.passwordShown(v.createAccount())
	case "second":
		return v.second()
	case "passkey":
		return v.showPasskey()
	case "sign in":
		return v.passwordShown(v.checkPassword(v.typed("user"), v.typed("password")))
	}
	if v.account == nil {
		return v.signInPage(web.Wrong{Text: "signInAgain"}) // the time of the browser was over, or it was signed out
	}
	if v.typed("account") != v.account.Localpart {
		// Somebody else has signed in, beside the page that is sent here: they have not seen it.
		v.did, v.why = "", web.Wrong{Text: "otherAccount", Values: []any{v.userID(*v.account)}}
	}
	return v.enter(*v.account, v.did == "allow")
}

// checkPassword is [handlers.Server.CheckPassword] for the pages, on which somebody goes on who has to have a second
// factor and has none. See enter. Who is signed in and signs in again is counted apart from strangers.
func (v *visit) checkPassword(user, password string) (account db.User, err error) {
	if v.account != nil && handlers.Spelled(user, v.server.ServerName) == v.account.Localpart {
		account, err = v.server.CheckProof(v.ctx, *v.account, password, v.browser.ID)
	} else {
		account, err = v.server.CheckPassword(v.ctx, user, password, v.errand.ask().Device)
	}
	if errors.Is(err, db.ErrSecondFactor) && !account.SecondFactor {
		err = nil
	}
	return account, err
}

// passwordShown goes on with who has just shown a password, or made an account.
func (v *visit) passwordShown(account db.User, err error) error {
	if errors.Is(err, db.ErrSecondFactor) {
		return v.secondPage(account, web.Wrong{})
	}
	account.SecondFactor = false // one that was added meanwhile was not shown
	return v.signedIn(account, err)
}

// signedIn goes on with who has just shown all that the account asks for.
func (v *visit) signedIn(account db.User, err error) error {
	if err == nil && !account.Locked.IsZero() {
		err = db.ErrLocked
	}
	if err == nil {
		err = v.keep(account, false)
	}
	if errors.Is(err, db.ErrConflict) { // the account was changed while its password was compared
		return v.signInPage(web.Wrong{Text: "signInAgain"})
	}
	if err != nil {
		return v.refuse(err)
	}
	v.account = &account
	if v.errand.ask().Client.Name == "" {
		// Nobody asks. By an address, so that the page can be loaded again.
		return v.leave(cmp.Or(v.onward, v.address()))
	}
	return v.enter(account, true)
}

// enter goes on with what they have come for. An account that has to have a second factor, and has none, is let in only
// as far as that is set up.
func (v *visit) enter(account db.User, agreed bool) error {
	own, is := v.errand.(accountPages)
	if v.server.SecondFactor.Lacks(account) && !(is && own.setsUp()) {
		return accountPages{v}.setUpFirst(account)
	}
	return v.errand.enter(account, agreed)
}

// typed is a field of the form.
func (v *visit) typed(field string) string { return v.r.PostForm.Get(field) }

// refuse shows the form again and says what was wrong; nothing that was typed is lost but the password.
func (v *visit) refuse(err error) error {
	e := handlers.AsError(err)
	switch {
	case e.Status >= http.StatusInternalServerError:
		return err
	case e.Code == "M_LIMIT_EXCEEDED":
		return v.show(tooMany(e))
	case e.Code == "M_USER_LOCKED":
		return v.show(web.Wrong{Text: "locked"})
	case e.Code == "M_USER_DEACTIVATED":
		return v.show(web.Wrong{Text: "deactivated"})
	case e.Code == handlers.AwaitingApproval:
		return v.waitsPage(e.Mailed)
	case v.did == "create":
		return v.show(notMade(e))
	}
	return v.show(web.Wrong{Text: "wrongPassword"})
}

func tooMany(e *handlers.Error) web.Wrong {
	return web.Wrong{Text: "slowDown", Values: []any{int(e.RetryAfter.Seconds()) + 1}}
}

// show gives the form that was sent.
func (v *visit) show(wrong web.Wrong) error {
	switch do := v.typed("do"); {
	case do == "create":
		return v.createPage(wrong)
	case do != "sign in" && v.account != nil:
		v.why = wrong
		return v.enter(*v.account, false)
	}
	return v.signInPage(wrong)
}

func (v *visit) signInPage(wrong web.Wrong) error {
	page := web.SignIn{Ask: v.errand.ask(), Server: v.server.ServerName, Wrong: wrong, User: v.typed("user")}
	if page.User == "" {
		page.User = v.wanted()
	}
	if v.server.Registration != handlers.RegistrationClosed {
		page.Create = v.toCreate()
	}
	return v.renderSignIn(page)
}

// renderSignIn answers with a page to sign in, by a password or a passkey.
func (v *visit) renderSignIn(page web.SignIn) (err error) {
	page.Form, page.Recover = v.formProof(), v.toRecover()
	if page.Passkey, err = v.askAlone(page.Form); err != nil {
		return err
	}
	return v.render(status(page.Wrong), page)
}

func (v *visit) consentPage(account db.User) error {
	return v.render(http.StatusOK, web.Consent{Ask: v.errand.ask(), UserID: v.userID(account),
		Account: account.Localpart, Form: v.formProof()})
}

func (v *visit) userID(account db.User) string {
	return string(handlers.NewUserID(account.Localpart, v.server.ServerName))
}

// status is 403 for a form that comes back, so that a log can tell.
func status(wrong web.Wrong) int {
	if wrong.Text != "" {
		return http.StatusForbidden
	}
	return http.StatusOK
}

// asks is a client as a person sees it.
func asks(c *protocol.Client) web.Client {
	return web.Client{Name: c.DisplayName(), Host: c.Host(), Terms: c.TermsURI, Policy: c.PolicyURI}
}

// pageAt is the address of a page with parameters, in pairs. One without a value is left out.
func pageAt(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// with is this page's address with another prompt.
func (v *visit) with(prompt string) string {
	q := v.r.URL.Query()
	if q.Del("prompt"); prompt != "" {
		q.Set("prompt", prompt)
	}
	return v.path + "?" + q.Encode()
}

// again sends the browser to this page's own address.
func (v *visit) again() error { return v.leave(v.address()) }

func (v *visit) address() string { return v.path + "?" + v.r.URL.RawQuery }

// leave sends the browser elsewhere.
func (v *visit) leave(to string) error {
	h := v.w.Header()
	h.Set("Location", to)
	h.Set("Referrer-Policy", "no-referrer")
	v.w.WriteHeader(http.StatusSeeOther) // so that the browser does not send the password on
	return nil
}

func (v *visit) away(err error) {
	if v.ctx.Err() == nil {
		v.server.Log.Error("a page could not be answered", "route", v.path, "error", err)
	}
	v.w.Header().Set("Retry-After", "5")
	_ = v.render(http.StatusServiceUnavailable, web.Failure{Text: "away"})
}

// render answers with a page. That the browser does not want it any more is no error of the server's.
func (v *visit) render(status int, page web.Page) error {
	var to []string
	if v.errand != nil {
		to = v.errand.to()
	}
	if v.why.Text != "" && status == http.StatusOK {
		status = http.StatusForbidden
	}
	if err := web.Render(v.w, v.r, status, page, v.why, to...); err != nil {
		v.server.Log.Debug("a page could not be written", "error", err)
	}
	return nil
}

// scheme is how a policy names where a redirect URI leads. Its host would be too narrow: browsers hold what that
// redirects to against the policy as well, and know no IPv6 address there.
func scheme(uri string) string {
	name, _, _ := strings.Cut(uri, ":")
	return strings.ToLower(name) + ":"
}
