package cli

import (
	"context"
	"errors"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver"
	"postern/homeserver/outbox"
	"postern/homeserver/synapse"
)

// newPeer makes what lets the homeserver know of users and devices, and starts its outbox; nil when there is no
// homeserver. stop ends that.
func (h *homeserverSettings) newPeer(ctx context.Context, c handlers.Config) (_ *homeserver.Peer, stop func(),
	err error) {
	d, log := c.DB, c.Log
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
	collectors, sent := outbox.Metrics(waiting(d))
	c.Metrics.Register(collectors...)
	client := synapse.New(synapse.Config{URL: h.url.String(), Secret: h.secret})
	sender := outbox.New(outbox.Config{DB: d, Synapse: client, Log: log, Now: c.Now, Sent: sent})
	sender.Start()
	peer := homeserver.NewPeer(homeserver.Config{
		DB: d, ServerName: c.ServerName, Secret: h.secret, Services: h.bridges, Log: log, Now: c.Now, Random: c.Random,
		Provision: sender.Provision, Available: sender.Available, Knows: knows(client),
		AllowReset: client.AllowCrossSigningReset,
	})
	return peer, func() {
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
