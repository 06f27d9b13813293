package db

import (
	"context"
	"errors"
	"strings"
	"time"
)

// User is an account. Deactivated and Locked are zero while the account may be used.
type User struct {
	Localpart, PasswordHash      string
	Created, Deactivated, Locked time.Time
	Admin                        bool // of the homeserver
	SecondFactor                 bool // it has one, so its password alone lets nobody in; see Factor
	Waits                        bool // it is a WaitingUser, which no method here gives as a User

	// Closings is how often it was locked or deactivated. What was made to open it before opens it no more.
	Closings int64
}

// UserState is what may be done with an account.
type UserState string

// The states of an account.
const (
	UserActive      UserState = "active"
	UserLocked      UserState = "locked"
	UserDeactivated UserState = "deactivated" // whether it is locked or not
)

// State is the account's.
func (u User) State() UserState {
	switch {
	case !u.Deactivated.IsZero():
		return UserDeactivated
	case !u.Locked.IsZero():
		return UserLocked
	}
	return UserActive
}

// errNoTime guards the times whose zero would mean the opposite.
var errNoTime = errors.New("database: a time is required")

const userColumns = `localpart, password_hash, created, deactivated, locked, admin, closings, ` + secondFactor

const userByName = `SELECT ` + userColumns + ` FROM users WHERE localpart = $1`

func scanUser(scan func(...any) error) (u User, err error) {
	var created, deactivated, locked int64
	err = scan(&u.Localpart, &u.PasswordHash, &created, &deactivated, &locked, &u.Admin, &u.Closings, &u.SecondFactor)
	u.Created, u.Deactivated, u.Locked = FromMillis(created), FromMillis(deactivated), FromMillis(locked)
	return u, err
}

// CreateUser adds an account with its mail addresses. ErrConflict if its localpart is taken, even by a deactivated one;
// ErrEmailTaken if another account has an address.
func (d *DB) CreateUser(ctx context.Context, u User, emails ...Email) error {
	return d.must(ctx, account(u.Localpart), ErrConflict, func(t *Tx) (bool, error) {
		made, err := t.createUser(u)
		for _, e := range emails {
			if err != nil || !made {
				break
			}
			if bound, failed := t.bindEmail(e); failed != nil || !bound {
				err = t.require(or(failed, ErrEmailTaken))
			}
		}
		return made, err
	})
}

func (t *Tx) createUser(u User) (made bool, err error) {
	const q = `INSERT INTO users (localpart, password_hash, created, deactivated, locked, admin)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING localpart`
	made, err = t.Get(q, nil, u.Localpart, u.PasswordHash, Millis(u.Created), Millis(u.Deactivated),
		Millis(u.Locked), u.Admin)
	if err == nil && made {
		err = t.Follow(u.Localpart, "")
	}
	if err == nil && made {
		err = t.Record(Event{At: u.Created, Kind: EventCreated, Localpart: u.Localpart})
	}
	if err == nil && made && u.Admin {
		err = t.Record(Event{At: u.Created, Kind: EventAdminOn, Localpart: u.Localpart})
	}
	return made, err
}

// User finds an account, deactivated or not; else ErrNotFound.
func (d *DB) User(ctx context.Context, localpart string) (User, error) {
	return one(ctx, d, userByName, scanUser, localpart)
}

// userNamed finds the account of exactly that name or, where there is none, the only one that has it in other letters.
const userNamed = `SELECT ` + userColumns + ` FROM users WHERE localpart = COALESCE(
	(SELECT localpart FROM users WHERE localpart = $1),
	(SELECT MIN(localpart) FROM users WHERE LOWER(localpart) = $2 HAVING COUNT(*) = 1))`

// UserNamed finds the account that a person means who types a name: the one that is called so or, where there is none,
// the only one whose name differs in upper and lower case alone; else ErrNotFound. Of several that differ so none is
// guessed. What SQLite takes for the lower case of a letter beyond ASCII is the letter itself.
func (d *DB) UserNamed(ctx context.Context, name string) (User, error) {
	return one(ctx, d, userNamed, scanUser, name, strings.ToLower(name))
}

// Users is EachUser for whoever needs all accounts at once.
func (d *DB) Users(ctx context.Context) (all []User, err error) {
	err = d.EachUser(ctx, func(u User, _ int) error {
		all = append(all, u)
		return nil
	})
	return all, err
}

// Counts are how many there are of what an operator looks after.
type Counts struct {
	Users, Locked, Deactivated, Admins, Sessions, Waiting int
	Invitations                                           int // those that are good
	Deliveries                                            int // mails and webhooks that wait and are due
}

// Count counts.
func (d *DB) Count(ctx context.Context, now time.Time) (n Counts, err error) {
	const q = `SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM users WHERE deactivated = 0 AND locked <> 0),
		(SELECT COUNT(*) FROM users WHERE deactivated <> 0), (SELECT COUNT(*) FROM users WHERE admin),
		(SELECT COUNT(*) FROM sessions), (SELECT COUNT(*) FROM waiting_users),
		(SELECT COUNT(*) FROM registration_tokens WHERE revoked = 0 AND (expires = 0 OR expires > $1)
			AND (uses_allowed = 0 OR uses_allowed > used)), (SELECT COUNT(*) FROM deliveries WHERE ` + isWaiting + `)`
	err = d.Read(ctx, q, []any{Millis(now)}, func(scan func(...any) error) error {
		return scan(&n.Users, &n.Locked, &n.Deactivated, &n.Admins, &n.Sessions, &n.Waiting, &n.Invitations,
			&n.Deliveries)
	})
	return n, err
}

// HasUsers says whether there is any account.
func (d *DB) HasUsers(ctx context.Context) (bool, error) {
	return d.Get(ctx, `SELECT localpart FROM users LIMIT 1`, []any{new(string)})
}

// Deactivate closes an account for good, ends all its sessions and removes its factors and addresses, in one
// transaction. An account that is deactivated stays so since the first time. With erase its owner wants to be
// forgotten, as far as the homeserver can, which may come later (Client-Server API v1.19, "POST /account/deactivate",
// erase).
func (d *DB) Deactivate(ctx context.Context, localpart string, when time.Time, erase bool) (ended int, err error) {
	if Millis(when) == 0 {
		return 0, errNoTime
	}
	const (
		q = `UPDATE users SET deactivated = $2, closings = closings + 1 WHERE localpart = $1 AND deactivated = 0
			RETURNING localpart`
		alsoErased = `UPDATE users SET erased = erased OR $2 WHERE localpart = $1`
	)
	return write(ctx, d, account(localpart), func(t *Tx) (int, error) {
		e := Event{At: when, Kind: EventDeactivated, Localpart: localpart}
		if found, err := t.Change(e, q, Millis(when)); err != nil || !found {
			return 0, or(err, ErrNotFound)
		}
		if err := or(t.Exec(alsoErased, localpart, erase), t.Follow(localpart, "")); err != nil {
			return 0, err
		}
		if _, err := t.clearFactors(localpart); err != nil {
			return 0, err
		}
		if err := t.Exec(removeEmails, localpart); err != nil {
			return 0, err
		}
		return t.endSessions(localpart, "")
	})
}

// Reactivate opens a deactivated account again. Its sessions do not come back.
func (d *DB) Reactivate(ctx context.Context, localpart string) error {
	return d.must(ctx, account(localpart), ErrNotFound, func(t *Tx) (bool, error) { return t.Reactivate(localpart) })
}

// Reactivate is [DB.Reactivate], and says whether there is such an account.
func (t *Tx) Reactivate(localpart string) (found bool, err error) {
	const q = `UPDATE users SET deactivated = 0, erased = FALSE WHERE localpart = $1 AND deactivated <> 0
		RETURNING localpart`
	found, err = t.Change(Event{Kind: EventReactivated, Localpart: localpart}, q)
	if err == nil && found {
		err = t.Follow(localpart, "")
	}
	return found, err
}
