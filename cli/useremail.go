package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/db"
	"postern/handlers"
)

type userEmail struct {
	listFlags
	Name    string `arg:"" help:"Localpart, or whole user id."`
	Do      string `arg:"" enum:"list,add,remove" help:"list, add or remove."`
	Address string `arg:"" optional:"" help:"The mail address, with add and remove."`
}

// Help is shown by `postern user email --help`.
func (*userEmail) Help() string {
	return `An address that you add counts as confirmed: nothing is sent there to ask. Whoever reads its mail can choose
a new password for the account, if the server sends mail and the account has no second factor. So make sure
first whose it is. An account has 10 at most, and no two accounts have the same. All addresses of the account
hear of what was added or removed; what was removed is good for no link any more.

Examples:
  postern user email alice list
  postern user email alice list --format json
  postern user email alice add alice@example.org
  postern user email alice remove alice@example.org`
}

// Run lists the mail addresses of an account, or changes them.
func (cmd *userEmail) Run(ctx context.Context, w world, c *common) error {
	if (cmd.Do == "list") != (cmd.Address == "") {
		return errors.New("write it like: postern user email NAME list, or add ADDRESS, or remove ADDRESS")
	}
	if cmd.Do == "list" {
		return c.account(ctx, cmd.Name, func(d *db.DB, name string) error { return cmd.list(ctx, w, c, d, name) })
	}
	address, err := handlers.Address(cmd.Address)
	if err != nil {
		return fmt.Errorf("%q: %w", cmd.Address, err)
	}
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		if cmd.Do == "add" {
			return cmd.add(ctx, w, c, d, name, address)
		}
		return cmd.remove(ctx, w, c, d, name, address)
	})
}

func (cmd *userEmail) list(ctx context.Context, w world, c *common, d *db.DB, name string) error {
	if _, err := d.User(ctx, name); err != nil {
		return err
	}
	emails, err := d.Emails(ctx, name)
	if err != nil {
		return err
	}
	t := cmd.listing(w.stdout, "ADDRESS CONFIRMED ADDED")
	for _, e := range emails {
		t.add(c.shapes().Email(e), e.Address, when(e.Validated), when(e.Added))
	}
	return t.end(nil)
}

func (cmd *userEmail) add(ctx context.Context, w world, c *common, d *db.DB, name, address string) error {
	err := handlers.GiveAddress(ctx, d, name, address, time.Now())
	var taken handlers.AddressTaken
	if errors.As(err, &taken) {
		return fmt.Errorf("%s has %s; if it is not theirs, `postern user email %[1]s remove %[2]s`", taken.By, address)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "%s has the mail address %s\n", handlers.NewUserID(name, c.ServerName), address)
	return nil
}

func (cmd *userEmail) remove(ctx context.Context, w world, c *common, d *db.DB, name, address string) error {
	user := handlers.NewUserID(name, c.ServerName)
	if _, err := d.User(ctx, name); err != nil {
		return err
	}
	err := d.RemoveEmail(ctx, name, address)
	if errors.Is(err, db.ErrNotFound) {
		return fmt.Errorf("%s has no mail address %s; `postern user email %s list` shows those it has", user, address,
			name)
	}
	if err == nil {
		fmt.Fprintf(w.stdout, "removed from %s: %s\n", user, address)
	}
	return err
}
