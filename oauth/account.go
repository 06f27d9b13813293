package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
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

// accountPages is the errand of somebody who looks at their own account.
type accountPages struct{ *visit }

func (v *visit) forAccount() (errand, error) { return accountPages{v}, nil }

func (accountPages) ask() web.Ask       { return web.Ask{} }
func (accountPages) to() []string       { return nil }
func (e accountPages) cancelled() error { return e.leave(handlers.AccountPath) }

// enter shows the page of an action, or does what its form says. An action that is not known leads to the account.
func (e accountPages) enter(account db.User, _ bool) error {
	switch action := e.r.URL.Query().Get("action"); {
	case slices.Contains([]string{actionDevice, actionEndDevice, actionSession, actionEndSession}, action):
		return e.device(account)
	case action == actionDeactivate:
		return e.confirmed(account, "deactivate", true, e.deactivate)
	case action == actionReset && e.server.AllowKeyReset != nil:
		return e.confirmed(account, "reset", !e.proven(), e.reset)
	case action == actionReset:
		return e.render(http.StatusNotFound, web.Failure{Text: "notOffered"})
	}
	return e.overview(account)
}

// action is the address of an action's page.
func action(name, device string) string {
	q := url.Values{"action": {name}}
	if device != "" {
		q.Set("device_id", device)
	}
	return handlers.AccountPath + "?" + q.Encode()
}

func (e accountPages) overview(account db.User) error {
	sessions, err := e.server.DB.Sessions(e.ctx, account.Localpart)
	if err != nil {
		return err
	}
	browsers, err := e.server.DB.Browsers(e.ctx, account.Localpart)
	if err != nil {
		return err
	}
	page := web.Account{UserID: e.userID(account), Form: e.formProof(),
		Close: action(actionDeactivate, "")}
	if e.server.AllowKeyReset != nil {
		page.Reset = action(actionReset, "")
	}
	for _, s := range sessions {
		device, err := e.deviceOf(s)
		if err != nil {
			return err
		}
		page.Devices = append(page.Devices, device)
	}
	for _, b := range browsers {
		if e.server.Now().Before(b.Expires) {
			page.Browsers = append(page.Browsers, web.Browser{From: b.Since.Addr, Agent: b.Since.Agent,
				Since: b.Since.At, This: b.ID == e.browser.ID})
		}
	}
	return e.render(http.StatusOK, page)
}

// deviceOf is a session as its owner sees it.
func (e accountPages) deviceOf(s db.Session) (web.Device, error) {
	d := web.Device{ID: s.DeviceID, Name: s.DisplayName, From: s.Seen.Addr, Agent: s.Seen.Agent, Used: s.Seen.At,
		Ended: s.State != db.Live, View: action(actionDevice, s.DeviceID)}
	if s.ClientID == "" {
		return d, nil
	}
	client, _, err := e.registered(e.ctx, s.ClientID)
	if err == nil && client != nil && client.DisplayName() != d.Name {
		d.App = client.DisplayName()
	}
	return d, err
}

// device shows one, and signs it out.
func (e accountPages) device(account db.User) error {
	id := e.r.URL.Query().Get("device_id")
	session, err := e.server.DB.Device(e.ctx, account.Localpart, id)
	if errors.Is(err, db.ErrNotFound) {
		return e.render(http.StatusNotFound, web.Done{Text: "noDevice", Then: "noDeviceThen",
			Back: handlers.AccountPath})
	}
	if err != nil {
		return err
	}
	wrong := web.Wrong{}
	if e.did == "end" {
		if wrong, err = e.proof(account, !e.proven()); err != nil {
			return err
		}
		if wrong.Text == "" {
			err := e.server.DB.EndSession(e.ctx, session.ID)
			if err != nil && !errors.Is(err, db.ErrNotFound) {
				return err
			}
			return e.render(http.StatusOK, web.Done{Text: "deviceEnded", Then: "backToAccount",
				Back: handlers.AccountPath})
		}
	}
	device, err := e.deviceOf(session)
	if err != nil {
		return err
	}
	return e.render(status(wrong), web.DeviceDetails{UserID: e.userID(account), Device: device,
		Deed: e.deed(account, wrong, !e.proven())})
}

func (e accountPages) deed(account db.User, wrong web.Wrong, prove bool) web.Deed {
	return web.Deed{Account: account.Localpart, Prove: prove, Wrong: wrong, Form: e.formProof(),
		Back: handlers.AccountPath}
}

// proof says what is wrong with the password, if one has to be shown. Whoever has stolen an open browser has none.
func (e accountPages) proof(account db.User, needed bool) (web.Wrong, error) {
	if !needed {
		return web.Wrong{}, nil
	}
	_, err := e.server.CheckPassword(e.ctx, e.userID(account), e.typed("password"), "")
	if err == nil {
		return web.Wrong{}, e.server.DB.NoteProof(e.ctx, e.browser.ID, e.server.Now())
	}
	problem := handlers.AsError(err)
	switch {
	case problem.Status >= http.StatusInternalServerError:
		return web.Wrong{}, err
	case problem.Code == "M_LIMIT_EXCEEDED":
		return tooMany(problem), nil
	}
	return web.Wrong{Text: "wrongProof"}, nil
}

// confirmed asks whether they mean it, and then does it.
func (e accountPages) confirmed(account db.User, what string, prove bool, do func(db.User) error) error {
	wrong := web.Wrong{}
	if e.did == what {
		var err error
		if wrong, err = e.proof(account, prove); err != nil {
			return err
		}
		if wrong.Text == "" {
			return do(account)
		}
	}
	return e.render(status(wrong),
		web.Confirm{UserID: e.userID(account), What: what, Deed: e.deed(account, wrong, prove)})
}

func (e accountPages) deactivate(account db.User) error {
	if _, err := e.server.DB.Deactivate(e.ctx, account.Localpart, e.server.Now(), false); err != nil {
		return err
	}
	e.setCookie(browserCookie, "", -time.Second)
	return e.render(http.StatusOK, web.Done{Text: "deactivatedNow", Then: "closePage"})
}

func (e accountPages) reset(account db.User) error {
	if err := e.server.AllowKeyReset(e.ctx, account.Localpart); err != nil {
		return err
	}
	return e.render(http.StatusOK, web.Done{Text: "resetAllowed", Then: "backToApp"})
}
