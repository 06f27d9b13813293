package cli

import (
	"context"
	"fmt"

	"postern/db"
)

type userAdmin struct {
	Name string `arg:"" help:"Localpart, or whole user id."`
	Mark string `arg:"" enum:"on,off" help:"on or off."`
}

// Help is shown by `postern user admin --help`.
func (*userAdmin) Help() string {
	return `An administrator sees the operator's desk, /account/admin, and may have tokens for the admin API
(postern token issue --admin). Synapse asks Postern as well who may use its own admin API: on and off count
with the next request that comes through Postern; clients that reach Synapse around it are remembered for
up to two minutes. That API, /_synapse/admin, can be reached from outside only with serve --expose-admin.
The last administrator can be taken away, too, with a warning: this command makes another one at any time.

Examples:
  postern user admin alice on
  postern user admin alice off`
}

// Run marks the account, or takes the mark away.
func (cmd *userAdmin) Run(ctx context.Context, w world, c *common) error {
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		if err := d.SetAdmin(ctx, name, cmd.Mark == "on"); err != nil {
			return err
		}
		if cmd.Mark == "on" {
			fmt.Fprintf(w.stdout, "%s may administer the server\n", name)
		} else {
			fmt.Fprintf(w.stdout, "%s may not administer the server\n", name)
		}
		return warnUnlessAdmins(ctx, w, d)
	})
}

// warnUnlessAdmins says that nobody is left who may administer the server.
func warnUnlessAdmins(ctx context.Context, w world, d *db.DB) error {
	left, err := d.UserPage(ctx, db.UserFilter{Admin: true, State: db.UserActive}, "", 1)
	if err == nil && len(left) == 0 {
		fmt.Fprintln(w.stderr, "warning: no account may administer the server any more; `postern user admin NAME on` "+
			"makes one an administrator")
	}
	return err
}
