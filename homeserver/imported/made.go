package imported

import (
	"context"

	"postern/db"
)

// Made is what is only here, and would be lost to a server that everything was imported from.
type Made struct {
	Sessions  int // that began here, or were renewed here since they came
	Passwords int // that were set here, of accounts that came
	Users     int // that did not come from elsewhere
}

// MadeSince counts what was made here since accounts and sessions came from another server.
func MadeSince(ctx context.Context, d *db.DB) (m Made, err error) {
	const query = `SELECT (SELECT COUNT(*) FROM sessions WHERE state = 'live' AND NOT imported),
		(SELECT COUNT(*) FROM users WHERE imported <> '' AND own_password AND deactivated = 0),
		(SELECT COUNT(*) FROM users WHERE imported = '' AND deactivated = 0)`
	err = d.Read(ctx, query, nil, func(scan func(...any) error) error {
		return scan(&m.Sessions, &m.Passwords, &m.Users)
	})
	return m, err
}
