package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/handlers"
	"postern/homeserver/delegation"
	"postern/homeserver/doctor"
	"postern/homeserver/outbox"
	"postern/homeserver/reconcile"
)

type synapseSync struct {
	synapseFiles
	DryRun        bool `help:"Show what differs, and change nothing."`
	DeleteDevices bool `help:"Have Synapse delete the devices, and their encryption keys, on which there is no session."`
}

// Help is shown by `postern synapse sync --help`.
func (*synapseSync) Help() string {
	return `Compares users, locks and devices of both sides, and settles what differs: after Synapse or
Postern was restored from a backup, or when doctor says so. Both may run meanwhile.

A user who is deactivated or locked on one side becomes so on the other. A user whom Synapse does not
know it is told of, and of the mail addresses of who has some here. A session on a device that Synapse
does not have any more is soft-logged-out: its encryption keys are gone there, and the client that
logs in again keeps its own. Devices that only Synapse has are listed and left alone: after Postern
was restored their users log in again, and keep their keys. After Synapse was restored they are those
that logged out since: --delete-devices.

Examples:
  postern synapse sync /etc/matrix-synapse/homeserver.yaml --dry-run
  postern synapse sync /etc/matrix-synapse/homeserver.yaml /etc/matrix-synapse/conf.d --db /var/lib/postern/postern.db`
}

// Run compares, and settles.
func (cmd *synapseSync) Run(ctx context.Context, w world, c *common) error {
	config, err := delegation.Read(cmd.Files)
	if err != nil {
		return err
	}
	if !config.Delegation().Enabled {
		return errors.New("nothing is to be settled, since Synapse has its accounts itself; `postern user import` " +
			"brings them here")
	}
	source, err := doctor.Source(config)
	if err != nil {
		return err
	}
	return c.existingQueue(ctx, func(q *outbox.Queue) error {
		if err := c.movedOut(ctx, q.DB); err != nil {
			return err
		}
		if source.ServerName != c.ServerName {
			return fmt.Errorf("these are files of %s, and Postern's database is of %s", source.ServerName,
				c.ServerName)
		}
		differences, err := reconcile.Compare(ctx, q, source)
		if err != nil {
			return err
		}
		return cmd.settle(ctx, w, c, q, differences)
	})
}

// settle prints the differences and settles them.
func (cmd *synapseSync) settle(ctx context.Context, w world, c *common, q *outbox.Queue,
	differences []reconcile.Difference) error {
	if len(differences) == 0 {
		fmt.Fprintln(w.stdout, "both sides are the same")
		return nil
	}
	var rows [][]string
	for _, d := range differences {
		words := differs[d.Kind]
		if d.Kind == reconcile.DeviceUnknown && cmd.DeleteDevices {
			words[1] = "deleted there"
		}
		rows = append(rows, []string{string(handlers.NewUserID(d.Localpart, c.ServerName)), d.DeviceID,
			words[0], words[1]})
	}
	if err := table(w.stdout, "USER DEVICE DIFFERENCE SETTLED", rows); err != nil || cmd.DryRun {
		if cmd.DryRun {
			fmt.Fprintln(w.stdout, "\nNothing was changed. The same command without --dry-run settles it.")
		}
		return err
	}
	err := reconcile.Settle(ctx, q, differences, time.Now())
	if err == nil && cmd.DeleteDevices {
		err = reconcile.DeleteDevices(ctx, q, differences)
	}
	return err
}

// differs says how the sides differ, and how that is settled.
var differs = map[reconcile.Kind][2]string{
	reconcile.UserUnknown:    {"Synapse does not know the user", "Synapse is told"},
	reconcile.Deactivated:    {"deactivated at Synapse alone", "deactivated here"},
	reconcile.NotDeactivated: {"deactivated here alone", "Synapse is told"},
	reconcile.Locked:         {"locked at Synapse alone", "locked here"},
	reconcile.NotLocked:      {"locked here alone", "Synapse is told"},
	reconcile.Emails:         {"other mail addresses at Synapse", "Synapse is told"},
	reconcile.DeviceGone:     {"Synapse does not have the device", "soft-logged-out"},
	reconcile.DeviceUnknown:  {"no session on the device", "left alone"},
	reconcile.UserOnlyThere:  {"only Synapse has the user", "left alone: postern user import"},
}
