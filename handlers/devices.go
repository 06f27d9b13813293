package handlers

import (
	"context"
	"errors"
	"net/http"

	"postern/db"
	"postern/gen"
)

// The device operations. Client-Server API v1.19, "Device management". A device is a session's row; another user's
// is as unknown as one that does not exist.

// GetDevices implements GET /devices.
func (s *Server) GetDevices(ctx context.Context, _ gen.GetDevicesRequestObject) (gen.GetDevicesResponseObject, error) {
	sessions, err := s.DB.Sessions(ctx, CallerOf(ctx).Session.Localpart)
	if err != nil {
		return nil, err
	}
	devices := make([]gen.Device, len(sessions))
	for i, session := range sessions {
		devices[i] = device(session)
	}
	return gen.GetDevices200JSONResponse{Devices: &devices}, nil
}

// GetDevice implements GET /devices/{deviceId}.
func (s *Server) GetDevice(ctx context.Context, request gen.GetDeviceRequestObject) (gen.GetDeviceResponseObject,
	error) {
	session, err := s.DB.Device(ctx, CallerOf(ctx).Session.Localpart, request.DeviceID)
	if err != nil {
		return nil, noDevice(err)
	}
	return gen.GetDevice200JSONResponse(device(session)), nil
}

// UpdateDevice implements PUT /devices/{deviceId}. Without a name it changes nothing, but the device must be there.
func (s *Server) UpdateDevice(ctx context.Context,
	request gen.UpdateDeviceRequestObject) (gen.UpdateDeviceResponseObject, error) {
	user := CallerOf(ctx).Session.Localpart
	var err error
	if name := request.Body.DisplayName; name != nil {
		err = s.DB.RenameDevice(ctx, user, request.DeviceID, *name)
	} else {
		_, err = s.DB.Device(ctx, user, request.DeviceID)
	}
	if err != nil {
		return nil, noDevice(err)
	}
	return gen.UpdateDevice200JSONResponse{}, nil
}

// DeleteDevice implements DELETE /devices/{deviceId}.
func (s *Server) DeleteDevice(ctx context.Context,
	request gen.DeleteDeviceRequestObject) (gen.DeleteDeviceResponseObject, error) {
	var auth *gen.AuthData
	if request.Body != nil {
		auth = request.Body.Auth
	}
	if !db.Stores(request.DeviceID) {
		return nil, badRequest("M_INVALID_PARAM", "No device has such an id.")
	}
	err := s.byPassword(ctx, Sensitive{
		Method: http.MethodDelete, Path: "devices/" + request.DeviceID, Deed: deleting(request.DeviceID),
	}, auth)
	if err != nil {
		return nil, err
	}
	if _, err := s.DB.EndDevices(ctx, CallerOf(ctx).Session.Localpart, []string{request.DeviceID}); err != nil {
		return nil, err
	}
	return gen.DeleteDevice200JSONResponse{}, nil
}

// DeleteDevices implements POST /delete_devices.
func (s *Server) DeleteDevices(ctx context.Context,
	request gen.DeleteDevicesRequestObject) (gen.DeleteDevicesResponseObject, error) {
	ids := request.Body.Devices
	err := s.byPassword(ctx, Sensitive{
		Method: http.MethodPost, Path: "delete_devices", Body: ids, Deed: deleting(ids...),
	}, request.Body.Auth)
	if err != nil {
		return nil, err
	}
	if _, err := s.DB.EndDevices(ctx, CallerOf(ctx).Session.Localpart, ids); err != nil {
		return nil, err
	}
	return gen.DeleteDevices200JSONResponse{}, nil
}

func deleting(ids ...string) Deed {
	if len(ids) != 1 {
		return Deed{Text: "deedDevices", Words: "Devices are logged out and deleted.", Ends: ids}
	}
	return Deed{Text: "deedDevice", Words: "A device is logged out and deleted.", Ends: ids}
}

// device is a session as its user sees it. What is not known is null: see the contract.
func device(session db.Session) gen.Device {
	d := gen.Device{DeviceID: session.DeviceID, DisplayName: optional(session.DisplayName),
		LastSeenIP: optional(session.Seen.Addr)}
	if at := session.Seen.At; !at.IsZero() {
		ms := at.UnixMilli()
		d.LastSeenTS = &ms
	}
	return d
}

func noDevice(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return notFound("You have no such device.")
	}
	return err
}
