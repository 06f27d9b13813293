package importer

import (
	"context"
	"strings"
	"time"

	"postern/handlers"
)

// readSynapse reads Synapse's table users. What it knows, by the schema version that brought it:
//
//   - from the beginning: name (a whole user id), password_hash (bcrypt of NFKC and pepper; NULL for who signs in
//     elsewhere, and for deactivated accounts), creation_ts (seconds), admin (which Synapse asks for once
//     authentication is left to another)
//   - 28 is_guest, 30 appservice_id, 53 user_type (support and bot are Synapse's own, others the operator's), 55
//     deactivated, 73 approved (NULL: from before approval was asked for), 80 locked
//
// shadow_banned (58) and suspended (85) say what an account may do on the homeserver, and stay there.
func (c Config) readSynapse(ctx context.Context, s *source) ([]record, error) {
	q := `SELECT ` + strings.Join([]string{
		s.text("name"), s.text("password_hash"), s.number("creation_ts"), s.flag("is_guest"), s.text("appservice_id"),
		s.text("user_type"), s.flag("deactivated"), s.flag("locked"), s.flagOr("approved", "1"), s.flag("admin"),
	}, `, `) + ` FROM users ORDER BY name`
	return s.read(ctx, q, func(scan func(...any) error) (record, error) {
		var name, hash, service, userType string
		var created, guest, deactivated, locked, approved, admin int64
		err := scan(&name, &hash, &created, &guest, &service, &userType, &deactivated, &locked, &approved, &admin)
		r := record{hash: hash, deactivated: deactivated != 0, locked: locked != 0, unapproved: approved == 0,
			admin: admin != 0, created: millis(1000 * created)}
		if hash != "" {
			r.hash = handlers.SynapseHash + hash
		}
		r.localpart, r.server = c.split(name)
		switch {
		case guest != 0:
			r.skip = "guest"
		case service != "":
			r.skip = "application service's user"
		case userType == "support":
			r.skip = "support user"
		case userType == "bot":
			r.skip = "bot"
		}
		return r, err
	})
}

// millis is a time in Unix milliseconds. The first second of 1970, and what is before it, is how an unknown time is
// written.
func millis(ms int64) time.Time {
	if ms < 1000 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
