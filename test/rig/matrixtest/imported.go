package matrixtest

import (
	"crypto/sha256"
	"testing"
	"time"

	"postern/db"
)

// ImportedToken is a token that another server gave.
func ImportedToken(text string, refresh bool, expires time.Time) db.ImportedToken {
	return db.ImportedToken{Hash: sha256.Sum256([]byte(text)), Refresh: refresh, Expires: expires}
}

// ImportedPhone is a device that can refresh, with the tokens syt_access_NAME, syr_refresh_NAME and their predecessors.
func ImportedPhone(name string, now time.Time) db.Device {
	end := now.Add(5 * time.Minute)
	return db.Device{DeviceID: name, DisplayName: "her phone", Live: true, Refreshable: true, AccessExpires: end,
		Tokens: []db.ImportedToken{
			ImportedToken("syt_access_"+name, false, end), ImportedToken("syt_before_"+name, false, now),
			ImportedToken("syr_refresh_"+name, true, time.Time{}),
			ImportedToken("syr_spent_"+name, true, time.UnixMilli(1))}}
}

// Import takes devices of alice's over, as her other server has them, under root key 1.
func Import(t testing.TB, d *db.DB, now time.Time, devices ...db.Device) []db.Arrived {
	t.Helper()
	for i := range devices {
		if devices[i].Session == "" {
			devices[i].Session = "IMPORTED" + devices[i].DeviceID
		}
	}
	did, err := d.ImportAccounts(t.Context(), db.Import{At: now, KeyID: 1, Again: true, Arrivals: []db.Arrival{{
		User: db.User{Localpart: "alice", PasswordHash: "hers there"}, WithDevices: true, Devices: devices}}})
	if err != nil {
		t.Fatal(err)
	}
	return did
}
