package oauth

import (
	"errors"
	"net/http"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// The actions of a client that leads its user to the account page. Client-Server API v1.19, "Account management". The
// last three are the names that they had before they were in the specification.
const (
	actionProfile    = "org.matrix.profile"
	actionDevices    = "org.matrix.devices_list"
	actionDevice     = "org.matrix.device_view"
	actionEndDevice  = "org.matrix.device_delete"
	actionDeactivate = "org.matrix.account_deactivate"
	actionReset      = "org.matrix.cross_signing_reset"

	actionSessions   = "org.matrix.sessions_list"
	actionSession    = "org.matrix.session_view"
	actionEndSession = "org.matrix.session_end"
)

// actions are those that are served.
func (a *API) actions() []string {
	list := []string{actionProfile, actionDevices, actionDevice, actionEndDevice, actionDeactivate, actionSessions,
		actionSession, actionEndSession}
	if a.server.AllowKeyReset != nil {
		list = append(list, actionReset)
	}
	return list
}

// Actions of our own: the parts of the account page, each with an address that its forms lead to.
const (
	actionPassword = "password"
	actionPasskeys = "passkeys"
	actionCodes    = "codes"    // one-time codes
	actionRecovery = "recovery" // recovery codes
	actionTokens   = "tokens"   // tokens for bots
	actionEvents   = "events"
	actionOthers   = "others"  // sign out all others
	actionBrowser  = "browser" // a browser that is signed in
)

// accountActions show the page of an action, or do what its form says.
var accountActions = map[string]func(accountPages, db.User) error{
	actionDevice:     accountPages.device,
	actionEndDevice:  accountPages.device,
	actionSession:    accountPages.device,
	actionEndSession: accountPages.device,
	actionDeactivate: accountPages.deactivate,
	actionOthers:     accountPages.others,
	actionBrowser:    accountPages.oneBrowser,
	actionEvents:     accountPages.history,
	actionReset:      accountPages.reset,
	actionPassword:   accountPages.password,
	actionPasskeys:   accountPages.passkeys,
	actionCodes:      accountPages.codes,
	actionRecovery:   accountPages.recovery,
	actionTokens:     accountPages.bots,
	actionEmails:     accountPages.emails,
}

// accountParts fill the parts of the account page.
var accountParts = []func(accountPages, owned, *web.Account) error{
	accountPages.notices,
	accountPages.devices,
	accountPages.browsers,
	accountPages.passwordPart,
	accountPages.emailsPart,
	accountPages.passkeysPart,
	accountPages.codesPart,
	accountPages.recoveryPart,
	accountPages.botList,
	accountPages.events,
}

// owned is what an account has, read once for all the parts that show of it.
type owned struct {
	account  db.User
	sessions []db.Session
	devices  map[string]web.Device // of the sessions, by id
	factors  []db.Factor
}

func (e accountPages) owned(account db.User) (o owned, err error) {
	o.account = account
	if o.sessions, err = e.server.DB.Sessions(e.ctx, account.Localpart); err != nil {
		return o, err
	}
	if o.devices, err = e.devicesOf(o.sessions); err != nil {
		return o, err
	}
	o.factors, err = e.server.DB.Factors(e.ctx, account.Localpart)
	return o, err
}

// accountPages is the errand of somebody who looks at their own account.
type accountPages struct{ *visit }

func (v *visit) forAccount() (errand, error) {
	e := accountPages{v}
	if link := v.r.URL.Query().Get(handlers.LinkParam); link != "" {
		if answered, err := e.showWaiting(link); answered || err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (accountPages) ask() web.Ask       { return web.Ask{} }
func (accountPages) to() []string       { return nil }
func (e accountPages) cancelled() error { return e.leave(handlers.AccountPath) }

// enter shows the page of an action, or does what its form says. An action that is not known leads to the account.
func (e accountPages) enter(account db.User, _ bool) error {
	if do, known := accountActions[e.r.URL.Query().Get("action")]; known {
		return do(e, account)
	}
	return e.overview(account)
}

// action is the address of an action's page.
func action(name, device string) string {
	return pageAt(handlers.AccountPath, "action", name, "device_id", device)
}

func (e accountPages) overview(account db.User) error {
	if e.server.SecondFactor.Lacks(account) {
		return e.setUpFirst(account)
	}
	page := web.Account{UserID: e.userID(account), Account: account.Localpart, Form: e.formProof(),
		Close: action(actionDeactivate, "")}
	if e.server.AllowKeyReset != nil {
		page.Reset = action(actionReset, "")
	}
	if account.Admin {
		page.Desk = handlers.DeskPath
	}
	has, err := e.owned(account)
	if err != nil {
		return err
	}
	for _, fill := range accountParts {
		if err := fill(e, has, &page); err != nil {
			return err
		}
	}
	return e.render(http.StatusOK, page)
}

func (e accountPages) deed(account db.User, wrong web.Wrong, prove bool) web.Deed {
	return web.Deed{Account: account.Localpart, Prove: prove && !e.mustSignIn(account), Wrong: wrong,
		Form: e.formProof(), Back: e.next()}
}

// proof says what is wrong with the password, if one has to be shown. Whoever has stolen an open browser has none. It
// does not stand for the second factor of an account that has one; see mustSignIn.
func (e accountPages) proof(account db.User, needed bool) (web.Wrong, error) {
	if !needed {
		return web.Wrong{}, nil
	}
	_, err := e.server.CheckProof(e.ctx, account, e.typed("password"), e.browser.ID)
	switch {
	case errors.Is(err, db.ErrSecondFactor) && account.SecondFactor:
		return web.Wrong{}, nil
	case err == nil, errors.Is(err, db.ErrSecondFactor): // one that it has to have, and has not yet
		return web.Wrong{}, e.server.DB.NoteProof(e.ctx, e.browser.ID, e.server.Now())
	}
	return wrongOr(err, web.Wrong{Text: "wrongProof"})
}

// wrongOr is what to say of a refusal: that there were too many attempts, or else what is wrong. What is no refusal
// stays an error.
func wrongOr(err error, wrong web.Wrong) (web.Wrong, error) {
	problem := handlers.AsError(err)
	switch {
	case problem.Status >= http.StatusInternalServerError:
		return web.Wrong{}, err
	case problem.Code == "M_LIMIT_EXCEEDED":
		return tooMany(problem), nil
	}
	return wrong, nil
}

// act does what a button of the page is for, if that was pressed and the proof is there. It says whether it has
// answered or, if the page is to be shown again, what is wrong with the proof.
func (e accountPages) act(account db.User, what string, prove bool, do func(db.User) error) (answered bool,
	wrong web.Wrong, err error) {
	switch {
	case e.did != what:
		return false, web.Wrong{}, nil
	case prove && e.mustSignIn(account):
		return true, web.Wrong{}, e.signInAgain(account)
	}
	if wrong, err = e.proof(account, prove); err != nil || wrong.Text != "" {
		return false, wrong, err
	}
	return true, web.Wrong{}, do(account)
}

// sure reports whether the owner of the account has shown lately that it is theirs. If not, it has asked for that, by a
// page that sends the same form with the proof.
func (e accountPages) sure(account db.User, ask web.Prove) (bool, error) {
	switch {
	case e.mustSignIn(account):
		return false, e.signInAgain(account)
	case e.proven():
		return true, nil
	}
	wrong := web.Wrong{}
	if e.r.PostForm.Has("password") {
		var err error
		if wrong, err = e.proof(account, true); err != nil || wrong.Text == "" {
			return err == nil, err
		}
	}
	ask.UserID, ask.Deed = e.userID(account), e.deed(account, wrong, true)
	return false, e.render(status(wrong), ask)
}

// meant is sure, once a page has said what is about to happen and they have sent its form.
func (e accountPages) meant(account db.User, ask web.Prove) (bool, error) {
	if e.mustSignIn(account) || e.r.PostForm.Has("meant") {
		return e.sure(account, ask)
	}
	ask.UserID, ask.Deed = e.userID(account), e.deed(account, web.Wrong{}, !e.proven())
	return false, e.render(http.StatusOK, ask)
}

// confirmed asks whether they mean it, and then does it.
func (e accountPages) confirmed(account db.User, what string, prove bool, do func(db.User) error) error {
	if e.mustSignIn(account) {
		return e.signInAgain(account)
	}
	answered, wrong, err := e.act(account, what, prove, do)
	if answered || err != nil {
		return err
	}
	return e.render(status(wrong),
		web.Confirm{UserID: e.userID(account), What: what, Deed: e.deed(account, wrong, prove)})
}

// deactivate closes the account. The password has to be typed for that in any case.
func (e accountPages) deactivate(account db.User) error {
	return e.confirmed(account, "deactivate", true, e.deactivated)
}

func (e accountPages) deactivated(account db.User) error {
	if _, err := e.server.DB.Deactivate(e.ctx, account.Localpart, e.server.Now(), false); err != nil {
		return err
	}
	e.setCookie(browserCookie, "", -time.Second)
	return e.render(http.StatusOK, web.Done{Text: "deactivatedNow", Then: "closePage"})
}

// reset lets an app of the account replace its cryptographic identity.
func (e accountPages) reset(account db.User) error {
	if e.server.AllowKeyReset == nil {
		return e.render(http.StatusNotFound, web.Failure{Text: "notOffered"})
	}
	return e.confirmed(account, "reset", !e.proven(), e.resetAllowed)
}

func (e accountPages) resetAllowed(account db.User) error {
	if err := e.server.AllowKeyReset(e.ctx, account.Localpart); err != nil {
		return err
	}
	return e.render(http.StatusOK, web.Done{Text: "resetAllowed", Then: "backToApp"})
}
