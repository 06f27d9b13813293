package cli

import (
	"context"
	"fmt"
	"time"

	"postern/db"
)

type userLock struct {
	Name string `arg:"" help:"Localpart, or whole user id."`
}

// Help is shown by `postern user lock --help`.
func (*userLock) Help() string {
	return `The account's clients are told that it is locked, and soft_logout: the devices are kept for them.
Element keeps its encryption keys then; Cinny, nheko and iamb throw theirs away.`
}

// Run locks the account. Client-Server API v1.19, "Account locking".
func (cmd *userLock) Run(ctx context.Context, w world, c *common) error {
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		err := d.LockUser(ctx, name, time.Now())
		if err == nil {
			fmt.Fprintf(w.stdout, "%s is locked; its clients are told so and may still log out\n", name)
		}
		return err
	})
}

type userUnlock struct {
	Name string `arg:"" help:"Localpart, or whole user id."`
}

// Run unlocks the account.
func (cmd *userUnlock) Run(ctx context.Context, w world, c *common) error {
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		err := d.UnlockUser(ctx, name)
		if err == nil {
			fmt.Fprintf(w.stdout, "%s is unlocked\n", name)
		}
		return err
	})
}
