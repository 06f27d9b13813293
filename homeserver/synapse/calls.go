package synapse

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// User is what Synapse knows of an account.
type User struct {
	UserID      string  `json:"user_id"`
	DisplayName *string `json:"display_name"`
	AvatarURL   *string `json:"avatar_url"`
	Suspended   bool    `json:"is_suspended"`
	Deactivated bool    `json:"is_deactivated"`
}

type account struct {
	Localpart string `json:"localpart"`
}

type device struct {
	account
	DeviceID string `json:"device_id"`
}

type namedDevice struct {
	device
	DisplayName *string `json:"display_name,omitempty"`
}

// LocalpartAvailable says nil if an account of that name can be made, or a Refusal that says why not: it is taken
// (M_USER_IN_USE), an app service has it for itself (M_EXCLUSIVE), or it is none (M_INVALID_USERNAME).
func (c *Client) LocalpartAvailable(ctx context.Context, localpart string) error {
	return c.get(ctx, "is_localpart_available", url.Values{"localpart": {localpart}}, nil)
}

// ProvisionUser makes an account, or leaves the one that is there as it is, and says whether it was made. locked is
// told with it, unless nil.
//
// Of two calls for a new account at the same moment Synapse refuses the later one, since the name is taken. By then the
// account is there, so it is asked once more.
func (c *Client) ProvisionUser(ctx context.Context, localpart string, locked *bool) (made bool, err error) {
	for range 2 {
		var status int
		status, err = c.post(ctx, "provision_user", struct {
			account
			Locked *bool `json:"locked,omitempty"`
		}{account{localpart}, locked})
		var refusal *Refusal
		if made = status == http.StatusCreated; !errors.As(err, &refusal) || refusal.Code != "M_USER_IN_USE" {
			break
		}
	}
	return made, err
}

// QueryUser tells of an account; ErrNotFound if there is none.
func (c *Client) QueryUser(ctx context.Context, localpart string) (User, error) {
	var u User
	err := c.get(ctx, "query_user", url.Values{"localpart": {localpart}}, &u)
	return u, err
}

// DeleteUser deactivates an account, which ends its devices; ErrNotFound if there is none. With erase it is forgotten
// as far as can be.
func (c *Client) DeleteUser(ctx context.Context, localpart string, erase bool) error {
	_, err := c.post(ctx, "delete_user", struct {
		account
		Erase bool `json:"erase"`
	}{account{localpart}, erase})
	return err
}

// ReactivateUser opens a deactivated account again; ErrNotFound if there is none.
func (c *Client) ReactivateUser(ctx context.Context, localpart string) error {
	_, err := c.post(ctx, "reactivate_user", account{localpart})
	return err
}

// UpsertDevice makes a device, or leaves the one that is there, with its keys; ErrNotFound if there is no such user.
// The name is given to either, unless nil.
func (c *Client) UpsertDevice(ctx context.Context, localpart, deviceID string, displayName *string) error {
	_, err := c.post(ctx, "upsert_device", namedDevice{device{account{localpart}, deviceID}, clipped(displayName)})
	return err
}

// DeleteDevice deletes a device with its keys, if there is one; ErrNotFound if there is no such user.
func (c *Client) DeleteDevice(ctx context.Context, localpart, deviceID string) error {
	_, err := c.post(ctx, "delete_device", device{account{localpart}, deviceID})
	return err
}

// AllowCrossSigningReset lets a user replace the cross-signing keys within ten minutes without another proof;
// ErrNotFound if there is no such user.
func (c *Client) AllowCrossSigningReset(ctx context.Context, localpart string) error {
	_, err := c.post(ctx, "allow_cross_signing_reset", account{localpart})
	return err
}

// maxDisplayName is how many characters Synapse takes for a device's name (handlers/device.py,
// MAX_DEVICE_DISPLAY_NAME_LEN).
const maxDisplayName = 100

// clipped is a name as far as Synapse takes it: a name that is too long must not keep its device away.
func clipped(name *string) *string {
	if name == nil {
		return nil
	}
	if runes := []rune(*name); len(runes) > maxDisplayName {
		short := string(runes[:maxDisplayName])
		return &short
	}
	return name
}
