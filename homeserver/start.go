package homeserver

import (
	"context"

	"postern/handlers"
	"postern/homeserver/appservice"
	"postern/homeserver/outbox"
	"postern/homeserver/synapse"
)

// Options say which homeserver a server is a reverse proxy for.
type Options struct {
	URL    string // without a path; empty: none
	Secret string // what both servers show each other

	RegistrationSecret string // see Config

	Services *appservice.Services
	Only     bool // no other server runs on the same SQLite file
}

// Start makes the peer of the server that c configures, on the database of q, and begins to tell the homeserver what
// waits in the outbox. Without a homeserver the peer is nil. Until stop is called the peer can be used, and q's
// database must stay open.
func Start(ctx context.Context, q *outbox.Queue, c handlers.Config, o Options) (_ *Peer, stop func(), err error) {
	before, err := q.Homeserver(ctx)
	switch {
	case err != nil:
		return nil, nil, err
	case o.URL == "" && before != "":
		c.Log.Warn("without --homeserver nobody is told of changes; they wait in the outbox for a start with it",
			"homeserver", before)
		return nil, func() {}, nil
	case o.URL == "":
		return nil, func() {}, nil
	case before != o.URL:
		if err := q.SetHomeserver(ctx, o.URL); err != nil {
			return nil, nil, err
		}
	}
	collectors, sent := outbox.Metrics(q)
	c.Metrics.Register(collectors...)
	client := synapse.New(synapse.Config{URL: o.URL, Secret: o.Secret})
	sender := outbox.New(outbox.Config{Queue: q, Synapse: client, Log: c.Log, Now: c.Now, Sent: sent,
		Only: o.Only})
	sender.Start()
	peer := NewPeer(Config{
		Queue: q, ServerName: c.ServerName, Secret: o.Secret,
		RegistrationSecret: o.RegistrationSecret, Services: o.Services, Log: c.Log, Now: c.Now,
		Random: c.Random, Provision: sender.Provision, Available: sender.Available, User: sender.User,
		HasDevice: client.HasDevice, AllowReset: client.AllowCrossSigningReset,
	})
	return peer, func() {
		sender.Close()
		client.Close()
	}, nil
}
