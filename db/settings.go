package db

import (
	"context"
	"errors"
)

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

// ChangeSetting stores a value under a name unless it is there already, and says whether it was not. What was never
// stored is as good as empty.
func (d *DB) ChangeSetting(ctx context.Context, name, value string) (changed bool, err error) {
	before, err := d.Setting(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, err
	}
	if before == value {
		return false, nil
	}
	return true, d.SetSetting(ctx, name, value)
}
