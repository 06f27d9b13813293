package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"postern/handlers"
	"postern/homeserver/front"
)

// grace is how long requests that only wait, such as long polls, hold up a server that is told to stop. They lose
// nothing: a client asks again.
const grace = time.Second

// stand makes the front before the homeserver.
func (h *homeserver) stand(ctx context.Context, s *handlers.Server, log *slog.Logger, p patience) *front.Front {
	config := front.Config{
		Homeserver: h.url, Real: s.Handler(), Name: s.Name, Client: s.Client, Ended: s.Ended, Disowned: s.Disowned,
		Mine: s.Mine, Through: s.Through, Intercept: s.Amendments(),
		Exchange: func(w http.ResponseWriter, r *http.Request, path, token string) (front.Passage, bool) {
			plain, ours, ok := s.Exchange(w, r, path, token)
			return front.Passage{Token: plain, Ours: ours}, ok
		},
		Edits: map[string]front.Edit{
			"GET /_matrix/client/v3/capabilities": s.AmendCapabilities,
			"GET /.well-known/matrix/client":      s.AmendWellKnown,
		},
		ExposeAdmin: h.exposeAdmin, Patience: p.write, Stopping: ctx, Grace: grace, ID: "postern-" + rand.Text(),
		Log: log,
	}
	if h.internal == "" {
		config.Internal = s.Internal()
		config.InternalPaths = []string{handlers.IntrospectPath, handlers.DiscoveryPath}
	}
	return front.New(config)
}

// enter puts the front before the server, and begins to answer the homeserver's questions.
func (h *homeserver) enter(ctx context.Context, s *handlers.Server, log *slog.Logger, p patience) (publicHandler, error) {
	at, end, err := h.listen(s, log, p)
	if err != nil {
		return publicHandler{}, err
	}
	if at == "" {
		at = "--listen"
	}
	log.Info("standing in front of a homeserver", "homeserver", h.url.String(), "introspection", at, "admin_api",
		h.exposeAdmin)
	f := h.stand(ctx, s, log, p)
	return publicHandler{Handler: f, stop: func() { f.Close(); end() }}, nil
}

// listen answers the homeserver's questions on an address of their own, if there is one, until it is told to end: which
// is after the last request has, since the homeserver asks while it answers those. It gives where that is.
func (h *homeserver) listen(s *handlers.Server, log *slog.Logger, p patience) (at string, end func(), err error) {
	if h.internal == "" {
		return "", func() {}, nil
	}
	listener, err := net.Listen("tcp", h.internal)
	if err != nil {
		return "", nil, fmt.Errorf("cannot listen for the homeserver: %w; choose another with --internal-listen", err)
	}
	server := newServer(s.Internal(), log, p)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != http.ErrServerClosed {
			log.Error("the homeserver's questions are not answered any more; start the server again", "error", err)
		}
	}()
	return listener.Addr().String(), func() { _ = server.Close(); <-done }, nil
}
