package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
)

type userApprove struct {
	Names []string `arg:"" name:"name" help:"Localparts, or whole user ids."`
}

// Help is shown by `postern user approve --help`.
func (*userApprove) Help() string {
	return `With serve --registration approval a new account waits until it is approved; a homeserver hears of it
then. With serve --smtp-url whoever has shown a mail address gets a mail; let the others know that they can log in now.
"user list --waiting" shows the addresses. An account that waits for 30 days goes.

Examples:
  postern user list --waiting
  postern user approve carol dave`
}

// Run makes accounts of those that wait.
func (cmd *userApprove) Run(ctx context.Context, w world, c *common) error {
	return c.decide(ctx, cmd.Names, func(d *db.DB, name string) error {
		err := d.ApproveUser(ctx, name, time.Now())
		if errors.Is(err, db.ErrConflict) {
			return fmt.Errorf("there is an account %s by now, which stays as it is; `postern user reject %s` removes "+
				"the one that waits", name, name)
		}
		if err == nil {
			fmt.Fprintf(w.stdout, "%s is approved and can log in\n", handlers.NewUserID(name, c.ServerName))
		}
		return err
	})
}

type userReject struct {
	Names []string `arg:"" name:"name" help:"Localparts, or whole user ids."`
}

// Help is shown by `postern user reject --help`.
func (*userReject) Help() string {
	return `The account that waits is removed, and its name is free again. One that was approved is not touched:
postern user deactivate closes that.

Examples:
  postern user list --waiting
  postern user reject spammer1 spammer2`
}

// Run removes accounts that wait.
func (cmd *userReject) Run(ctx context.Context, w world, c *common) error {
	return c.decide(ctx, cmd.Names, func(d *db.DB, name string) error {
		err := d.RejectUser(ctx, name)
		if err == nil {
			fmt.Fprintf(w.stdout, "%s is rejected; the name is free\n", handlers.NewUserID(name, c.ServerName))
		}
		return err
	})
}

// decide does something with accounts that wait, and names those that do not: one typing error must not keep the rest
// waiting.
func (c *common) decide(ctx context.Context, names []string, do func(d *db.DB, localpart string) error) error {
	return c.existing(ctx, func(d *db.DB) error {
		var problems []error
		for _, typed := range names {
			name := strings.ToLower(handlers.Spelled(typed, c.ServerName))
			err := do(d, name)
			if errors.Is(err, db.ErrNotFound) {
				err = c.waitsNot(ctx, d, typed, name)
			}
			problems = append(problems, err)
		}
		return errors.Join(problems...)
	})
}

// waitsNot says why there is nothing to decide.
func (c *common) waitsNot(ctx context.Context, d *db.DB, typed, name string) error {
	switch _, err := d.User(ctx, name); {
	case errors.Is(err, db.ErrNotFound):
		return fmt.Errorf("no account %q waits on %s; `postern user list --waiting` shows them", typed, c.ServerName)
	case err != nil:
		return err
	}
	return fmt.Errorf("%s does not wait, it is an account; `postern user deactivate %s` would close it", name, name)
}

// waits says that nothing can be done with an account yet.
func waits(name string) error {
	return fmt.Errorf("%s waits for approval; `postern user approve %s` makes it an account, `postern user reject %s` "+
		"frees the name", name, name, name)
}

// listWaiting lists accounts that wait.
func (cmd *userList) listWaiting(w world, c *common, waiting []db.WaitingUser) error {
	t := cmd.listing(w.stdout, "USER SINCE NETWORK EMAIL")
	for _, u := range waiting {
		shown := c.shapes().Signup(u)
		t.add(shown, shown.UserID, when(u.Since), u.Network, u.Email.Address)
	}
	return t.end(nil)
}

// waiting finds the account that waits and that an operator means; else db.ErrNotFound.
func (c *common) waiting(ctx context.Context, d *db.DB, typed string) (db.WaitingUser, error) {
	return d.WaitingUser(ctx, strings.ToLower(handlers.Spelled(typed, c.ServerName)))
}
