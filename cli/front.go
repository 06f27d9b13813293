package cli

import (
	"context"
	"log/slog"
	"time"

	"postern/handlers"
	"postern/homeserver"
	"postern/homeserver/front"
)

// grace is how long requests that only wait, such as long polls, hold up a server that is told to stop. They lose
// nothing: a client asks again.
const grace = time.Second

// newFront makes the front before the homeserver.
func (h *homeserverSettings) newFront(ctx context.Context, g *homeserver.Gate, log *slog.Logger,
	p patience) *front.Front {
	return front.New(front.Config{
		Homeserver: h.url, Login: g, ExposeAdmin: h.exposeAdmin, Patience: p.write,
		Stopping: ctx, Grace: grace, Log: log,
	})
}

// enter puts the front before the server, and begins to answer the homeserver's questions.
func (h *homeserverSettings) enter(ctx context.Context, s *handlers.Server, peer *homeserver.Peer, log *slog.Logger,
	p patience) (publicHandler, error) {
	g := homeserver.NewGate(s, peer, h.internal == "")
	// which ends after the last request has, since the homeserver asks while it answers those
	at, end, err := listenApart("--internal-listen", h.internal, g.Internal(), log, p)
	if err != nil {
		return publicHandler{}, err
	}
	log.Info("standing in front of a homeserver", "homeserver", h.url.String(), "introspection", at, "admin_api",
		h.exposeAdmin)
	f := h.newFront(ctx, g, log, p)
	return publicHandler{Handler: f, stop: func() { f.Close(); end() }}, nil
}
