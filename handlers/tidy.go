package handlers

import (
	"context"
	"encoding/binary"
	"io"
	"time"

	"postern/db"
)

// Housekeeping: what is over goes away by itself, see db.Tidy.

const (
	firstTidy = time.Minute // after the start, when its clients are done with coming back
	nextTidy  = time.Hour
)

// tidying tidies up now and then until the function that it returns is called, which waits for the end.
func (s *Server) tidying(first, next time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		timer := time.NewTimer(first)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			s.Metrics.sample(s.Now())
			s.tidy(ctx)
			timer.Reset(s.about(next))
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// about is a time that is up to a tenth longer, so that replicas that were started together do not tidy together for
// ever.
func (s *Server) about(d time.Duration) time.Duration {
	var n [8]byte
	if _, err := io.ReadFull(s.Random, n[:]); err != nil {
		return d
	}
	return d + time.Duration(binary.NativeEndian.Uint64(n[:])%uint64(d/10+1))
}

// tidy removes what is over, and tells if there was anything.
func (s *Server) tidy(ctx context.Context) {
	now := s.Now()
	gone, err := s.DB.Tidy(ctx, now, db.TidyConfig{KeepExpired: s.KeepExpired, KeepEvents: s.KeepEvents})
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("housekeeping was cut short; it goes on in an hour", "error", err)
	}
	total := 0
	for kind, n := range map[string]int{"session": gone.Sessions, "event": gone.Events, "login_token": gone.LoginTokens,
		"reservation": gone.Reservations, "interaction": gone.Interactions,
		"client": gone.Clients, "browser": gone.Browsers, "waiting_account": gone.Waiting, "mark": gone.Marks} {
		s.Metrics.tidied.WithLabelValues(kind).Add(float64(n))
		total += n
	}
	if total > 0 {
		s.Log.Info("tidied up", "sessions", gone.Sessions, "events", gone.Events, "login_tokens", gone.LoginTokens,
			"reservations", gone.Reservations, "interactions", gone.Interactions, "clients", gone.Clients,
			"browsers", gone.Browsers, "waiting_accounts", gone.Waiting, "marks", gone.Marks)
	}
}
