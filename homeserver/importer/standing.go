package importer

import (
	"context"
	"slices"
	"strings"
)

// Standing is what a Synapse says of its users and devices now, to be held against what is said here.
type Standing struct {
	Users   map[string]Status // by localpart, all of this server's
	Emails  map[string]string // by localpart: its mail addresses, in order
	Devices map[string]bool   // "localpart device" of those; not the dehydrated ones, on which nobody logs in
}

// Status is what a user may do. Movable says that the account can be here. An account of which nobody has approved is
// not locked: Synapse does not ask for approval where another server logs people in.
type Status struct{ Deactivated, Locked, Movable bool }

// ReadStanding reads a Synapse's database.
func ReadStanding(ctx context.Context, c Config) (Standing, error) {
	n := Standing{Users: make(map[string]Status), Emails: make(map[string]string), Devices: make(map[string]bool)}
	s, err := c.open(ctx)
	if err != nil {
		return n, err
	}
	defer s.close()
	_, records, err := c.recordsOf(ctx, s)
	if err != nil {
		return n, err
	}
	all := make(map[string]bool)
	for i, a := range c.accounts(records) {
		if a.Name != "@"+a.Localpart+":"+c.ServerName {
			continue // another server's
		}
		all[a.Localpart] = true
		n.Users[a.Localpart] = Status{Deactivated: a.Deactivated, Locked: records[i].locked, Movable: a.Skip == ""}
		var emails []string
		for _, e := range a.Emails {
			emails = append(emails, e.Address)
		}
		slices.Sort(emails)
		n.Emails[a.Localpart] = strings.Join(emails, " ")
	}
	return n, s.explain(c.countDevices(ctx, s, n.Devices, all))
}
