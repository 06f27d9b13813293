package oauth

import (
	"errors"
	"net/http"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// devices fills the part of the account page that lists the sessions, of whichever API.
func (e accountPages) devices(account db.User, page *web.Account) error {
	sessions, err := e.server.DB.Sessions(e.ctx, account.Localpart)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		if s.Bot {
			continue // see botList
		}
		device, err := e.deviceOf(s)
		if err != nil {
			return err
		}
		page.Devices = append(page.Devices, device)
	}
	return nil
}

// browsers fills the part of the account page that lists where its owner has signed in on the pages.
func (e accountPages) browsers(account db.User, page *web.Account) error {
	browsers, err := e.server.DB.Browsers(e.ctx, account.Localpart)
	if err != nil {
		return err
	}
	for _, b := range browsers {
		if e.server.Now().Before(b.Expires) {
			page.Browsers = append(page.Browsers, web.Browser{From: b.Since.Addr, Agent: b.Since.Agent,
				Since: b.Since.At, This: b.ID == e.browser.ID})
		}
	}
	return nil
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
		if e.mustSignIn(account) {
			return e.signInAgain(account)
		}
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
