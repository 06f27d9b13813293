package mail

import (
	"net"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

// TestFailingIsAnEvent: mail that waits for ten minutes because the server is away is an event, once an hour. What the
// server puts off, or a notice to operators, is none.
func TestFailingIsAnEvent(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(closed.Addr().String())
	closed.Close()
	p := newPost(t, Settings{Host: "127.0.0.1", Port: port, TLS: NoTLS, From: mustFrom("postern@example.org")})
	s := New(p.config())
	wait := func(d time.Duration) {
		for range d / time.Minute {
			p.step(time.Minute)
			if err := p.db.RetryDeliveries(t.Context(), p.clock()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.round(); err != nil {
				t.Fatal(err)
			}
		}
	}
	failings := func(want int) {
		t.Helper()
		events, err := p.db.Events(t.Context(), "", 100)
		if err != nil || len(events) != want || want > 0 && events[0].Kind != db.EventMail {
			t.Fatalf("the events are %+v, %v; want %d", events, err, want)
		}
	}
	p.queue("notice", "ops@example.org")
	wait(30 * time.Minute)
	failings(0)
	v := db.Delivery{ID: "mail", Kind: handlers.MailVerify, Target: handlers.MailTarget("a@example.org"),
		Sealed: []byte(`{}`), Created: p.clock(), Expires: p.clock().Add(handlers.MailLife)}
	if err := p.db.Deliver(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	wait(9 * time.Minute)
	failings(0)
	wait(time.Minute)
	failings(1)
	wait(59 * time.Minute)
	failings(1)
	wait(time.Minute)
	failings(2)
}
