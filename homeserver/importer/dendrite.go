package importer

import (
	"context"
	"strings"
)

// Values of account_type: 1 is a user, 3 an admin.
const (
	dendriteGuest      = 2
	dendriteAppService = 4
)

// readDendrite reads the accounts of Dendrite's user API. What it knows, by the month of the migration that brought it:
//
//   - from the beginning: localpart, created_ts (milliseconds), password_hash (bcrypt of the password as it was sent;
//     empty for accounts without one), appservice_id
//   - September 2020 is_deactivated, February 2022 account_type, November 2022 server_name; before that all accounts
//     are of one server, whose name is not in the database
func (c Config) readDendrite(ctx context.Context, s *source, table string) ([]record, error) {
	q := `SELECT ` + strings.Join([]string{
		s.text("localpart"), s.text("server_name"), s.number("created_ts"), s.text("password_hash"),
		s.text("appservice_id"), s.flag("is_deactivated"), s.flag("account_type"),
	}, `, `) + ` FROM ` + table + ` ORDER BY localpart`
	return s.read(ctx, q, func(scan func(...any) error) (record, error) {
		var r record
		var service string
		var created, deactivated, accountType int64
		err := scan(&r.localpart, &r.server, &created, &r.hash, &service, &deactivated, &accountType)
		r.created, r.deactivated = millis(created), deactivated != 0
		if r.server == "" {
			r.server = c.ServerName
		}
		switch {
		case accountType == dendriteGuest:
			r.skip = "guest"
		case accountType == dendriteAppService, service != "":
			r.skip = "application service's user"
		}
		return r, err
	})
}
