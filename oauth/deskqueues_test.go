package oauth

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

// TestDeskQueues: what waits to be sent is shown with the error and the next try, and of a webhook no more than the
// host: the rest of its address may be a secret.
func TestDeskQueues(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.operate()
	s.lacks(s.says(b.at(deskAt(deskQueues)), 200, "Nothing waits."), "For the homeserver")
	now := s.clock.Now()
	for i, to := range []string{"mailto:bob@example.org", "https://hooks.example.org/secret?key=SECRET", "%zz"} {
		s.must(s.db.Deliver(t.Context(), db.Delivery{ID: fmt.Sprint(i), Kind: "test", Target: to, Created: now,
			Expires: now.Add(time.Hour), Sealed: []byte("sealed")}))
	}
	claimed, err := s.db.ClaimDeliveries(t.Context(), "", "me", now, now.Add(time.Minute), 3)
	s.must(err)
	for _, d := range claimed {
		s.must(s.db.SettleDelivery(t.Context(), d.ID, "me", now.Add(time.Hour), "Post "+d.Target+": <away>"))
	}
	page := s.says(b.at(deskAt(deskQueues)), 200, "bob@example.org", "hooks.example.org", "&lt;away&gt;", "tries: 1",
		"next try "+now.Add(time.Hour).UTC().Format("2006-01-02 15:04 UTC"))
	s.lacks(page, "SECRET", "secret?", "sealed")
	s.says(b.at(handlers.DeskPath), 200, ">Mail and notices that wait</a></dt><dd>3</dd>")
}

// TestDeskRetries: each row says what it is and whom it is about; what is planned is no mail that waits; what failed is
// tried again by a button; and the page says where no mail is sent.
func TestDeskRetries(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("bob")
	b := s.operate()
	now, hour := s.clock.Now(), s.clock.Now().Add(time.Hour)
	for _, v := range []db.Delivery{
		{ID: "a", Kind: db.EventPassword, Target: "mailto:bob@example.org", Localpart: "bob"},
		{ID: "b", Kind: handlers.MailReset, Target: "mailto:bob@example.org", Localpart: "bob"},
		{ID: "notify/waiting/h", Kind: handlers.MailNotice, Target: "https://hooks.example.org/#1"},
		{ID: "notify/waiting/i", Kind: handlers.MailNotice, Target: "https://hooks.example.org/#1", Due: hour},
	} {
		v.Created, v.Expires = now, now.Add(24*time.Hour)
		s.must(s.db.Deliver(t.Context(), v))
	}
	at := deskAt(deskQueues)
	s.lacks(s.says(b.at(at), 200, "This server sends no mail at present"), "Try again what failed")
	claimed, err := s.db.ClaimDeliveries(t.Context(), "http", "me", now, hour, 9)
	s.must(err)
	for _, d := range claimed {
		s.must(s.db.SettleDelivery(t.Context(), d.ID, "me", now.Add(2*time.Hour), "away"))
	}
	page := s.says(b.at(at), 200, "Mail: link to choose a password", `<bdi>@bob:example.org</bdi></a>`,
		"summary, at "+hour.UTC().Format("2006-01-02 15:04 UTC"), "Try again what failed")
	s.says(b.at(handlers.DeskPath), 200, ">Mail and notices that wait</a></dt><dd>3</dd>")
	if got := b.press(at, page, "do", "retry"); got.status != http.StatusSeeOther {
		t.Fatalf("%d %s", got.status, got.body)
	}
	s.lacks(s.says(b.at(deskAt(deskQueues, "done", "retry")), 200, "tried again within seconds", "is next"),
		"next try", "Try again what failed</button>")
	if n, _, err := s.db.WaitingDeliveries(t.Context(), "http", now); n != 1 || err != nil {
		t.Errorf("%d are due, %v", n, err)
	}
}
