package dbtest

import (
	"testing"

	"postern/db"
)

// Forget has the database lose every commit on its sessions since they began, as a failover to a standby that was
// behind does. Their access tokens last five minutes.
func Forget(t testing.TB, d *db.DB) {
	t.Helper()
	lose(t, d, `UPDATE sessions SET generation = 1, minted = created, used = 0, oldest = 1, key_id = 1,
		access_expires = created + 300000, single_use = FALSE, caught_up = 0, caught_from = 0,
		state = 'live'`)
}

// Lose has the database lose its sessions, as if they had never begun.
func Lose(t testing.TB, d *db.DB) {
	t.Helper()
	lose(t, d, `DELETE FROM sessions`)
}

func lose(t testing.TB, d *db.DB, query string) {
	t.Helper()
	if err := d.Write(t.Context(), func(t *db.Tx) error { return t.ChangeSessions(query) }); err != nil {
		t.Fatal(err)
	}
}
