package cli

import (
	"context"
	"fmt"
	"strconv"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/outbox"
)

// synapseCmds are about the Synapse that Postern is a reverse proxy for.
type synapseCmds struct {
	Doctor  synapseDoctor  `cmd:"" help:"Say what in Synapse's configuration is in the way, and whether both sides work together."`
	Setup   synapseSetup   `cmd:"" help:"Show, or make, the change to Synapse's configuration that lets Postern have the accounts."`
	Outbox  synapseOutbox  `cmd:"" help:"List the changes that Synapse does not know yet."`
	Sync    synapseSync    `cmd:"" help:"Settle what differs between both sides: users, locks and devices."`
	Restore synapseRestore `cmd:"" help:"Show, or take back, what setup changed."`
}

// synapseFiles are Synapse's configuration, as its own --config-path has it.
type synapseFiles struct {
	Files []string `arg:"" name:"homeserver.yaml" help:"Synapse's configuration: files and folders, in the order in which Synapse is given them."`
}

type synapseOutbox struct{ listFlags }

// Help is shown by `postern synapse outbox --help`.
func (*synapseOutbox) Help() string {
	return `The server sends what waits, and tries again by itself: at once, then up to every minute, and every
hour what Synapse refuses.

Examples:
  postern synapse outbox
  postern synapse outbox --format json
  postern synapse outbox --db /var/lib/postern/postern.db`
}

// shownWaiting is what waits, in JSON.
type shownWaiting struct {
	UserID    string `json:"user_id"`
	Localpart string `json:"localpart"`
	DeviceID  string `json:"device_id,omitempty"`
	SinceTS   int64  `json:"since_ts"`
	Tries     int    `json:"tries"`
	NextTS    int64  `json:"next_ts"`
	Refused   bool   `json:"refused"`
	Error     string `json:"last_error,omitempty"`
}

// Run lists it.
func (cmd *synapseOutbox) Run(ctx context.Context, w world, c *common) error {
	return c.existingQueue(ctx, func(q *outbox.Queue) error {
		waiting, err := q.List(ctx)
		if err != nil {
			return err
		}
		t := cmd.listing(w.stdout, "USER DEVICE SINCE TRIES NEXT LAST-ERROR")
		if len(waiting) == 0 && !t.json {
			fmt.Fprintln(w.stdout, "nothing waits")
			return nil
		}
		for _, o := range waiting {
			shown := shownWaiting{string(handlers.NewUserID(o.Localpart, c.ServerName)), o.Localpart, o.DeviceID,
				db.Millis(o.Since), o.Tries, db.Millis(o.Due), o.Refused, o.Error}
			t.add(shown, shown.UserID, o.DeviceID, when(o.Since), strconv.Itoa(o.Tries), when(o.Due), o.Error)
		}
		return t.end(nil)
	})
}
