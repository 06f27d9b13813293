package main

import (
	"context"
	"fmt"
	"strconv"

	"postern/db"
	"postern/handlers"
)

// synapseCmds are about the Synapse that stands behind.
type synapseCmds struct {
	Outbox synapseOutbox `cmd:"" help:"List what Synapse must still be told."`
}

type synapseOutbox struct{}

// Help is shown by `postern synapse outbox --help`.
func (*synapseOutbox) Help() string {
	return `What waits is sent by the server, which tries again by itself: at once, then up to every minute, and every hour what Synapse refuses.

Examples:
  postern synapse outbox
  postern synapse outbox --db /var/lib/postern/postern.db`
}

// Run lists it.
func (cmd *synapseOutbox) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		waiting, err := d.Outbox(ctx)
		if err != nil {
			return err
		}
		if len(waiting) == 0 {
			fmt.Fprintln(w.stdout, "nothing waits")
			return nil
		}
		var rows [][]string
		for _, o := range waiting {
			rows = append(rows, []string{string(handlers.NewUserID(o.Localpart, c.ServerName)), printable(o.DeviceID), when(o.Since),
				strconv.Itoa(o.Tries), when(o.Due), printable(o.Error)})
		}
		return table(w.stdout, "USER DEVICE SINCE TRIES NEXT LAST-ERROR", rows)
	})
}
