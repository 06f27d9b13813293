package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/importer"
)

// arriving is an import under way.
type arriving struct {
	contents             importer.Contents
	did                  []db.Arrived // by account
	again, sessions, dry bool
	now                  time.Time
}

// importBatch is how many accounts come in one transaction: few enough for logins to come in between.
const importBatch = 200

// run takes the accounts over, in batches. Without a database it says what would become of a new one.
func (m *arriving) run(ctx context.Context, w world, d *db.DB) error {
	m.did = make([]db.Arrived, len(m.contents.Accounts))
	var marks map[string]string
	key := int64(1)
	if d != nil {
		var err error
		if marks, err = d.Marks(ctx); err != nil {
			return err
		}
		if key, err = mintingKey(ctx, d); err != nil {
			return err
		}
	}
	progress, added := progress{to: w.stderr, total: len(m.contents.Accounts)}, 0
	for from := 0; from < len(m.contents.Accounts); from += importBatch {
		to := min(from+importBatch, len(m.contents.Accounts))
		if err := m.batch(ctx, d, marks, key, from, to); err != nil {
			return fmt.Errorf("%s added, then: %w; run it again to go on", plural(added, "account"), err)
		}
		for _, did := range m.did[from:to] {
			if did.Added {
				added++
			}
		}
		progress.step(to - from)
	}
	progress.end()
	return nil
}

// mintingKey is the root key that mints for sessions that arrive: the newest, or the one that the first start will
// make.
func mintingKey(ctx context.Context, d *db.DB) (int64, error) {
	keys, err := d.RootKeys(ctx)
	if key := newestKey(keys); key != 0 || err != nil {
		return key, err
	}
	return int64(len(keys) + 1), nil // see addKey: numbers begin at 1, and none is left out
}

// batch takes over the accounts from one to another.
func (m *arriving) batch(ctx context.Context, d *db.DB, marks map[string]string, key int64, from, to int) error {
	im := db.Import{At: m.now, KeyID: key, Again: m.again, DryRun: m.dry}
	var which []int
	for i := from; i < to; i++ {
		a := m.contents.Accounts[i]
		if a.Skip != "" {
			continue
		}
		arrival, err := m.arrival(a)
		if err != nil {
			return err
		}
		// nothing happened there: at a later import that is nearly everybody
		if m.again && marks[a.Localpart] == arrival.Mark() {
			m.did[i].Here = len(arrival.Devices)
			continue
		}
		im.Arrivals, which = append(im.Arrivals, arrival), append(which, i)
	}
	did, err := m.take(ctx, d, im)
	for n, i := range which {
		if err != nil {
			return err
		}
		m.did[i] = did[n]
		if !did[n].Added && !m.again {
			m.contents.Accounts[i].Skip = here
		}
	}
	return err
}

// take does the import, or foresees what it would do with a database that is not there.
func (m *arriving) take(ctx context.Context, d *db.DB, im db.Import) ([]db.Arrived, error) {
	switch {
	case len(im.Arrivals) == 0:
		return nil, nil
	case d != nil:
		return d.ImportAccounts(ctx, im)
	}
	did := make([]db.Arrived, len(im.Arrivals))
	for i, a := range im.Arrivals {
		did[i].Added = true
		for _, device := range a.Devices {
			switch {
			case !a.User.Deactivated.IsZero():
			case device.Live:
				did[i].Live++
			default:
				did[i].Soft++
			}
		}
	}
	return did, nil
}

// arrival is an account with its devices as they come here.
func (m *arriving) arrival(a importer.Account) (db.Arrival, error) {
	arrival := db.Arrival{User: user(a, m.now), WithDevices: m.sessions}
	for _, device := range m.contents.Devices[a.Name] {
		d := arrived(device, m.now)
		var err error
		if d.Session, err = handlers.NewSessionID(rand.Reader); err != nil {
			return arrival, err
		}
		arrival.Devices = append(arrival.Devices, d)
	}
	return arrival, nil
}

// over is an expiry for a token that is good for nothing, but whose holder shall learn that the device lives.
var over = time.UnixMilli(1)

// arrived is a device of Synapse's as a session. It is live if a client can go on with what it holds; else it is a soft
// one, so that the device is listed, and keeps its name and its keys until somebody logs in on it.
func arrived(d importer.Device, now time.Time) db.Device {
	s := db.Device{DeviceID: d.ID, DisplayName: d.Name, Unlisted: d.Unlisted, Expires: d.End,
		Seen: db.Seen{At: d.Seen, Addr: d.Addr, Agent: d.Agent}}
	lasting := false // some access token never expires
	for _, t := range d.Tokens {
		token := db.ImportedToken{Hash: t.Hash, Refresh: t.Refresh, Expires: t.Expires}
		if t.Spent {
			token.Expires = over
		}
		s.Tokens = append(s.Tokens, token)
		s.Live = s.Live || token.Expires.IsZero() || now.Before(token.Expires)
		switch {
		case t.Refresh:
			s.Refreshable = true
		case t.Expires.IsZero():
			lasting = true
		case t.Expires.After(s.AccessExpires):
			s.AccessExpires = t.Expires
		}
	}
	switch {
	case lasting:
		s.AccessExpires = time.Time{}
	case s.AccessExpires.IsZero():
		s.AccessExpires = over // it has none
	}
	return s
}

// sessionTally counts what became of the sessions.
func (m *arriving) sessionTally() tally {
	n := make(tally)
	for _, did := range m.did {
		n[[2]string{"added", ""}] += did.Live
		n[[2]string{"added", "no token in use: listed until somebody logs in on it"}] += did.Soft
		n[[2]string{"replaced", "refreshed or renamed there, or logged in again"}] += did.Replaced
		n[[2]string{"ended", "logged out there"}] += did.Ended
		n[[2]string{"unchanged", ""}] += did.Here
		n[[2]string{"unchanged", "begun or renewed here"}] += did.Own
	}
	for why, count := range m.contents.Left {
		n[[2]string{"skipped", why}] += count
	}
	return n
}
