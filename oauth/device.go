package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"time"

	"postern/db"
	"postern/gen"
	"postern/handlers"
	"postern/oauth/protocol"
)

// The device grant: a device shows a short code, its owner types that on the page in a browser of theirs and agrees,
// and the device, which polls, gets its pair. RFC 8628; Client-Server API v1.19, "Device authorization grant".

const (
	// DeviceAuthorizationPath is where a device asks.
	DeviceAuthorizationPath = "/oauth2/device_authorization"

	// deviceLife is how long somebody may take to get to a browser, sign in and type.
	deviceLife = 15 * time.Minute

	// maxDevices bounds what strangers make the database hold, at about 1 KiB each. When there are more the oldest
	// goes.
	maxDevices = 2000

	// deviceKind is their kind among the rows that wait.
	deviceKind = "device"
)

// deviceRequest is a device that waits for its owner: a sealed row, which any replica can go on with.
type deviceRequest struct {
	row db.Interaction

	ID       [handlers.SealedID]byte // of the device code
	Code     code                    // what it asks for and, once they have agreed, who agreed
	Since    time.Time
	Addr     string // where it asks from
	Agent    string
	Decision decision

	Every time.Duration // between two polls
	Next  time.Time     // when the next one may come
}

// decision is what the owner of an account has decided on a device.
type decision string

const (
	undecided decision = ""
	allowed   decision = "allowed"
	denied    decision = "denied"
)

// errNoDevice says that no device waits with a code: there never was one, its time is over, or somebody has decided.
var errNoDevice = errors.New("no device waits with this code")

// AuthorizeDevice implements POST /oauth2/device_authorization. RFC 8628, sections 3.1 and 3.2.
func (a *API) AuthorizeDevice(ctx context.Context, request gen.AuthorizeDeviceRequestObject) (
	gen.AuthorizeDeviceResponseObject, error) {
	if err := a.server.CountRegistration(ctx); err != nil {
		return nil, err
	}
	client, scope, err := a.deviceAsks(ctx, request.Body)
	if err != nil {
		return nil, err
	}
	user, err := protocol.NewUserCode(a.server.Random)
	if err != nil {
		return nil, err
	}
	text, c, err := a.sealCode(forDevice, deviceLife, code{ClientID: client.ID(), DeviceID: scope.DeviceID,
		Name: client.DisplayName(), UserCode: user})
	if err != nil {
		return nil, err
	}
	if err := a.addDevice(ctx, c); err != nil {
		return nil, err
	}
	page := a.base + handlers.DevicePath
	return gen.AuthorizeDevice200JSONResponse{
		DeviceCode: text, UserCode: user.String(), VerificationURI: page,
		VerificationURIComplete: page + "?" + url.Values{"code": {user.String()}}.Encode(),
		ExpiresIn:               int64(deviceLife / time.Second), Interval: int64(pollEvery / time.Second),
	}, nil
}

// deviceAsks holds a device's request against the rules.
func (a *API) deviceAsks(ctx context.Context, form *gen.DeviceAuthorizationRequest) (*protocol.Client, protocol.Scope,
	error) {
	if form.ClientID == "" {
		return nil, protocol.Scope{}, refused(protocol.InvalidRequest, "client_id is missing; send a form")
	}
	client, err := a.client(ctx, form.ClientID)
	switch {
	case err != nil:
		return nil, protocol.Scope{}, err
	case client == nil:
		return nil, protocol.Scope{}, refused(protocol.InvalidClient,
			"client_id: no client is registered under it; register, and ask again")
	case !client.May(protocol.GrantDevice):
		return nil, protocol.Scope{}, refused(protocol.UnauthorizedClient,
			"the client has not registered "+protocol.GrantDevice+" among its grant_types")
	}
	scope, wrong := protocol.ParseScope(form.Scope)
	if wrong != nil {
		return nil, scope, refusal(wrong)
	}
	return client, scope, nil
}

// addDevice keeps a device that begins to wait.
func (a *API) addDevice(ctx context.Context, c code) error {
	who := handlers.CallerOf(ctx)
	seen := who.Seen()
	d := deviceRequest{row: db.Interaction{Kind: deviceKind, ID: deviceRow(c.UserCode), Expires: c.expires, Version: 1},
		ID: c.id, Code: c, Since: who.Now, Addr: seen.Addr, Agent: seen.Agent, Every: pollEvery}
	if err := a.server.Sealer().Seal(&d.row, d); err != nil {
		return err
	}
	return a.server.DB.AddInteraction(ctx, d.row, c.expires.Add(-deviceLife), maxDevices)
}

// deviceRow is the id of a device's row: whoever types the code is led to it. Who reads the database could find the
// code by trial, and would know no more than who looks at the device.
func deviceRow(user protocol.UserCode) string {
	sum := sha256.Sum256([]byte("oauth device " + string(user)))
	return deviceKind + ":" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// device finds the device that waits, or waited, with a code; errNoDevice if there is none.
func (a *API) device(ctx context.Context, user protocol.UserCode) (*deviceRequest, error) {
	d := new(deviceRequest)
	var err error
	d.row, err = a.server.DB.Interaction(ctx, deviceRow(user))
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil, errNoDevice
	case err != nil:
		return nil, err
	case !a.server.Now().Before(d.row.Expires):
		return nil, errNoDevice
	}
	if !a.server.Sealer().Unseal(d.row, d, "a device that waits") {
		return nil, errNoDevice
	}
	return d, nil
}

// saveDevice keeps the present state of a device; [db.ErrConflict] if another request has done so since it was read.
func (a *API) saveDevice(ctx context.Context, d *deviceRequest) error {
	if err := a.server.Sealer().Seal(&d.row, d); err != nil {
		return err
	}
	return a.server.DB.SaveInteraction(ctx, d.row)
}
