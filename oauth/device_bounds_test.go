package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/oauth/protocol"
)

// TestDevicesAreLimited: an address asks, and guesses, so and so often; an account guesses so often from wherever.
func TestDevicesAreLimited(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.RateLimit = handlers.Rate{Count: 5, Period: time.Minute} })
	client := s.register(tvClient)
	for range 4 {
		s.ok(s.ask(client))
	}
	if a := s.want(s.ask(client), 503, ""); a.body != "" || a.header.Get("Retry-After") == "" {
		t.Errorf("the refusal is %v %q", a.header, a.body)
	}
	guess := func(addr string, account *db.User) (counted int) {
		for i := range 20 {
			from := strings.ReplaceAll(addr, "N", fmt.Sprint(i))
			_, err := s.api().findDevice(s.from(from), account, "BCDF-GHJK")
			switch e := handlers.AsError(err); {
			case errors.Is(err, errNoDevice):
				counted++
			case e.Status != http.StatusTooManyRequests || e.RetryAfter == 0:
				t.Fatal(err)
			}
		}
		return counted
	}
	if n := guess("192.0.2.1", nil); n != 5 {
		t.Errorf("an address guesses %d times", n)
	}
	if n := guess("2001:db8::N", nil); n != 5 {
		t.Errorf("a network guesses %d times", n)
	}
	if n := guess("192.0.3.N", s.alice()); n != 5 {
		t.Errorf("an account guesses %d times", n)
	}
	s.clock.Step(time.Minute)
	if n := guess("192.0.2.1", s.alice()); n != 5 {
		t.Errorf("after a while %d times", n)
	}
}

// TestDevicesAreBounded: the oldest goes when there are too many, and no user-interactive session with it.
func TestDevicesAreBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.RateLimit = handlers.Rate{} })
	s.must(s.db.AddInteraction(t.Context(), db.Interaction{ID: "other", Expires: s.clock.Now().Add(time.Minute),
		Version: 1, Sealed: []byte("x")}, s.clock.Now(), 1))
	first := s.tv()
	s.clock.Step(time.Second)
	fill(s, maxDevices-1)
	s.want(first.poll(), 400, "authorization_pending")
	last := s.tv()
	s.want(first.poll(), 400, "expired_token")
	s.want(last.poll(), 400, "authorization_pending")
	_, err := s.db.Interaction(t.Context(), "other")
	s.must(err)
}

// fill makes so many devices wait.
func fill(s *site, n int) {
	var wait sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(n))
	for range 32 {
		wait.Go(func() {
			for left.Add(-1) >= 0 {
				user, err := protocol.NewUserCode(s.server.Random)
				if err != nil {
					s.Error(err)
				}
				c := code{UserCode: user, expires: s.clock.Now().Add(deviceLife)}
				if err := s.api().addDevice(s.from("192.0.2.1"), c); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

// TestDeviceRowIsSealed: who reads the database learns neither code, nor who asks; and nobody reads a row that another
// server has sealed.
func TestDeviceRowIsSealed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.tv()
	user, _ := protocol.ParseUserCode(d.user)
	row, err := s.db.Interaction(t.Context(), deviceRow(user))
	s.must(err)
	for _, secret := range []string{d.code, d.user, string(user), d.client, "TVTVTVTVTV", "127.0.0.1"} {
		if strings.Contains(row.ID+string(row.Sealed), secret) {
			t.Errorf("the row holds %q", secret)
		}
	}
	row.Sealed[len(row.Sealed)-1] ^= 1
	s.must(s.db.SaveInteraction(t.Context(), row))
	s.want(d.poll(), 400, "expired_token")
}
