package adminapi

import (
	"context"
	"errors"

	"postern/db"
	"postern/homeserver/amend"
)

// What Synapse has done to a user or a device is done here before the administrator is answered. The administrator
// hears of an error here, and may ask again: Synapse says the same. Synapse, "User Admin API".

// followed has Synapse answer, and does here what that has done.
func (a *API) followed(r request, body amend.Object, do func(ctx context.Context) error) error {
	answer, err := amend.Ask(r.next, amend.WithBody(r.Context(), r.Request, body.Raw))
	if err != nil {
		return err
	}
	if answer.Status/100 == 2 {
		if err := do(context.WithoutCancel(r.Context())); err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		a.log(r)
	}
	answer.Forward(r.w)
	return nil
}

// deactivate is POST v1/deactivate/ID. A user whom Synapse was not told of yet it is told of first: else it would find
// nobody to deactivate.
func (a *API) deactivate(r request) error {
	body, err := r.object(true)
	if err != nil {
		return err
	}
	name, err := a.local(r.call.Args[0], "Can only deactivate local users")
	if err != nil {
		return err
	}
	erase := false
	_, err = read(body, "erase", &erase, badJSON("Param 'erase' must be a boolean, if given"))
	if err != nil {
		return err
	}
	account, known, err := a.account(r.Context(), name)
	if err == nil && known && account.Deactivated.IsZero() {
		err = a.provision(r.Context(), name)
	}
	if err != nil {
		return err
	}
	return a.followed(r, body, func(ctx context.Context) error {
		_, err := a.Queue.DB.Deactivate(ctx, name, a.Server.Now(), erase)
		return err
	})
}

// deleteDevice is DELETE v2/users/ID/devices/DEVICE.
func (a *API) deleteDevice(r request) error {
	body, err := r.object(true)
	if err != nil {
		return err
	}
	return a.devicesDeleted(r, body, r.call.Args[1])
}

// deleteDevices is POST v2/users/ID/delete_devices.
func (a *API) deleteDevices(r request) error {
	body, err := r.object(false)
	if err != nil {
		return err
	}
	var devices []string
	if _, err := read(body, "devices", &devices, badJSON("Param 'devices' must be a list of device ids")); err != nil {
		return err
	}
	return a.devicesDeleted(r, body, devices...)
}

// devicesDeleted logs the sessions out softly whose devices Synapse has deleted.
func (a *API) devicesDeleted(r request, body amend.Object, deviceIDs ...string) error {
	name, err := a.local(r.call.Args[0], "Can only lookup local users")
	if err != nil {
		return err
	}
	return a.followed(r, body, func(ctx context.Context) error {
		for _, id := range deviceIDs {
			session, err := a.Queue.DB.Device(ctx, name, id)
			if errors.Is(err, db.ErrNotFound) {
				continue
			}
			if err == nil {
				err = a.Queue.Forget(ctx, name, id)
			}
			if err == nil {
				err = a.DeviceGone(ctx, session)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// renameDevice is PUT v2/users/ID/devices/DEVICE.
func (a *API) renameDevice(r request) error {
	body, err := r.object(false)
	if err != nil {
		return err
	}
	name, err := a.local(r.call.Args[0], "Can only lookup local users")
	if err != nil {
		return err
	}
	var display string
	there, err := read(body, "display_name", &display, badJSON("Param 'display_name' must be a string"))
	if err != nil {
		return err
	}
	return a.followed(r, body, func(ctx context.Context) error {
		if !there {
			return nil
		}
		return a.Queue.DB.RenameDevice(ctx, name, r.call.Args[1], display)
	})
}

// changed does what Synapse has done by PUT v2/users/ID; nil: nothing.
func (a *API) changed(ctx context.Context, localpart string, deactivated, locked *bool) error {
	account, known, err := a.account(ctx, localpart)
	if err != nil || !known {
		return err
	}
	differs := func(wanted *bool, is bool) bool { return wanted != nil && *wanted != is }
	if is := !account.Deactivated.IsZero(); differs(deactivated, is) {
		if is {
			err = a.Queue.Reactivate(ctx, localpart)
		} else {
			_, err = a.Queue.DB.Deactivate(ctx, localpart, a.Server.Now(), false)
		}
	}
	if is := !account.Locked.IsZero(); err == nil && differs(locked, is) {
		if is {
			err = a.Queue.DB.UnlockUser(ctx, localpart)
		} else {
			err = a.Queue.DB.LockUser(ctx, localpart, a.Server.Now())
		}
	}
	return err
}
