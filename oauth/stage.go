package oauth

import (
	"net/http"
	"net/url"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// agreement is the errand of somebody whose app is about to do something for which it needs more than its access token:
// a stage of user-interactive authentication that is completed by signing in. Anybody may have sent its address, so its
// page says what is about to be done, and which device asks. Client-Server API v1.19, "Single Sign-On".
type agreement struct {
	*visit
	stage handlers.StageOnPage
}

func (v *visit) forStage() (errand, error) {
	stage, err := v.server.StageOnPage(v.ctx, v.r.URL.Query().Get("session"))
	if err != nil {
		return nil, v.orStageOver(err)
	}
	e := &agreement{v, stage}
	if stage.Done {
		return nil, e.back()
	}
	v.hint = string(handlers.NewUserID(stage.Localpart, v.server.ServerName))
	return e, nil
}

// orStageOver shows that the stage is over, if it is that.
func (v *visit) orStageOver(err error) error {
	if handlers.IsStatus(err, http.StatusNotFound) || handlers.IsStatus(err, http.StatusForbidden) {
		return v.render(http.StatusNotFound, web.Failure{Text: "stageOver"})
	}
	return err
}

// back leads to the page that tells the client, on the host by which that knows this server.
func (e *agreement) back() error {
	return e.leave("/_matrix/client/v3/auth/m.login.sso/fallback/web?" +
		url.Values{"session": {e.r.URL.Query().Get("session")}}.Encode())
}

// ask names no client, since nobody asks to be let in. The device that asks is one that the account has, so strangers
// who guess at its password do not keep its owner from signing in here.
func (e *agreement) ask() web.Ask { return web.Ask{Device: e.stage.Asks.DeviceID} }

func (e *agreement) to() []string { return nil }

func (e *agreement) cancelled() error {
	return e.render(http.StatusOK, web.Done{Text: "notAgreed", Then: "notAgreedThen", Back: handlers.AccountPath})
}

// enter completes the stage, if it is the account's owner who agrees, and has shown a moment ago that they are.
func (e *agreement) enter(account db.User, _ bool) error {
	switch {
	case account.Localpart != e.stage.Localpart:
		return e.signInPage(web.Wrong{Text: "agreeAs", Values: []any{e.hint}})
	case !e.proven():
		return e.signInAgain(account)
	case e.did != "confirm":
		return e.agreePage(account)
	}
	if err := e.stage.Complete(e.ctx, account); err != nil {
		return e.orStageOver(err)
	}
	return e.back()
}

func (e *agreement) agreePage(account db.User) error {
	page := web.Agree{UserID: e.userID(account), Account: account.Localpart, What: e.stage.Deed.Text,
		Form: e.formProof()}
	var err error
	if page.Asks, err = e.device(e.stage.Asks); err != nil {
		return err
	}
	for _, of := range e.stage.Ends {
		device, err := e.device(of)
		if err != nil {
			return err
		}
		page.Ends = append(page.Ends, device)
	}
	return e.render(http.StatusOK, page)
}

func (e *agreement) device(of db.Session) (web.Device, error) {
	if of.ID == "" {
		return web.Device{ID: shown(of.DeviceID), Gone: true}, nil
	}
	return accountPages{e.visit}.deviceOf(of)
}
