package oauth

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"postern/db"
	"postern/handlers"
	"postern/oauth/protocol"
	"postern/web"
)

// authorization is the errand of a client that wants an authorization code, at /oauth2/authorize. Client-Server API
// v1.19, "Authorization code grant".
type authorization struct {
	*visit
	request *protocol.Authorization
	client  *protocol.Client
}

// forClient reads the request of a client.
func (v *visit) forClient() (errand, error) {
	e := &authorization{visit: v}
	request, err := protocol.ParseAuthorization(v.r.URL.Query(), func(id string) (*protocol.Client, error) {
		client, err := v.client(v.ctx, id)
		e.client = client
		return client, err
	})
	e.request = request
	var nowhere *protocol.Misdirected
	var refused *protocol.Error
	switch {
	case errors.As(err, &nowhere):
		return nil, v.render(http.StatusBadRequest, web.Failure{Text: "misdirected", Detail: nowhere.Error()})
	case errors.As(err, &refused):
		// Not by itself: anybody may register a client, and would send people to a page of theirs by way of this one
		// (RFC 9700, section 4.11.2).
		return nil, v.render(http.StatusBadRequest, web.Failure{Text: "refusedRequest", Detail: refused.Error(),
			App: e.client.Host(), Back: request.Answer(v.issuer(), "", refused)})
	case err != nil:
		return nil, err
	}
	v.hint = request.LoginHint
	v.create = request.Create && v.server.Registration != handlers.RegistrationClosed
	return e, nil
}

func (e *authorization) ask() web.Ask {
	return web.Ask{Client: asks(e.client), Device: e.request.Scope.DeviceID}
}

func (e *authorization) to() []string { return []string{scheme(e.request.RedirectURI)} }

// enter sends the client a code, once the account's owner agrees.
func (e *authorization) enter(account db.User, agreed bool) error {
	if agreed {
		if err := e.keepClient(e.ctx, e.client); err != nil { // until the code is redeemed
			return err
		}
	} else if known, err := e.agreedBefore(account); err != nil {
		return err
	} else if !known {
		return e.consentPage(account)
	}
	code, sealed, err := e.sealCode(fromBrowser, codeLife, newCode(e.request, e.client, account))
	if err == nil && e.ofAPage() {
		err = e.server.DB.NoteLetIn(e.ctx, e.browser.ID, sealed.session())
	}
	if err != nil {
		return err
	}
	return e.leave(e.request.Answer(e.issuer(), code, nil))
}

// agreedBefore reports whether the account has let this client in on this device, so that nobody need be asked again:
// its session there says so. A client that wants them asked gets that. A native client is asked about each time, since
// any app of the device can claim its address (RFC 8252, section 8.6).
func (e *authorization) agreedBefore(account db.User) (bool, error) {
	if !e.ofAPage() {
		return false, nil
	}
	if e.r.Method == http.MethodPost || slices.Contains(strings.Fields(e.r.URL.Query().Get("prompt")), "consent") {
		return false, nil
	}
	session, err := e.server.DB.Device(e.ctx, account.Localpart, e.request.Scope.DeviceID)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil && session.ClientID == e.request.ClientID, err
}

// ofAPage reports whether the client is a page, which is in this very browser.
func (e *authorization) ofAPage() bool { return strings.HasPrefix(e.request.RedirectURI, "https:") }

func (e *authorization) cancelled() error {
	return e.leave(e.request.Answer(e.issuer(), "",
		&protocol.Error{Code: protocol.AccessDenied, Description: "the person did not agree"}))
}
