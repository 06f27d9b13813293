package handlers

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/db"
)

// TestSendMail: a mail waits in the database, sealed; whoever floods an address with mails gets the same answer as for
// the first one, and the address gets few.
func TestSendMail(t *testing.T) {
	t.Parallel()
	var woken atomic.Int64
	s := newSite(t, func(c *Config) { c.MailWaits = func() { woken.Add(1) } })
	if !s.server.MailOn() {
		t.Error("mail is off")
	}
	link := "https://example.org/reset?secret"
	until := s.clock.Now().Add(time.Hour)
	mail := Mail{Kind: MailReset, To: "alice@example.org", Localpart: "alice", Language: "de", Until: until,
		Values: map[string]string{MailLink: link}}
	var all sync.WaitGroup
	from := func(i int) context.Context {
		return WithCaller(t.Context(), &Caller{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})})
	}
	for i := range 20 {
		all.Go(func() {
			if err := s.server.SendMail(from(i), mail); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	waiting := s.waitingMails()
	if len(waiting) != 5 || woken.Load() != 20 {
		t.Fatalf("%d wait, want 5, and the sender was woken %d times", len(waiting), woken.Load())
	}
	v := waiting[0]
	if v.Target != "mailto:alice@example.org" || v.Language != "de" || v.Localpart != "alice" ||
		!v.Expires.Equal(until.Truncate(time.Millisecond)) || bytes.Contains(v.Sealed, []byte("secret")) {
		t.Errorf("the first is %+v", v)
	}
	var values map[string]string
	row := db.Interaction{ID: v.ID, Expires: v.Expires, Sealed: v.Sealed}
	if !s.server.Sealer().Unseal(row, &values, "a mail") || values[MailLink] != link {
		t.Errorf("it says %v", values)
	}
}

func (s *site) waitingMails() []db.Delivery {
	s.Helper()
	all, err := s.db.Deliveries(s.Context(), time.Time{}, 1000)
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// TestMailLimits: a mailbox gets few mails, whatever is put behind a plus; one network has fewer sent there, and leaves
// some to others; and there is an end to all of them. One too many is written like the others, and does not count.
func TestMailLimits(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	n := 0
	send := func(kind, to string, network int) int {
		t.Helper()
		n++
		from := netip.AddrFrom4([4]byte{10, 0, byte(network >> 8), byte(network)})
		ctx := WithCaller(t.Context(), &Caller{Addr: from})
		before := s.due(kind)
		s.must(s.server.SendMail(ctx, Mail{Kind: kind, To: to, Until: s.clock.Now().Add(time.Hour)}))
		return s.due(kind) - before
	}
	for i, want := range []int{1, 1, 1, 0, 0} {
		if got := send(MailAppReset, fmt.Sprintf("alice+%d@example.org", i), 1); got != want {
			t.Errorf("of one network, mail %d: %d", i, got)
		}
	}
	for i, want := range []int{1, 1, 0, 0} {
		if got := send(MailAppReset, "alice@example.org", 2+i); got != want {
			t.Errorf("of other networks, mail %d: %d", i, got)
		}
	}
	if send(MailReset, "alice@example.org", 1) != 1 || send(MailAppReset, "+@example.org", 1) != 1 ||
		send(MailAppReset, "alice@example.com", 1) != 1 {
		t.Error("what is of another kind, or goes elsewhere, is not sent")
	}
	most := MailLimits[len(MailLimits)-1].Count
	sent := 0
	for i := range most + 5 {
		sent += send(MailAppVerify, fmt.Sprintf("a%d@example.org", i), i)
	}
	if sent != most || send(MailVerify, "a@example.org", 1) != 1 {
		t.Errorf("%d are sent in all, want %d, and of another kind still", sent, most)
	}
	s.clock.Step(time.Hour + time.Second)
	if send(MailAppVerify, "b@example.org", 1) != 1 {
		t.Error("an hour later none is sent")
	}
	if written := s.count("deliveries"); written != n {
		t.Errorf("%d are written of %d", written, n)
	}
	if _, err := s.db.Tidy(t.Context(), s.clock.Now(), db.TidyConfig{}); err != nil {
		t.Fatal(err)
	}
	if written := s.count("deliveries"); written != n-9 {
		t.Errorf("then there are %d, want those that count: %d", written, n-9)
	}
}

// due counts what is to be sent of a kind.
func (s *site) due(kind string) (n int) {
	s.Helper()
	_, err := s.db.Get(s.Context(), `SELECT COUNT(*) FROM deliveries WHERE due > 0 AND kind = $1`, []any{&n}, kind)
	s.must(err)
	return n
}

func (s *site) count(table string) (n int) {
	s.Helper()
	_, err := s.db.Get(s.Context(), `SELECT COUNT(*) FROM `+table, []any{&n})
	s.must(err)
	return n
}

// TestMailRate: whichever way a mail is asked for, an address gets as many.
func TestMailRate(t *testing.T) {
	t.Parallel()
	s := mailSite(t, func(c *Config) { c.RateLimit = Rate{Count: 30, Period: time.Minute} })
	sent := 0
	for i := range 30 {
		body := fmt.Sprintf(`{"client_secret":"s","email":"new%d@example.org","send_attempt":1}`, i)
		ask := call{Method: "POST", Path: "/_matrix/client/v3/register/email/requestToken", Body: body}
		if s.do(ask).Status == 200 {
			sent++
		}
	}
	if sent != 10 {
		t.Errorf("%d mails were asked for in a moment, of the 10 that may be", sent)
	}
}
