package handlers

import (
	"bytes"
	"fmt"
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
	for range 20 {
		all.Go(func() {
			if err := s.server.SendMail(t.Context(), mail); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	waiting := s.waitingMails()
	if len(waiting) != 5 || woken.Load() != 5 {
		t.Fatalf("%d wait, and the sender was woken %d times, want 5", len(waiting), woken.Load())
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
	mail.To = "bob@example.org"
	for i := range 4 {
		mail.Once = fmt.Sprint("attempt ", i/2)
		if err := s.server.SendMail(t.Context(), mail); err != nil {
			t.Error(err)
		}
	}
	if n := len(s.waitingMails()); n != 7 {
		t.Errorf("%d wait, want 7: each attempt once", n)
	}
}

func (s *site) waitingMails() []db.Delivery {
	s.Helper()
	all, err := s.db.Deliveries(s.Context(), 100)
	if err != nil {
		s.Fatal(err)
	}
	return all
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
