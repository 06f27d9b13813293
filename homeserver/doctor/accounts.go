package doctor

import (
	"context"
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
	if there.ThirdParty > 0 {
		x.warn(fmt.Sprintf("%d e-mail addresses and phone numbers stay with Synapse: nobody logs in by one, or gets a "+
			"forgotten password by mail", there.ThirdParty), "tell your users; postern user passwd NAME, or postern "+
			"user login-link NAME, helps who has forgotten it")
	}
	x.movedOn(ctx, there.Source)
}

// movedOn finds what has happened at Synapse since the last import of sessions. Once Postern has the accounts Synapse
// gives no tokens, so each that is newer was given before the switch, and its holder is unknown to Postern.
func (x *examination) movedOn(ctx context.Context, now importer.Source) {
	const fix = "postern user import, with --sessions --since-last"
	last, err := importer.LastSource(ctx, x.DB)
	switch news := now.Since(last); {
	case err != nil:
		x.problem(err.Error(), "see --db")
	case last.From == "":
	case x.delegated && news != "":
		x.problem("Synapse gave tokens after the last import ("+news+"): whoever has one is logged out, and loses "+
			"encryption keys", "stop Postern, "+fix+", start it; who logs in anew meanwhile is left alone")
	case !x.delegated:
		x.changes(ctx, fix)
	}
}

// changes counts what another import would bring.
func (x *examination) changes(ctx context.Context, fix string) {
	c, err := Source(x.Synapse)
	if err != nil {
		return // census says so
	}
	c.Sessions = true
	contents, err := importer.Read(ctx, c)
	if err != nil {
		x.warn("Synapse's sessions were not looked into: "+err.Error(), "run this where they can be read")
		return
	}
	result, err := importer.Import(ctx, x.DB, contents, importer.Options{DryRun: true, Now: x.Now(),
		Progress: func(int, int) {}})
	if err != nil {
		x.problem(err.Error(), "see --db")
	} else if result.Left > 0 {
		x.warn(plural(result.Left, "change")+" at Synapse since the last import: sessions, passwords, locks",
			"when Synapse is stopped for the switch: "+fix)
	}
}

// population is who is at Postern.
type population struct {
	deactivated map[string]bool // by localpart, of all accounts
	devices     map[string]bool // "localpart device"
}

func readPopulation(ctx context.Context, d *db.DB) (population, error) {
	p := population{make(map[string]bool), make(map[string]bool)}
	err := d.EachUser(ctx, func(u db.User, _ int) error {
		p.deactivated[u.Localpart] = !u.Deactivated.IsZero()
		return nil
	})
	if err != nil {
		return p, err
	}
	return p, d.EachSession(ctx, func(s db.Session) error {
		p.devices[s.Localpart+" "+s.DeviceID] = true
		return nil
	})
}

// census reads Synapse's database.
func (x *examination) census(ctx context.Context) (importer.Census, error) {
	c, err := Source(x.Synapse)
	if err != nil {
		return importer.Census{}, err
	}
	there, err := importer.Count(ctx, c)
	switch {
	case err != nil:
	case filepath.IsAbs(c.From):
		x.ok("Synapse has SQLite, and may keep it")
	default:
		x.ok("Synapse has PostgreSQL; Postern needs none: it keeps a file of its own, or takes another database there")
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
