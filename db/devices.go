package db

import (
	"context"
	"errors"
)

// Device finds an account's session on a device, exactly as Session does; else ErrNotFound.
func (d *DB) Device(ctx context.Context, localpart, deviceID string) (Session, error) {
	for {
		id, err := one(ctx, d, sessionOnDevice, scanText, localpart, deviceID)
		if err != nil {
			return Session{}, err
		}
		if s, _, err := d.Session(ctx, id); !errors.Is(err, ErrNotFound) {
			return s, err
		}
		// It ended between the two reads. A login may have taken its place.
	}
}

// DeviceLives reports whether an account has a session on the device on which one began that has ended. The event of
// its login says which device that was.
func (d *DB) DeviceLives(ctx context.Context, localpart, sessionID string) (bool, error) {
	_, err := one(ctx, d, deviceOfEnded, scanText, localpart, sessionID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

const (
	deviceOfEnded = `SELECT sessions.id FROM events JOIN sessions
			ON sessions.localpart = events.localpart AND sessions.device_id = events.device_id
		WHERE events.localpart = $1 AND events.session_id = $2 AND events.kind = '` + EventLogin + `' LIMIT 1`

	sessionOnDevice = `SELECT id FROM sessions WHERE localpart = $1 AND device_id = $2`
	renameDevice    = `UPDATE sessions SET display_name = $3 WHERE localpart = $1 AND device_id = $2 RETURNING ` +
		sessionColumns
	endDevice = `DELETE FROM sessions WHERE localpart = $1 AND device_id = $2 RETURNING ` + endedColumns
)

// MaxDeviceName is how many characters the name of a device has at most: so many are known to have one at a homeserver
// (MAX_DEVICE_DISPLAY_NAME_LEN in Synapse), and a device is called the same there.
const MaxDeviceName = 100

// DeviceName is a device's name as it is kept.
func DeviceName(name string) string {
	name = Clip(name, len(name))
	if runes := []rune(name); len(runes) > MaxDeviceName {
		name = string(runes[:MaxDeviceName])
	}
	return name
}

// RenameDevice gives a device another display name (Client-Server API v1.19, "PUT /devices/{deviceId}"); ErrNotFound if
// the account has no such device.
func (d *DB) RenameDevice(ctx context.Context, localpart, deviceID, name string) error {
	return d.must(ctx, account(localpart), ErrNotFound, func(t *Tx) (bool, error) {
		_, found, err := t.session(renameDevice, localpart, deviceID, DeviceName(name))
		if err == nil && found {
			err = t.Follow(localpart, deviceID)
		}
		return found, err
	})
}

// EndDevice logs one device out; ErrNotFound if it has no session.
func (d *DB) EndDevice(ctx context.Context, localpart, deviceID string) error {
	return d.must(ctx, account(localpart), ErrNotFound,
		func(t *Tx) (bool, error) { return t.end(endDevice, localpart, deviceID) })
}

// EndDevices logs several devices out, in one transaction, and returns how many there were: those that do not exist are
// gone already (Client-Server API v1.19, "POST /delete_devices").
func (d *DB) EndDevices(ctx context.Context, localpart string, deviceIDs []string) (int, error) {
	return write(ctx, d, account(localpart), func(t *Tx) (ended int, err error) {
		for _, id := range deviceIDs {
			found, err := t.end(endDevice, localpart, id)
			if err != nil {
				return 0, err
			}
			if found {
				ended++
			}
		}
		return ended, nil
	})
}
