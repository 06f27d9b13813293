package db

import (
	"cmp"
	"context"
	"slices"
)

// eachPage is how many rows are read at a time where all are wanted: whoever waits for the first sees it at once, no
// transaction stays open while somebody looks at them, and memory holds no more however many there are.
const eachPage = 1000

const (
	sessionsAfter = `SELECT ` + sessionColumns + ` FROM sessions WHERE (localpart, device_id) > ($1, $2)
		ORDER BY localpart, device_id LIMIT $3`
	usersAfter = `SELECT ` + userColumns + `, (SELECT COUNT(*) FROM sessions WHERE sessions.localpart = users.localpart)
		FROM users WHERE localpart > $1 ORDER BY localpart LIMIT $2`
)

// EachSession calls do for every session, by account and age. What changes meanwhile may be seen or not. An error of
// do's ends it.
func (d *DB) EachSession(ctx context.Context, do func(Session) error) error {
	var account []Session // the sessions of one so far
	flush := func() error {
		slices.SortFunc(account, func(a, b Session) int {
			return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
		})
		for _, s := range account {
			if err := do(d.noted(s)); err != nil {
				return err
			}
		}
		account = account[:0]
		return nil
	}
	var last Session
	for {
		page, err := list(ctx, d, sessionsAfter, scanSession, last.Localpart, last.DeviceID, eachPage)
		if err != nil {
			return err
		}
		for _, s := range page {
			if s.Localpart != last.Localpart {
				if err := flush(); err != nil {
					return err
				}
			}
			account, last = append(account, s), s
		}
		if len(page) < eachPage {
			return flush()
		}
	}
}

// EachUser calls do for every account, by name, with the number of its sessions. What changes meanwhile may be seen or
// not. An error of do's ends it.
func (d *DB) EachUser(ctx context.Context, do func(u User, sessions int) error) error {
	type counted struct {
		User
		sessions int
	}
	last := ""
	for {
		page, err := list(ctx, d, usersAfter, func(scan func(...any) error) (c counted, err error) {
			c.User, err = scanUser(func(dest ...any) error { return scan(append(dest, &c.sessions)...) })
			return c, err
		}, last, eachPage)
		if err != nil {
			return err
		}
		for _, c := range page {
			if err := do(c.User, c.sessions); err != nil {
				return err
			}
			last = c.Localpart
		}
		if len(page) < eachPage {
			return nil
		}
	}
}
