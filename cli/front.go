package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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
	at, end, err := h.listen(g, log, p)
	if err != nil {
		return publicHandler{}, err
	}
	if at == "" {
		at = "--listen"
	}
	log.Info("standing in front of a homeserver", "homeserver", h.url.String(), "introspection", at, "admin_api",
		h.exposeAdmin)
	f := h.newFront(ctx, g, log, p)
	return publicHandler{Handler: f, stop: func() { f.Close(); end() }}, nil
}

// listen answers the homeserver's questions on an address of their own, if there is one, until it is told to end: which
// is after the last request has, since the homeserver asks while it answers those. It gives where that is.
func (h *homeserverSettings) listen(g *homeserver.Gate, log *slog.Logger, p patience) (at string, end func(),
	err error) {
	if h.internal == "" {
		return "", func() {}, nil
	}
	listener, err := net.Listen("tcp", h.internal)
	if err != nil {
		return "", nil, fmt.Errorf("cannot listen for the homeserver: %w; choose another with --internal-listen", err)
	}
	server := newServer(g.Internal(), log, p)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != http.ErrServerClosed {
			log.Error("the homeserver's questions are not answered any more; start the server again", "error", err)
		}
	}()
	return listener.Addr().String(), func() { _ = server.Close(); <-done }, nil
}
