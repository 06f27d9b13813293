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
