package db

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
)

// A list that may be long is read a page at a time: at most limit rows, those that follow the last one of the page
// before. Each page is found by an index, so the last one costs what the first does, no transaction stays open while
// somebody looks at one, and memory holds no more however many there are. What changes meanwhile may be seen or not.

// eachPage is how many rows are read at a time where all are wanted.
const eachPage = 1000

// everyRow is the limit of a list that is short, and wanted whole.
const everyRow = math.MaxInt32

// eachOf calls do for every row of a list, which page gives page by page.
func eachOf[T any](page func(after T) ([]T, error), do func(T) error) error {
	var last T
	for {
		rows, err := page(last)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := do(row); err != nil {
				return err
			}
			last = row
		}
		if len(rows) < eachPage {
			return nil
		}
	}
}

const (
	sessionsAfter = `SELECT ` + sessionColumns + ` FROM sessions WHERE (localpart, device_id) > ($1, $2)
		ORDER BY localpart, device_id LIMIT $3`
	sessionsOfAfter = `SELECT ` + sessionColumns + ` FROM sessions WHERE localpart = $1 AND device_id > $2
		ORDER BY device_id LIMIT $3`
)

// SessionPage lists at most limit sessions, of one account or, without a localpart, of all, by account and device,
// after one of them.
func (d *DB) SessionPage(ctx context.Context, localpart string, after Session, limit int) ([]Session, error) {
	query, from := sessionsAfter, after.Localpart
	if localpart != "" {
		query, from = sessionsOfAfter, localpart
	}
	page, err := list(ctx, d, query, scanSession, from, after.DeviceID, limit)
	for i, s := range page {
		page[i] = d.noted(s)
	}
	return page, err
}

// EachSession calls do for every session, by account and age. An error of do's ends it.
func (d *DB) EachSession(ctx context.Context, do func(Session) error) error {
	var account []Session // the sessions of one so far
	flush := func() error {
		slices.SortFunc(account, func(a, b Session) int {
			return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
		})
		for _, s := range account {
			if err := do(s); err != nil {
				return err
			}
		}
		account = account[:0]
		return nil
	}
	next := func(after Session) ([]Session, error) { return d.SessionPage(ctx, "", after, eachPage) }
	err := eachOf(next, func(s Session) error {
		if len(account) > 0 && s.Localpart != account[0].Localpart {
			if err := flush(); err != nil {
				return err
			}
		}
		account = append(account, s)
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// UserFilter says which accounts are wanted: those for which all holds that is not empty.
type UserFilter struct {
	Part  string    // of the name, in any letters
	State UserState // one of those that State gives
	Admin bool      // only administrators
}

// CountedUser is an account with the number of its sessions.
type CountedUser struct {
	User
	Sessions int
}

const (
	countedUsers = `SELECT ` + userColumns + `, (SELECT COUNT(*) FROM sessions
		WHERE sessions.localpart = users.localpart) FROM users`
	usersAfter  = countedUsers + ` WHERE localpart > $1`
	countedUser = countedUsers + ` WHERE localpart = $1`
)

// CountedUser finds an account with the number of its sessions; else ErrNotFound.
func (d *DB) CountedUser(ctx context.Context, localpart string) (CountedUser, error) {
	return one(ctx, d, countedUser, scanCounted, localpart)
}

// usersIn are the conditions that give a list of accounts of one state. Those that are rare have an index.
var usersIn = map[UserState]string{
	UserActive:      ` AND deactivated = 0 AND locked = 0`,
	UserLocked:      ` AND deactivated = 0 AND locked <> 0`,
	UserDeactivated: ` AND deactivated <> 0`,
}

// query is the text that gives the page of accounts, and its arguments.
func (f UserFilter) query(after string, limit int) (string, []any) {
	query, args := usersAfter+usersIn[f.State], []any{after, limit}
	if f.Admin {
		query += ` AND admin`
	}
	if f.Part != "" {
		query += ` AND REPLACE(LOWER(localpart), $3, '') <> LOWER(localpart)`
		args = append(args, strings.ToLower(f.Part))
	}
	return query + ` ORDER BY localpart LIMIT $2`, args
}

func scanCounted(scan func(...any) error) (c CountedUser, err error) {
	c.User, err = scanUser(func(dest ...any) error { return scan(append(dest, &c.Sessions)...) })
	return c, err
}

// UserPage lists at most limit accounts by name, after one of them.
func (d *DB) UserPage(ctx context.Context, f UserFilter, after string, limit int) ([]CountedUser, error) {
	query, args := f.query(after, limit)
	return list(ctx, d, query, scanCounted, args...)
}

// EachUser calls do for every account, by name, with the number of its sessions. An error of do's ends it.
func (d *DB) EachUser(ctx context.Context, do func(u User, sessions int) error) error {
	next := func(after CountedUser) ([]CountedUser, error) {
		return d.UserPage(ctx, UserFilter{}, after.Localpart, eachPage)
	}
	return eachOf(next, func(c CountedUser) error { return do(c.User, c.Sessions) })
}
