package mail

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/mail"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	gomail "github.com/wneessen/go-mail"
	"go.uber.org/goleak"

	"postern/db"
	"postern/db/dbtest"
	"postern/handlers"
	"postern/test/rig/postgres"
	"postern/test/rig/smtp"
)

func TestMain(m *testing.M) {
	if os.Getenv("MAIL_TEST_CHILD") != "" {
		child()
	}
	goleak.VerifyTestMain(m)
}

const host = "example.org"

// post is a sender on a real database, with a real SMTP server and a clock that the test moves.
type post struct {
	testing.TB
	db   *db.DB
	smtp *SMTP
	mu   sync.Mutex
	now  time.Time
	sent []string // results
}

// settings are those of a server.
func settings(t testing.TB, server *smtp.Server, scheme, user, query string) Settings {
	t.Helper()
	s, err := ParseURL(fmt.Sprintf("%s://%s127.0.0.1:%s?%s", scheme, user, server.Port, query), true)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func letters() *Letters {
	return &Letters{ServerName: host, From: mustFrom("Example <postern@example.org>"),
		Unseal: func(row db.Interaction, state any, _ string) bool {
			return json.Unmarshal(row.Sealed[1:], state) == nil
		}}
}

// newPost makes a sender that sends by settings.
func newPost(t testing.TB, s Settings) *post {
	t.Helper()
	p := &post{TB: t, db: dbtest.New(t), now: time.Now().Truncate(time.Millisecond)}
	var err error
	if p.smtp, err = NewSMTP(s, letters()); err != nil {
		t.Fatal(err)
	}
	p.hurry(time.Second)
	return p
}

// hurry bounds how long a step may take.
func (p *post) hurry(d time.Duration) {
	p.Helper()
	if err := gomail.WithTimeout(d)(p.smtp.client); err != nil {
		p.Fatal(err)
	}
}

func (p *post) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *post) step(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *post) config() Config {
	return Config{DB: p.db, To: Mails, Transport: p.smtp, Log: slog.New(slog.DiscardHandler),
		Now: p.clock, Sent: func(result string) { p.sent = append(p.sent, result) }}
}

// onSQLite skips a test that is about SMTP alone where the database is the other one.
func onSQLite(t *testing.T) {
	t.Helper()
	if postgres.Chosen() {
		t.Skip("this is about SMTP")
	}
}

// round sends what is due, and rests.
func (p *post) round() {
	p.Helper()
	s := New(p.config())
	for next := p.clock(); isDue(next, p.clock()) && !s.away; {
		var err error
		if next, err = s.round(); err != nil {
			p.Fatal(err)
		}
	}
	s.c.Transport.Rest()
}

// queue queues a notice to an address.
func (p *post) queue(id, address string) db.Delivery {
	p.Helper()
	v := db.Delivery{ID: id, Kind: handlers.MailNotice, Target: handlers.MailTarget(address), Language: "en",
		Sealed: []byte(`{"what":"news"}`), Created: p.clock(), Expires: p.clock().Add(handlers.MailLife)}
	if err := p.db.Deliver(context.Background(), v); err != nil {
		p.Fatal(err)
	}
	return v
}

// waiting are the deliveries that wait.
func (p *post) waiting() []db.Delivery {
	p.Helper()
	all, err := p.db.Deliveries(p.Context(), time.Time{}, 1000)
	if err != nil {
		p.Fatal(err)
	}
	return all
}

func mustFrom(text string) (a mail.Address) {
	a, err := ParseFrom(text, host)
	if err != nil {
		panic(err)
	}
	return a
}

// escaped is a file's path as a parameter of a URL.
func escaped(file string) string { return url.QueryEscape(file) }
