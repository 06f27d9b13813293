package handlers

import "context"

// Homeserver is what stands behind: it leaves authentication to this server, asks it about tokens, and is told of users and devices.
type Homeserver struct {
	// Secret is what both show each other.
	Secret string

	// Provision makes the homeserver know a user and a device before a login is answered. When it fails the login is refused.
	Provision func(ctx context.Context, localpart, deviceID, displayName string) error

	// Wake says that something was written which the homeserver must learn; it does not wait for that.
	Wake func()

	// Knows says whether the homeserver has such a user, who is not deactivated there.
	Knows func(ctx context.Context, localpart string) (bool, error)

	// AllowReset lets a user replace the cross-signing keys, for ten minutes, without proving anything to the homeserver.
	AllowReset func(ctx context.Context, localpart string) error
}
