package db

import "context"

// Setting finds a value that must survive a restart, such as the server name the database was made for; else
// ErrNotFound.
func (d *DB) Setting(ctx context.Context, name string) (string, error) {
	const q = `SELECT value FROM settings WHERE name = $1`
	return one(ctx, d, q, scanText, name)
}

const setSetting = `INSERT INTO settings (name, value) VALUES ($1, $2)
	ON CONFLICT (name) DO UPDATE SET value = excluded.value`

// SetSetting stores a value under a name.
func (d *DB) SetSetting(ctx context.Context, name, value string) error {
	return d.exec(ctx, everything, setSetting, name, value)
}
