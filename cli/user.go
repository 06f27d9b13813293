package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"postern/admin"
	"postern/db"
	"postern/handlers"
	"postern/homeserver/outbox"
)

type userCmds struct {
	Add        userAdd        `cmd:"" help:"Add an account."`
	List       userList       `cmd:"" help:"List the accounts."`
	Approve    userApprove    `cmd:"" help:"Approve accounts that wait (serve --registration approval)."`
	Reject     userReject     `cmd:"" help:"Reject accounts that wait; their names are free again."`
	Passwd     userPasswd     `cmd:"" help:"Give an account a new password; its sessions end."`
	Deactivate userDeactivate `cmd:"" help:"Deactivate an account; its sessions end and nobody can log in."`
	Reactivate userReactivate `cmd:"" help:"Let a deactivated account log in again, with the password it had."`
	Lock       userLock       `cmd:"" help:"Lock an account: its sessions and devices stay, but nothing works until it is unlocked."`
	Unlock     userUnlock     `cmd:"" help:"Unlock an account; its sessions go on."`
	Admin      userAdmin      `cmd:"" help:"Say whether an account may administer the server."`
	Factors    userFactors    `cmd:"" help:"List an account's second factors, or clear them for somebody who has lost them."`
	Email      userEmail      `cmd:"" help:"List an account's mail addresses, add one, or remove one."`
	Import     userImport     `cmd:"" help:"Bring accounts here from Synapse, Dendrite or a CSV file."`
	LoginLink  userLoginLink  `cmd:"" help:"Print a token that logs a new device in, once."`
	ResetLink  userResetLink  `cmd:"" help:"Print a link with which somebody chooses a new password, once."`
}

type userAdd struct {
	passwordInput
	Name string `arg:"" help:"Localpart, or whole user id."`
}

// Help is shown by `postern user add --help`.
func (*userAdd) Help() string {
	return `Examples:
  postern user add alice
  pass show matrix/alice | postern user add alice --password-stdin`
}

// Run adds the account. A server that runs has it at once.
func (cmd *userAdd) Run(ctx context.Context, w world, c *common) error {
	name, err := handlers.NewLocalpart(cmd.Name, c.ServerName)
	if err != nil {
		return fmt.Errorf("%q cannot be added to %s: %w", cmd.Name, c.ServerName, err)
	}
	hash, err := cmd.hash(ctx, w, handlers.NewUserID(name, c.ServerName))
	if err != nil {
		return err
	}
	return c.open(ctx, func(d *db.DB) error {
		taken, err := d.Taken(ctx, name) // in any letters, as a registration has it
		if err == nil && !taken {
			err = d.CreateUser(ctx, db.User{Localpart: name, PasswordHash: hash, Created: time.Now()})
		}
		if taken || errors.Is(err, db.ErrConflict) {
			return takenName(ctx, d, name)
		}
		if err != nil {
			return err
		}
		if handlers.Spelled(cmd.Name, c.ServerName) != name {
			fmt.Fprintf(w.stderr, "names are lower case: %s becomes %s\n", cmd.Name, name)
		}
		fmt.Fprintf(w.stdout, "added %s\n", handlers.NewUserID(name, c.ServerName))
		return nil
	})
}

// takenName says which account has a name.
func takenName(ctx context.Context, d *db.DB, name string) error {
	if _, err := d.WaitingUser(ctx, name); err == nil {
		return waits(name)
	}
	_, err := d.User(ctx, name)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return errors.New("there is an account of that name in other letters; `postern user list` shows it")
	case err != nil:
		return err
	}
	return fmt.Errorf("%s exists already; `postern user passwd %s` gives it a new password", name, name)
}

type userList struct {
	listFlags
	Waiting bool `help:"Only the accounts that wait for approval, and where they were asked for."`
}

// Help is shown by `postern user list --help`.
func (*userList) Help() string {
	return `Examples:
  postern user list
  postern user list --format json | jq -r '.[] | select(.state == "locked") | .user_id'
  postern user list --waiting

In JSON accounts that wait are listed with --waiting alone: they are none yet.`
}

// Run lists the accounts with the number of their sessions.
func (cmd *userList) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		waiting, err := d.WaitingUsers(ctx)
		if err != nil {
			return err
		}
		if cmd.Waiting {
			return cmd.listWaiting(w, c, waiting)
		}
		t := cmd.listing(w.stdout, "USER STATE CREATED SESSIONS ADMIN SECOND-FACTOR")
		err = d.EachUser(ctx, func(u db.User, sessions int) error {
			shown := c.shapes().Account(db.CountedUser{User: u, Sessions: sessions})
			return t.add(shown, shown.UserID, string(shown.State), when(u.Created), strconv.Itoa(sessions),
				yes(u.Admin), yes(u.SecondFactor))
		})
		for _, u := range waiting {
			if err == nil && !t.json {
				name := string(handlers.NewUserID(u.Localpart, c.ServerName))
				err = t.add(nil, name, "waiting", when(u.Since), "0", yes(false), yes(false))
			}
		}
		return t.end(err)
	})
}

// shapes show rows in JSON.
func (c *common) shapes() admin.Shapes {
	return admin.Shapes{ServerName: c.ServerName, Now: time.Now()}
}

type userPasswd struct {
	passwordInput
	Name         string `arg:"" help:"Localpart, or whole user id."`
	KeepSessions bool   `help:"Leave the sessions of the account as they are."`
}

// Help is shown by `postern user passwd --help`.
func (*userPasswd) Help() string {
	return `Second factors stay. If the account was stolen, look at them, since a thief may have added one:
  postern user factors alice list
  postern user factors alice clear

Examples:
  postern user passwd alice
  pass show matrix/alice | postern user passwd alice --password-stdin`
}

// Run sets the password. Sessions end by default, since a new password often means that the old one leaked.
func (cmd *userPasswd) Run(ctx context.Context, w world, c *common) error {
	hash, err := cmd.hash(ctx, w, handlers.NewUserID(handlers.Spelled(cmd.Name, c.ServerName), c.ServerName))
	if err != nil {
		return err
	}
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		ended, err := d.ChangePassword(ctx,
			db.PasswordChange{Localpart: name, Hash: hash, EndOthers: !cmd.KeepSessions})
		if err == nil {
			fmt.Fprintf(w.stdout, "%s has a new password; %s ended\n", name, plural(ended, "session"))
			err = hintFactors(ctx, w, d, name)
		}
		return err
	})
}

// hintFactors says that an account has second factors, which a new password does not remove.
func hintFactors(ctx context.Context, w world, d *db.DB, name string) error {
	u, err := d.User(ctx, name)
	if err == nil && u.SecondFactor {
		fmt.Fprintf(w.stdout, "its second factors stay; look at them with: postern user factors %s list\n", name)
	}
	return err
}

type userDeactivate struct {
	Name  string `arg:"" help:"Localpart, or whole user id."`
	Erase bool   `help:"Let the homeserver forget the user as far as it can: new members of rooms do not see what they wrote."`
}

// Help is shown by `postern user deactivate --help`.
func (*userDeactivate) Help() string {
	return `Its sessions end, and its second factors and mail addresses are removed: an account that is open again
(postern user reactivate) has none of them, and nobody can have a link to a new password by mail. The name
stays taken.

Examples:
  postern user deactivate alice
  postern user deactivate alice --erase`
}

// Run deactivates the account.
func (cmd *userDeactivate) Run(ctx context.Context, w world, c *common) error {
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		ended, err := d.Deactivate(ctx, name, time.Now(), cmd.Erase)
		if err == nil {
			fmt.Fprintf(w.stdout, "%s is deactivated; %s ended\n", name, plural(ended, "session"))
		}
		return err
	})
}

type userReactivate struct {
	Name string `arg:"" help:"Localpart, or whole user id."`
}

// Run reactivates the account.
func (cmd *userReactivate) Run(ctx context.Context, w world, c *common) error {
	return c.accountQueue(ctx, cmd.Name, func(q *outbox.Queue, name string) error {
		err := q.Reactivate(ctx, name)
		if err == nil {
			fmt.Fprintf(w.stdout, "%s is active\n", name)
		}
		return err
	})
}

// account opens the database for work on one account; an error says so if there is none of that name.
func (c *common) account(ctx context.Context, name string, do func(d *db.DB, localpart string) error) error {
	return c.accountQueue(ctx, name, func(q *outbox.Queue, localpart string) error { return do(q.DB, localpart) })
}

// accountQueue is account for a command about the outbox.
func (c *common) accountQueue(ctx context.Context, name string,
	do func(q *outbox.Queue, localpart string) error) error {
	return c.existingQueue(ctx, func(q *outbox.Queue) error {
		localpart, err := c.localpart(ctx, q.DB, name)
		if err == nil {
			err = do(q, localpart)
		}
		if errors.Is(err, db.ErrNotFound) {
			return fmt.Errorf("there is no account %q on %s; `postern user list` shows them", name, c.ServerName)
		}
		return err
	})
}
