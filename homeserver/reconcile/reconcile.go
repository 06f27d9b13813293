package reconcile

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"postern/db"
	"postern/homeserver"
	"postern/homeserver/importer"
	"postern/homeserver/outbox"
)

// Kind is how the two sides differ.
type Kind int

// The kinds of differences. Settle passes over the last two: somebody has to decide.
const (
	UserUnknown    Kind = iota // Synapse does not know a user
	Deactivated                // at Synapse alone
	NotDeactivated             // at Synapse; here the user is
	Locked                     // at Synapse alone
	NotLocked                  // at Synapse; here the user is
	Emails                     // a user who has mail addresses here has others at Synapse
	DeviceGone                 // Synapse does not have the device of a session
	DeviceUnknown              // there is no session on a device of Synapse's
	UserOnlyThere              // there is no such account here
)

// Difference is one user, or one device of a user, on whom the sides differ.
type Difference struct {
	Kind      Kind
	Localpart string
	Session   db.Session // of DeviceGone
	DeviceID  string     // of DeviceGone and DeviceUnknown
}

// here is what Postern knows.
type here struct {
	users    []db.User
	sessions []db.Session
	emails   map[string]string // by localpart, in order
	waiting  map[string]bool   // "localpart device", as in the outbox
}

// Compare lists the differences, by user.
func Compare(ctx context.Context, q *outbox.Queue, source importer.Config) ([]Difference, error) {
	h, err := read(ctx, q)
	if err != nil {
		return nil, err
	}
	there, err := importer.ReadStanding(ctx, source)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(h.compareUsers(there), h.compareDevices(there))
	slices.SortStableFunc(all, func(a, b Difference) int {
		return cmp.Or(strings.Compare(a.Localpart, b.Localpart), cmp.Compare(a.Kind, b.Kind),
			strings.Compare(a.DeviceID, b.DeviceID))
	})
	return all, nil
}

func read(ctx context.Context, q *outbox.Queue) (here, error) {
	h := here{emails: make(map[string]string), waiting: make(map[string]bool)}
	var err error
	if h.users, err = q.DB.Users(ctx); err != nil {
		return h, err
	}
	if h.sessions, err = q.DB.Sessions(ctx, ""); err != nil {
		return h, err
	}
	if err = h.readEmails(ctx, q.DB); err != nil {
		return h, err
	}
	rows, err := q.List(ctx) // last: every change that was seen waits then, or Synapse has heard of it
	for _, row := range rows {
		h.waiting[row.Localpart+" "+row.DeviceID] = true
	}
	return h, err
}

func (h here) readEmails(ctx context.Context, d *db.DB) error {
	return d.Read(ctx, `SELECT localpart, address FROM emails`, nil, func(scan func(...any) error) error {
		var localpart, address string
		err := scan(&localpart, &address)
		all := append(strings.Fields(h.emails[localpart]), address)
		slices.Sort(all)
		h.emails[localpart] = strings.Join(all, " ")
		return err
	})
}

func (h here) compareUsers(there importer.Standing) (all []Difference) {
	known := make(map[string]bool, len(h.users))
	for _, u := range h.users {
		known[u.Localpart] = true
		if h.waiting[u.Localpart+" "] {
			continue
		}
		kind, differs := compareUser(u, there)
		if !differs && u.Deactivated.IsZero() && h.emails[u.Localpart] != "" {
			kind, differs = Emails, h.emails[u.Localpart] != there.Emails[u.Localpart]
		}
		if differs {
			all = append(all, Difference{Kind: kind, Localpart: u.Localpart})
		}
	}
	for name, status := range there.Users {
		if !known[name] && status.Movable && !status.Deactivated {
			all = append(all, Difference{Kind: UserOnlyThere, Localpart: name})
		}
	}
	return all
}

func compareUser(u db.User, there importer.Standing) (kind Kind, differs bool) {
	status, known := there.Users[u.Localpart]
	deactivated, locked := !u.Deactivated.IsZero(), !u.Locked.IsZero()
	switch {
	case !known:
		return UserUnknown, !deactivated
	case status.Deactivated != deactivated:
		return either(status.Deactivated, Deactivated, NotDeactivated), true
	case !deactivated && status.Locked != locked:
		return either(status.Locked, Locked, NotLocked), true
	}
	return 0, false
}

func either(is bool, yes, no Kind) Kind {
	if is {
		return yes
	}
	return no
}

func (h here) compareDevices(there importer.Standing) (all []Difference) {
	open, has := make(map[string]bool), make(map[string]bool)
	for _, u := range h.users {
		open[u.Localpart] = u.Deactivated.IsZero() && !there.Users[u.Localpart].Deactivated
	}
	for _, s := range h.sessions {
		name := s.Localpart + " " + s.DeviceID
		has[name] = true
		if s.State == db.Live && open[s.Localpart] && !there.Devices[name] && !h.waiting[name] {
			all = append(all, Difference{Kind: DeviceGone, Localpart: s.Localpart, Session: s, DeviceID: s.DeviceID})
		}
	}
	for name := range there.Devices {
		localpart, device, _ := strings.Cut(name, " ")
		// an application service makes devices for its users by itself
		if open[localpart] && there.Users[localpart].Movable && !has[name] && !h.waiting[name] {
			all = append(all, Difference{Kind: DeviceUnknown, Localpart: localpart, DeviceID: device})
		}
	}
	return all
}

// Settle settles differences. What Synapse must learn waits in the outbox then.
func Settle(ctx context.Context, q *outbox.Queue, differences []Difference, now time.Time) error {
	for _, d := range differences {
		var err error
		switch d.Kind {
		case UserUnknown, NotDeactivated, NotLocked, Emails:
			_, err = q.Remind(ctx, d.Localpart)
		case Deactivated:
			_, err = q.DB.Deactivate(ctx, d.Localpart, now, false)
		case Locked:
			err = q.DB.LockUser(ctx, d.Localpart, now)
		case DeviceGone:
			_, err = homeserver.SoftenGone(ctx, q.DB, d.Session, now)
		}
		if err != nil && !errors.Is(err, db.ErrNotFound) { // an account that is gone does not differ any more
			return err
		}
	}
	return nil
}

// DeleteDevices has Synapse delete the devices on which there is no session, and their encryption keys.
func DeleteDevices(ctx context.Context, q *outbox.Queue, differences []Difference) error {
	return q.DB.Write(ctx, func(t *db.Tx) error {
		for _, d := range differences {
			if d.Kind != DeviceUnknown {
				continue
			}
			if err := t.Follow(d.Localpart, d.DeviceID); err != nil {
				return err
			}
		}
		return nil
	})
}
