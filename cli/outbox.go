package cli

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/outbox"
	"postern/homeserver/synapse"
)

// telling starts to tell the homeserver, if there is one, what it must know of users and devices, and gives what
// handlers need for it. stop ends that.
func (h *homeserver) telling(ctx context.Context, d *db.DB, metrics *handlers.Metrics,
	log *slog.Logger) (_ *handlers.Homeserver, stop func(), err error) {
	before, err := d.Behind(ctx)
	switch {
	case err != nil:
		return nil, nil, err
	case h == nil && before != "":
		log.Warn("without --homeserver nobody is told of changes; they wait in the outbox for a start with it",
			"homeserver", before)
		return nil, func() {}, nil
	case h == nil:
		return nil, func() {}, nil
	case before != h.url.String():
		if err := d.SetBehind(ctx, h.url.String()); err != nil {
			return nil, nil, err
		}
	}
	client := synapse.New(synapse.Config{URL: h.url.String(), Secret: h.secret})
	sender := outbox.New(outbox.Config{DB: d, Synapse: client, Log: log, Now: time.Now,
		Sent: metrics.Outbox(waiting(d))})
	sender.Start()
	return &handlers.Homeserver{
			Secret: h.secret, Provision: sender.Provision, Available: sender.Available,
			AllowReset: client.AllowCrossSigningReset,
			Knows:      knows(client),
		}, func() {
			sender.Close()
			client.Close()
		}, nil
}

// knows asks for a user who is not deactivated.
func knows(client *synapse.Client) func(context.Context, string) (bool, error) {
	return func(ctx context.Context, localpart string) (bool, error) {
		user, err := client.QueryUser(ctx, localpart)
		if errors.Is(err, synapse.ErrNotFound) {
			return false, nil
		}
		return err == nil && !user.Deactivated, err
	}
}

// waiting counts what waits, for the metrics.
func waiting(d *db.DB) func() float64 {
	return func() float64 {
		ctx, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		n, err := d.OutboxSize(ctx)
		if err != nil {
			return -1 // a number that nobody takes for one
		}
		return float64(n)
	}
}
