package synapse

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// User is an account as Synapse describes it.
type User struct {
	UserID      string  `json:"user_id"`
	DisplayName *string `json:"display_name"`
	AvatarURL   *string `json:"avatar_url"`
	Suspended   bool    `json:"is_suspended"`
	Deactivated bool    `json:"is_deactivated"`
	Unsure      bool    `json:"-"` // nothing is known of the account but that it exists
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

// LocalpartAvailable returns nil if an account of that name can be made. Otherwise it returns a Refusal: the name is
// taken (M_USER_IN_USE), reserved by an application service (M_EXCLUSIVE), or not a valid name (M_INVALID_USERNAME).
func (c *Client) LocalpartAvailable(ctx context.Context, localpart string) error {
	return c.get(ctx, "is_localpart_available", url.Values{"localpart": {localpart}}, nil)
}

// ProvisionUser makes an account unless it exists, and reports whether it was made. Unless locked is nil, it locks or
// unlocks the account; unless emails is nil, those become the account's mail addresses, and no others.
//
// If two calls make the same account at the same moment, Synapse refuses the later one because the name is taken. The
// account exists then, so a repeated call succeeds.
func (c *Client) ProvisionUser(ctx context.Context, localpart string, locked *bool, emails *[]string) (made bool,
	err error) {
	for range 2 {
		var status int
		status, err = c.post(ctx, "provision_user", struct {
			account
			Locked *bool     `json:"locked,omitempty"`
			Emails *[]string `json:"set_emails,omitempty"`
		}{account{localpart}, locked, emails})
		var refusal *Refusal
		if made = status == http.StatusCreated; !errors.As(err, &refusal) || refusal.Code != "M_USER_IN_USE" {
			break
		}
	}
	return made, err
}

// QueryUser returns an account; ErrNotFound if there is none. Synapse takes the parameters of a query as ASCII only (as
// of 1.163), so of a user whose name is not, all that can be found out is that there is one: see User.Unsure.
func (c *Client) QueryUser(ctx context.Context, localpart string) (User, error) {
	if strings.ContainsFunc(localpart, func(r rune) bool { return r > unicode.MaxASCII }) {
		_, err := c.HasDevice(ctx, localpart, "", "")
		return User{Unsure: err == nil}, err
	}
	var u User
	err := c.get(ctx, "query_user", url.Values{"localpart": {localpart}}, &u)
	return u, err
}

// HasDevice reports whether a user has a device; ErrNotFound if there is no such user. It gives the device the name
// that it has: there is no call that only asks.
func (c *Client) HasDevice(ctx context.Context, localpart, deviceID, displayName string) (bool, error) {
	_, err := c.post(ctx, "update_device_display_name",
		namedDevice{device{account{localpart}, deviceID}, clipped(&displayName)})
	if errors.Is(err, errNoDevice) {
		return false, nil
	}
	return err == nil, err
}

// DeleteUser deactivates an account, which deletes its devices; ErrNotFound if there is none. With erase Synapse also
// erases what it can of the user's data.
func (c *Client) DeleteUser(ctx context.Context, localpart string, erase bool) error {
	_, err := c.post(ctx, "delete_user", struct {
		account
		Erase bool `json:"erase"`
	}{account{localpart}, erase})
	return err
}

// ReactivateUser reactivates a deactivated account; ErrNotFound if there is none.
func (c *Client) ReactivateUser(ctx context.Context, localpart string) error {
	_, err := c.post(ctx, "reactivate_user", account{localpart})
	return err
}

// UpsertDevice makes a device unless it exists; ErrNotFound if there is no such user. An existing device keeps its
// encryption keys. Unless the name is nil, either gets it.
func (c *Client) UpsertDevice(ctx context.Context, localpart, deviceID string, displayName *string) error {
	_, err := c.post(ctx, "upsert_device", namedDevice{device{account{localpart}, deviceID}, clipped(displayName)})
	return err
}

// DeleteDevice deletes a device, if there is one, and its encryption keys; ErrNotFound if there is no such user.
func (c *Client) DeleteDevice(ctx context.Context, localpart, deviceID string) error {
	_, err := c.post(ctx, "delete_device", device{account{localpart}, deviceID})
	return err
}

// AllowCrossSigningReset lets a user replace the cross-signing keys within ten minutes without user-interactive
// authentication; ErrNotFound if there is no such user.
func (c *Client) AllowCrossSigningReset(ctx context.Context, localpart string) error {
	_, err := c.post(ctx, "allow_cross_signing_reset", account{localpart})
	return err
}

// maxDisplayName is how many characters a device's name may have (MAX_DEVICE_DISPLAY_NAME_LEN in Synapse's
// handlers/device.py).
const maxDisplayName = 100

// clipped is the beginning of a name that is too long: otherwise Synapse would refuse the device.
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
