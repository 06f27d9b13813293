package doctor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"postern/db"
	"postern/homeserver/importer"
)

// accounts compares the accounts and devices of both sides.
func (x *examination) accounts(ctx context.Context) {
	there, err := x.census(ctx)
	if err != nil {
		x.warn("Synapse's database was not looked into: "+err.Error(),
			"run this where it can be read; nothing else depends on it")
		return
	}
	if x.DB == nil {
		x.problemOnceDelegated("Postern has no database at "+x.Database,
			"name it with --db, or make it: postern user import")
		return
	}
	if x.MovedOut != nil {
		x.warn(x.MovedOut.Error(), "that, before you bring everybody along again; none if you only had restore "+
			"--write by mistake, and Synapse was not restarted")
		return
	}
	here, err := readPopulation(ctx, x.DB)
	if err != nil {
		x.problem(err.Error(), "see --db")
		return
	}
	x.compare(there, here)
}

// population is who is at Postern.
type population struct {
	deactivated map[string]bool // by localpart, of all accounts
	devices     map[string]bool // "localpart device"
}

func readPopulation(ctx context.Context, d *db.DB) (population, error) {
	p := population{make(map[string]bool), make(map[string]bool)}
	users, err := d.Users(ctx)
	if err != nil {
		return p, err
	}
	sessions, err := d.Sessions(ctx, "")
	for _, u := range users {
		p.deactivated[u.Localpart] = !u.Deactivated.IsZero()
	}
	for _, s := range sessions {
		p.devices[s.Localpart+" "+s.DeviceID] = true
	}
	return p, err
}

// census reads Synapse's database, where its configuration says that it is.
func (x *examination) census(ctx context.Context) (importer.Census, error) {
	database, err := x.Synapse.Database()
	if err != nil {
		return importer.Census{}, err
	}
	from := database.Args["database"]
	if database.Engine == "psycopg2" {
		from = database.URL()
	} else if !filepath.IsAbs(from) {
		return importer.Census{}, errors.New("database.args.database " + from +
			" is not a whole path, and where Synapse runs is not known")
	}
	there, err := importer.Count(ctx,
		importer.Config{From: from, Format: importer.Synapse, ServerName: x.Synapse.ServerName()})
	if err == nil && database.Engine == "psycopg2" {
		x.ok("Synapse has PostgreSQL; Postern needs none: it keeps a file of its own, or takes another database there")
	} else if err == nil {
		x.ok("Synapse has SQLite, and may keep it")
	}
	return there, err
}

// compare finds who is on one side only.
func (x *examination) compare(there importer.Census, here population) {
	var absent, closed []string // at Postern, of the accounts that are open at Synapse
	for _, name := range there.Users {
		deactivated, is := here.deactivated[name]
		switch {
		case !is:
			absent = append(absent, name)
		case deactivated:
			closed = append(closed, name)
		}
	}
	var unknown, noDevice, noSession []string // accounts and devices only at Postern, and devices only at Synapse
	for name, deactivated := range here.deactivated {
		if !deactivated && !there.All[name] {
			unknown = append(unknown, name)
		}
	}
	for device := range here.devices {
		if !there.Devices[device] {
			noDevice = append(noDevice, device)
		}
	}
	for device := range there.Devices {
		name, _, _ := strings.Cut(device, " ")
		if _, is := here.deactivated[name]; is && !here.devices[device] {
			noSession = append(noSession, device)
		}
	}
	x.differences(absent, closed, unknown, noDevice, noSession)
	if len(absent)+len(unknown)+len(noDevice)+len(closed) == 0 {
		x.ok("%s and %s are the same on both sides", plural(len(there.Users), "account"),
			plural(len(here.devices), "device"))
	}
}

// differences says what to do about those that compare found.
func (x *examination) differences(absent, closed, unknown, noDevice, noSession []string) {
	const again = "postern user import, with --sessions, and --since-last if it is not the first time"
	if len(absent) > 0 {
		x.problemOnceDelegated(some(absent, "account")+" only at Synapse: nobody logs in to it at Postern", again)
	}
	if len(closed) > 0 {
		x.warn(some(closed, "account")+" deactivated at Postern and open at Synapse",
			"Postern tells Synapse by itself, see `postern synapse outbox`; or postern user reactivate NAME")
	}
	if len(unknown) > 0 {
		x.warn(some(unknown, "account")+" only at Postern", "Postern tells Synapse when they log in, or when Synapse "+
			"refuses them; "+settleFix)
	}
	if len(noDevice) > 0 {
		x.warn(some(noDevice, "device")+" only at Postern: Synapse does not answer them",
			"Postern tells Synapse by itself once it is in front, see `postern synapse outbox`; a device that is "+
				"not listed there has to log in again: "+settleFix)
	}
	if len(noSession) > 0 {
		x.warn(some(noSession, "device")+" only at Synapse: their users log in again, on the same device",
			"before the switch: "+again+"; later it does no harm")
	}
}

// some counts names and gives the first few.
func some(names []string, noun string) string {
	slices.Sort(names)
	few := names[:min(3, len(names))]
	text := plural(len(names), noun) + " (" + strings.Join(few, ", ")
	if len(names) > len(few) {
		text += fmt.Sprintf(" and %d more", len(names)-len(few))
	}
	return text + ")"
}

// plural writes a count with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
