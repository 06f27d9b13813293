package cli

import (
	"context"

	"postern/handlers"
	"postern/homeserver"
	"postern/homeserver/front"
)

// newFront makes the front before the homeserver.
func (h *homeserverSettings) newFront(ctx context.Context, g *homeserver.Gate, e ending) *front.Front {
	return front.New(front.Config{
		Homeserver: h.url, Login: g, ExposeAdmin: h.exposeAdmin, Patience: e.sockets.patience.write,
		Stopping: ctx, Grace: grace, Log: e.sockets.log,
	})
}

// enter puts the front before the server, and begins to answer the homeserver's questions.
func (h *homeserverSettings) enter(ctx context.Context, s *handlers.Server, peer *homeserver.Peer,
	e ending) (publicHandler, error) {
	g := homeserver.NewGate(s, peer, h.internal == "")
	// which ends after the last request has, since the homeserver asks while it answers those
	at, end, err := e.sockets.listenApart("--internal-listen", h.internal, g.Internal())
	if err != nil {
		return publicHandler{}, err
	}
	e.sockets.log.Info("standing in front of a homeserver", "homeserver", h.url.String(), "introspection", at,
		"admin_api", h.exposeAdmin)
	f := h.newFront(ctx, g, e)
	return publicHandler{Handler: f, front: f, stop: end}, nil
}
