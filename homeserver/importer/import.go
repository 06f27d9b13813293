package importer

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/imported"
)

// Options say how Import takes accounts over.
type Options struct {
	SinceLast bool // bring what has changed there since the last import, and end what has ended there
	DryRun    bool // only say what would happen
	Now       time.Time
	Progress  func(done, of int) // accounts; called after each transaction
}

// importBatch is how many accounts come in one transaction: few enough for logins to come in between.
const importBatch = 200

// importing is an Import under way.
type importing struct {
	Options
	db       *db.DB // nil: a dry run for a database that is not made yet
	contents Contents
	marks    map[string]string  // by localpart: what each account was at the last import
	keyID    int64              // of the root key that mints for the sessions
	did      []imported.Arrived // by account
	left     []imported.Arrived // by account: what SinceLast would have brought
}

// Import takes the accounts over, in batches: after an error the same import goes on where it stopped. With a nil
// database it says what would become of a new one.
func Import(ctx context.Context, d *db.DB, contents Contents, o Options) (Result, error) {
	m := &importing{Options: o, db: d, contents: contents, keyID: 1,
		did: make([]imported.Arrived, len(contents.Accounts)), left: make([]imported.Arrived, len(contents.Accounts))}
	if d != nil {
		var err error
		if m.marks, err = imported.Marks(ctx, d); err != nil {
			return Result{}, err
		}
		if m.keyID, err = mintingKey(ctx, d); err != nil {
			return Result{}, err
		}
		if err := skipTaken(ctx, d, contents); err != nil {
			return Result{}, err
		}
	}
	for from := 0; from < len(contents.Accounts); from += importBatch {
		to := min(from+importBatch, len(contents.Accounts))
		if err := m.batch(ctx, from, to); err != nil {
			return Result{}, fmt.Errorf("accounts added: %d, then: %w; run it again to go on", m.added(), err)
		}
		o.Progress(to, len(contents.Accounts))
	}
	return m.result(), m.record(ctx)
}

func (m *importing) added() (n int) {
	for _, did := range m.did {
		if did.Added {
			n++
		}
	}
	return n
}

// mintingKey is the root key that mints for sessions that come: the newest, or the one that the first start will make.
func mintingKey(ctx context.Context, d *db.DB) (id int64, err error) {
	keys, err := d.RootKeys(ctx)
	for _, k := range keys {
		if k.Retired.IsZero() {
			id = max(id, k.ID)
		}
	}
	if id == 0 {
		id = int64(len(keys) + 1) // numbers begin at 1, and none is left out
	}
	return id, err
}

// batch takes over the accounts from one to another.
func (m *importing) batch(ctx context.Context, from, to int) error {
	im := imported.Batch{At: m.Now, KeyID: m.keyID, Again: m.SinceLast, DryRun: m.DryRun}
	var which []int // account of each arrival
	for i := from; i < to; i++ {
		a := m.contents.Accounts[i]
		if a.Skip != "" {
			continue
		}
		arrival := m.arrival(a)
		// nothing happened there: at a later import that is nearly everybody
		if m.SinceLast && m.marks[a.Localpart] == arrival.Mark() {
			m.did[i].Here = len(arrival.Devices)
			continue
		}
		im.Arrivals, which = append(im.Arrivals, arrival), append(which, i)
	}
	left, err := m.foresee(ctx, im)
	if err != nil {
		return err
	}
	did, err := m.write(ctx, im)
	if err != nil {
		return err
	}
	for n, i := range which {
		m.did[i] = did[n]
		if !did[n].Added && !m.SinceLast {
			m.contents.Accounts[i].Skip = alreadyHere
			m.leave(i, left[n])
		}
	}
	return nil
}

// foresee says what SinceLast would bring, of accounts that an earlier import has brought.
func (m *importing) foresee(ctx context.Context, im imported.Batch) ([]imported.Arrived, error) {
	if m.SinceLast || m.db == nil || len(im.Arrivals) == 0 {
		return make([]imported.Arrived, len(im.Arrivals)), nil
	}
	im.Again, im.DryRun = true, true
	return imported.Add(ctx, m.db, im)
}

// leave notes what has changed there since an earlier import and is not brought. The devices that did not come are not
// among those that are here.
func (m *importing) leave(i int, left imported.Arrived) {
	mark, came := m.marks[m.contents.Accounts[i].Localpart]
	if !came {
		return // it was made here
	}
	if !imported.WithDevices(mark) { // they come now, and so does what is new about them
		left = imported.Arrived{Changed: left.Changed}
	} else if m.contents.Sessions {
		m.did[i].Here, m.did[i].Own = left.Here, left.Own
	}
	m.left[i] = left
}

// write does the import, or foresees what it would do with a database that is not there.
func (m *importing) write(ctx context.Context, im imported.Batch) ([]imported.Arrived, error) {
	switch {
	case len(im.Arrivals) == 0:
		return nil, nil
	case m.db != nil:
		return imported.Add(ctx, m.db, im)
	}
	did := make([]imported.Arrived, len(im.Arrivals))
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
func (m *importing) arrival(a Account) imported.Arrival {
	arrival := imported.Arrival{User: a.user(m.Now), Emails: a.emails(m.Now), WithDevices: m.contents.Sessions}
	for _, d := range m.contents.Devices[a.Name] {
		var secret [db.SessionSecret]byte
		_, _ = rand.Read(secret[:]) // never fails
		d.Session = db.SessionID(m.Now, secret[:])
		classify(&d, m.Now)
		arrival.Devices = append(arrival.Devices, d)
	}
	return arrival
}

// user is the account as it is stored. When it was deactivated or locked nobody wrote down, so it is now.
func (a Account) user(now time.Time) db.User {
	u := db.User{Localpart: a.Localpart, PasswordHash: a.Hash, Created: a.Created, Admin: a.Admin}
	if u.PasswordHash == "" {
		u.PasswordHash = handlers.NoPassword
	}
	if a.Deactivated {
		u.Deactivated = now
	}
	if a.Locked {
		u.Locked = now
	}
	return u
}

// emails are the account's addresses. When one was shown may not be known; then it is now.
func (a Account) emails(now time.Time) []db.Email {
	all := slices.Clone(a.Emails)
	for i := range all {
		if all[i].Added.IsZero() {
			all[i].Added = now
		}
		if all[i].Validated.IsZero() {
			all[i].Validated = all[i].Added
		}
	}
	return all
}

// expired is an expiry for a token that is good for nothing, but whose holder shall learn that the device lives.
var expired = time.UnixMilli(1)

// classify says what a device's session is. It is live if a client can go on with what it holds; else it is a soft one,
// so that the device is listed, and keeps its name and its keys until somebody logs in on it.
func classify(d *imported.Device, now time.Time) {
	lasting := false // some access token never expires
	for _, t := range d.Tokens {
		d.Live = d.Live || t.Expires.IsZero() || now.Before(t.Expires)
		switch {
		case t.Refresh:
			d.Refreshable = true
		case t.Expires.IsZero():
			lasting = true
		case t.Expires.After(d.AccessExpires):
			d.AccessExpires = t.Expires
		}
	}
	switch {
	case lasting:
		d.AccessExpires = time.Time{}
	case d.AccessExpires.IsZero():
		d.AccessExpires = expired // it has none
	}
}
