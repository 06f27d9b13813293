package cli

import (
	"context"
	"fmt"

	"postern/db"
	"postern/handlers"
)

type userFactors struct {
	listFlags
	Name string `arg:"" help:"Localpart, or whole user id."`
	Do   string `arg:"" enum:"list,clear" help:"list or clear."`
}

// Help is shown by `postern user factors --help`.
func (*userFactors) Help() string {
	return `Clear is for somebody who has lost their phone and their recovery codes: it removes their passkeys, one-time
codes and recovery codes, so that the password alone lets them in again, and signs them out in all browsers.
Their devices stay logged in. Make sure first that it is them who asks: somebody who has stolen the password would
ask the same. It counts at once, and leaves the event factors_cleared.

Examples:
  postern user factors alice list
  postern user factors alice list --format json
  postern user factors alice clear`
}

// Run lists the factors of an account, or removes them.
func (cmd *userFactors) Run(ctx context.Context, w world, c *common) error {
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		if _, err := d.User(ctx, name); err != nil {
			return err
		}
		factors, err := d.Factors(ctx, name)
		if err != nil {
			return err
		}
		if cmd.Do == "list" {
			return cmd.list(w, c, factors)
		}
		cleared, err := d.ClearFactors(ctx, name)
		if err != nil {
			return err
		}
		user := handlers.NewUserID(name, c.ServerName)
		if cleared == 0 {
			fmt.Fprintf(w.stdout, "%s has no second factor\n", user)
			return nil
		}
		fmt.Fprintf(w.stdout, "removed from %s: %s, and the recovery codes; the password alone lets them in again\n",
			user, plural(cleared, "second factor"))
		return nil
	})
}

// list shows factors. The recovery codes share a row.
func (cmd *userFactors) list(w world, c *common, factors []db.Factor) error {
	t := cmd.listing(w.stdout, "KIND NAME ADDED LAST-USED")
	left := 0
	for _, f := range factors {
		kind := f.Kind
		switch f.Kind {
		case db.FactorRecovery:
			left++
			continue
		case db.FactorCodes:
			kind = "one-time codes"
		}
		t.add(c.shapes().Factor(f), kind, f.Name, when(f.Created), when(f.Used))
	}
	if left > 0 {
		row := struct {
			Kind string `json:"kind"`
			Left int    `json:"recovery_codes"`
		}{db.FactorRecovery, left}
		t.add(row, "recovery codes", fmt.Sprintf("%d left", left), "", "")
	}
	return t.end(nil)
}
