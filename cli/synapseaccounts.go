package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/delegation"
	"postern/homeserver/importer"
)

// accounts compares who is on either side.
func (d *doctor) accounts(ctx context.Context) {
	d.section("accounts")
	there, err := d.census(ctx)
	if err != nil {
		d.warn("Synapse's database was not looked into: "+err.Error(),
			"run this where it can be read; nothing else depends on it")
		return
	}
	users, devices := make(map[string]bool), make(map[string]bool)
	if d.c.missing() {
		d.trouble("Postern has no database at "+d.c.path(), "name it with --db, or make it: postern user import")
		return
	}
	var left error
	if err := d.c.open(ctx, func(here *db.DB) error {
		left = d.c.left(ctx, here)
		return gather(ctx, here, users, devices)
	}); err != nil {
		d.problem(err.Error(), "see --db")
		return
	}
	if left != nil {
		d.warn(left.Error(), "that, before you bring everybody along again; none if you only had restore --write by "+
			"mistake, and Synapse was not restarted")
		return
	}
	d.compare(there, users, devices)
}

// gather notes Postern's accounts that are not deactivated, and its devices as "localpart device".
func gather(ctx context.Context, here *db.DB, users, devices map[string]bool) error {
	all, err := here.Users(ctx)
	if err != nil {
		return err
	}
	sessions, err := here.Sessions(ctx, "")
	if err != nil {
		return err
	}
	for _, u := range all {
		users[u.Localpart] = !u.Deactivated.IsZero()
	}
	for _, s := range sessions {
		devices[s.Localpart+" "+s.DeviceID] = true
	}
	return nil
}

// census reads Synapse's database, where its configuration says that it is.
func (d *doctor) census(ctx context.Context) (importer.Census, error) {
	database, err := d.config.Database()
	if err != nil {
		return importer.Census{}, err
	}
	from := database.Args["database"]
	if database.Engine == "psycopg2" {
		from = postgresURL(database)
	} else if !filepath.IsAbs(from) {
		return importer.Census{}, errors.New("database.args.database " + printable(from) +
			" is not a whole path, and where Synapse runs is not known")
	}
	there, err := importer.Count(ctx,
		importer.Config{From: from, Format: importer.Synapse, ServerName: d.config.ServerName(),
			CheckHash: handlers.CheckHash, SynapsePrefix: handlers.SynapseHash})
	if err == nil && database.Engine == "psycopg2" {
		d.ok("Synapse has PostgreSQL; Postern needs none: it keeps a file of its own, or takes another database there")
	} else if err == nil {
		d.ok("Synapse has SQLite, and may keep it")
	}
	return there, err
}

// postgresURL says the same as the arguments for Python's driver.
func postgresURL(database delegation.Database) string {
	options := make(url.Values)
	for key, value := range database.Args {
		switch key {
		case "host", "port", "user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey", "passfile":
			options.Set(key, value)
		case "dbname", "database":
			options.Set("dbname", value)
		}
	}
	return "postgres:///?" + options.Encode()
}

func (d *doctor) compare(there importer.Census, users, devices map[string]bool) {
	var absent, unknown, closed, lacking, idle []string
	for _, name := range there.Users {
		deactivated, here := users[name]
		switch {
		case !here:
			absent = append(absent, name)
		case deactivated:
			closed = append(closed, name)
		}
	}
	for name, deactivated := range users {
		if !deactivated && !there.All[name] {
			unknown = append(unknown, name)
		}
	}
	for device := range devices {
		if !there.Devices[device] {
			lacking = append(lacking, device)
		}
	}
	for device := range there.Devices {
		name, _, _ := strings.Cut(device, " ")
		if _, here := users[name]; here && !devices[device] {
			idle = append(idle, device)
		}
	}
	const again = "postern user import, with --sessions, and --since-last if it is not the first time"
	if len(absent) > 0 {
		d.trouble(d.some(absent, "account")+" only at Synapse: nobody logs in to it at Postern", again)
	}
	if len(closed) > 0 {
		d.warn(d.some(closed, "account")+" deactivated at Postern and open at Synapse",
			"it is told by itself, see `postern synapse outbox`; or postern user reactivate NAME")
	}
	if len(unknown) > 0 {
		d.warn(d.some(unknown, "account")+" only at Postern", "none: Synapse is told when they first log in")
	}
	if len(lacking) > 0 {
		d.warn(d.some(lacking, "device")+" only at Postern: Synapse does not answer them",
			"Synapse is told by itself once Postern is in front, see `postern synapse outbox`; one that is not "+
				"listed there has to log in again")
	}
	if len(idle) > 0 {
		d.warn(d.some(idle, "device")+" only at Synapse: their users log in again, on the same device",
			"before the switch: "+again+"; later it does no harm")
	}
	if len(absent)+len(unknown)+len(lacking)+len(closed) == 0 {
		d.ok("%s and %s are the same on both sides", plural(len(there.Users), "account"),
			plural(len(devices), "device"))
	}
}

// some counts names and gives the first few.
func (d *doctor) some(names []string, noun string) string {
	slices.Sort(names)
	few := make([]string, 0, 3)
	for _, name := range names[:min(3, len(names))] {
		few = append(few, printable(name))
	}
	text := plural(len(names), noun) + " (" + strings.Join(few, ", ")
	if len(names) > len(few) {
		text += fmt.Sprintf(" and %d more", len(names)-len(few))
	}
	return text + ")"
}
