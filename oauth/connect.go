package oauth

import (
	"errors"
	"net/http"

	"postern/db"
	"postern/handlers"
	"postern/oauth/protocol"
	"postern/web"
)

// connection is the errand of somebody who connects a device by the code that it shows. The code is always shown before
// they agree, if they came by a link too: who was sent here with another's code may notice. RFC 8628, sections 3.3.1
// and 5.4.
type connection struct {
	*visit
	device *deviceRequest // once it is found
	asker  *protocol.Client
}

func (v *visit) forDevice() (errand, error) { return &connection{visit: v}, nil }

func (e *connection) to() []string { return nil }

func (e *connection) ask() web.Ask {
	if e.device == nil {
		return web.Ask{}
	}
	return web.Ask{Client: asks(e.asker), Device: e.device.Code.DeviceID, Code: e.device.Code.UserCode.String(),
		From: e.device.Addr}
}

// enter asks for the code, and then whether the device may be let in.
func (e *connection) enter(account db.User, agreed bool) error {
	if e.did != "continue" && e.did != "allow" {
		return e.codePage(account, e.r.URL.Query().Get("code"), web.Wrong{})
	}
	if wrong, err := e.find(&account); err != nil || wrong.Text != "" {
		return e.orCodePage(account, wrong, err)
	}
	if !agreed {
		return e.consentPage(account)
	}
	if err := e.keepClient(e.ctx, e.asker); err != nil { // until the device has its tokens
		return err
	}
	err := e.decideDevice(e.ctx, e.device, &account)
	return e.decided(account, err, web.Done{Text: "deviceLetIn", Then: "backToDevice"})
}

// cancelled refuses the device, if its code was typed.
func (e *connection) cancelled() error {
	if e.account == nil || e.typed("code") == "" {
		return e.leave(handlers.DevicePath)
	}
	if wrong, err := e.find(e.account); err != nil || wrong.Text != "" {
		return e.orCodePage(*e.account, wrong, err)
	}
	err := e.decideDevice(e.ctx, e.device, nil)
	return e.decided(*e.account, err, web.Done{Text: "deviceRefused", Then: "backToDevice"})
}

// find finds the device of the code that was typed, or says what is wrong.
func (e *connection) find(account *db.User) (web.Wrong, error) {
	device, err := e.findDevice(e.ctx, account, e.typed("code"))
	switch {
	case errors.Is(err, errNoDevice):
		return web.Wrong{Text: "wrongCode"}, nil
	case err != nil && handlers.IsStatus(err, http.StatusTooManyRequests):
		return tooMany(handlers.AsError(err)), nil
	case err != nil:
		return web.Wrong{}, err
	}
	client, err := e.client(e.ctx, device.Code.ClientID)
	if err != nil || client == nil {
		return web.Wrong{Text: "wrongCode"}, err
	}
	e.device, e.asker = device, client
	return web.Wrong{}, nil
}

func (e *connection) orCodePage(account db.User, wrong web.Wrong, err error) error {
	if err != nil {
		return err
	}
	return e.codePage(account, e.typed("code"), wrong)
}

func (e *connection) decided(account db.User, err error, page web.Done) error {
	switch {
	case errors.Is(err, errNoDevice):
		return e.codePage(account, e.typed("code"), web.Wrong{Text: "wrongCode"})
	case err != nil:
		return err
	}
	return e.render(http.StatusOK, page)
}

func (e *connection) codePage(account db.User, code string, wrong web.Wrong) error {
	return e.render(status(wrong), web.EnterCode{UserID: e.userID(account), Account: account.Localpart, Code: code,
		Wrong: wrong, Form: e.formProof()})
}
