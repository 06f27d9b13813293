package mail

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"postern/test/rig/smtp"
)

// TestSecured: a mail goes out by STARTTLS and by TLS where the certificate is good for the name, with the password
// where one is asked for; else nothing is said, and the mail waits.
func TestSecured(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	for _, test := range []struct {
		name        string
		server      smtp.Config
		scheme      string
		user, query string // ca= is added where there is a certificate
		failure     string // empty: it arrives
	}{
		{"STARTTLS", smtp.Config{TLS: "starttls", Cert: smtp.Good}, "smtp", "", "starttls=required", ""},
		{"STARTTLS if offered", smtp.Config{TLS: "starttls", Cert: smtp.Good}, "smtp", "", "starttls=optional", ""},
		{"TLS", smtp.Config{TLS: "tls", Cert: smtp.Good}, "smtps", "", "", ""},
		{"neither, on loopback", smtp.Config{}, "smtp", "", "", ""},
		{"not offered, optional", smtp.Config{}, "smtp", "", "starttls=optional", ""},
		{"not offered", smtp.Config{}, "smtp", "", "starttls=required", "does not support STARTTLS"},
		{"expired", smtp.Config{TLS: "starttls", Cert: smtp.Expired}, "smtp", "", "starttls=required", "expired"},
		{"expired, optional", smtp.Config{TLS: "starttls", Cert: smtp.Expired}, "smtp", "", "starttls=optional", "expired"},
		{"expired, TLS", smtp.Config{TLS: "tls", Cert: smtp.Expired}, "smtps", "", "", "expired"},
		{"another name", smtp.Config{TLS: "starttls", Cert: smtp.OtherName}, "smtp", "", "starttls=required", "127.0.0.1"},
		{"another name, TLS", smtp.Config{TLS: "tls", Cert: smtp.OtherName}, "smtps", "", "", "127.0.0.1"},
		{"self-signed", smtp.Config{TLS: "starttls", Cert: smtp.SelfSigned}, "smtp", "", "starttls=required", "unknown authority"},
		{"self-signed, TLS", smtp.Config{TLS: "tls", Cert: smtp.SelfSigned}, "smtps", "", "", "unknown authority"},
		{"password", smtp.Config{TLS: "starttls", Cert: smtp.Good, User: "u", Password: "p w"}, "smtp", "u:p%20w@", "starttls=required", ""},
		{"password, TLS", smtp.Config{TLS: "tls", Cert: smtp.Good, User: "u", Password: "p w"}, "smtps", "u:p%20w@", "", ""},
		{"password, plain on loopback", smtp.Config{User: "u", Password: "p w"}, "smtp", "u:p%20w@", "", ""},
		{"wrong password", smtp.Config{TLS: "starttls", Cert: smtp.Good, User: "u", Password: "p w"}, "smtp", "u:secret@", "starttls=required", "535"},
		{"no password", smtp.Config{TLS: "starttls", Cert: smtp.Good, User: "u", Password: "p w"}, "smtp", "", "starttls=required", "530"},
		{"TLS to a server without", smtp.Config{}, "smtps", "", "", "TLS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := smtp.New(t, test.server)
			if server.CA != "" {
				test.query += "&ca=" + escaped(server.CA)
			}
			p := newPost(t, settings(t, server, test.scheme, test.user, test.query))
			p.hurry(20 * time.Second)
			p.queue("1", "alice@example.org")
			p.round()
			mails, waiting := server.Mails(), p.waiting()
			if test.failure != "" {
				if len(mails) > 0 || len(waiting) != 1 || !strings.Contains(waiting[0].Error, test.failure) ||
					strings.Contains(waiting[0].Error, "secret") || waiting[0].Due.IsZero() {
					t.Fatalf("there came %v, and %+v waits, want %q", mails, waiting, test.failure)
				}
				return
			}
			if len(mails) != 1 || len(waiting) > 0 {
				t.Fatalf("there came %v, and %+v waits", mails, waiting)
			}
			m := mails[0]
			if m.TLS != (test.server.TLS != "") || m.User != test.server.User || m.From != "postern@example.org" ||
				len(m.To) != 1 || m.To[0] != "alice@example.org" {
				t.Errorf("it is %+v", m)
			}
		})
	}
}

// TestUnwilling: whatever the server does, a mail waits and comes once it is well again; only one that is refused for
// good is given up. None comes twice, but where the server has taken it without saying so.
func TestUnwilling(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	for mode, want := range map[string]struct {
		result string
		error  string
		copies int // that arrive in the end
	}{
		"full":              {"later", "452", 1},
		"later":             {"later", "451", 1},
		"closing":           {"later", "421", 1},
		"refuse the sender": {"later", "550", 1},
		"refuse":            {"refused", "", 0},
		"spam":              {"refused", "", 0},
		"cut":               {"later", "EOF", 2},
		"stall at greeting": {"later", "timeout", 1},
		"stall at EHLO":     {"later", "timeout", 1},
		"stall at MAIL":     {"later", "timeout", 1},
		"stall at RCPT":     {"later", "timeout", 1},
		"stall at DATA":     {"later", "timeout", 1},
		"stall at the end":  {"later", "timeout", 1},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			server := smtp.New(t, smtp.Config{})
			p := newPost(t, settings(t, server, "smtp", "", ""))
			p.queue("1", "alice@example.org")
			server.Be(mode)
			if strings.HasPrefix(mode, "stall") {
				p.hurry(150 * time.Millisecond)
			} else {
				p.hurry(20 * time.Second)
			}
			p.round()
			waiting := p.waiting()
			if len(p.sent) != 1 || p.sent[0] != want.result || len(waiting) != min(1, want.copies) ||
				len(waiting) == 1 && !strings.Contains(waiting[0].Error, want.error) {
				t.Fatalf("the result is %v, and %+v waits", p.sent, waiting)
			}
			server.Be("well")
			p.hurry(20 * time.Second)
			if p.round(); len(p.waiting()) != len(waiting) {
				t.Error("it was tried again at once")
			}
			p.step(time.Minute)
			p.round()
			mails := server.Mails()
			if len(mails) != want.copies || len(p.waiting()) > 0 {
				t.Fatalf("%d came, and %v waits", len(mails), p.waiting())
			}
			for _, m := range mails {
				if id := m.Header(t, "Message-ID"); id != mails[0].Header(t, "Message-ID") || len(id) < 32 {
					t.Errorf("a copy has the Message-ID %q", id)
				}
			}
		})
	}
}

// TestSilence: a server that takes the connection and says nothing holds up nothing, also where TLS comes first.
func TestSilence(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, port, _ := net.SplitHostPort(silent.Addr().String())
	for _, how := range []string{TLSAtOnce, StartTLS, NoTLS} {
		p := newPost(t, Settings{Host: "127.0.0.1", Port: port, TLS: how, From: mustFrom("postern@example.org")})
		p.hurry(100 * time.Millisecond)
		p.queue("1", "alice@example.org")
		p.queue("2", "bob@example.org")
		p.round()
		waiting := p.waiting()
		if len(waiting) != 2 || waiting[0].Error == "" || waiting[1].Error != waiting[0].Error || len(p.sent) != 2 {
			t.Errorf("%s: %+v wait", how, waiting)
		}
	}
}

// TestClosedMeanwhile: a sender that is closed while a server stalls ends soon, and the mail waits.
func TestClosedMeanwhile(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	server := smtp.New(t, smtp.Config{})
	server.Be("stall at the end")
	p := newPost(t, settings(t, server, "smtp", "", ""))
	p.hurry(time.Hour)
	p.queue("1", "alice@example.org")
	s := New(p.config())
	s.Start()
	for until := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if waiting := p.waiting(); len(waiting) == 1 && waiting[0].Tries > 0 {
			break
		} else if time.Now().After(until) {
			t.Fatalf("%+v wait, want one that is tried", waiting)
		}
	}
	s.endSends() // as Close does after a while
	s.Close()
	if waiting := p.waiting(); len(waiting) != 1 || len(server.Mails()) > 0 {
		t.Errorf("%+v wait", waiting)
	}
}

// TestAway: while the server is away each mail waits longer from try to try, up to four hours, and all come soon after
// it is back. One that expires meanwhile is given up.
func TestAway(t *testing.T) {
	t.Parallel()
	server := smtp.New(t, smtp.Config{})
	s := settings(t, server, "smtp", "", "")
	p := newPost(t, s)
	gone := s
	gone.Port = "1"
	away, err := NewSMTP(gone, letters())
	if err != nil {
		t.Fatal(err)
	}
	there := p.smtp
	p.smtp = away
	sender := New(p.config())
	for _, id := range []string{"1", "2", "3"} {
		p.queue(id, id+"@example.org")
	}
	for try := 1; try <= 12; try++ {
		if _, err := sender.round(); err != nil {
			t.Fatal(err)
		}
		full := min(maxRetry, firstRetry<<(try-1))
		for _, v := range p.waiting() {
			if d := v.Due.Sub(p.clock()); v.Tries != try || d < full/2 || d > full || v.Error == "" {
				t.Fatalf("after %d tries it waits %v: %+v", try, d, v)
			}
		}
		p.step(full)
	}
	p.queue("short", "short@example.org")
	sender.c.Transport = there
	if _, err := sender.round(); err != nil {
		t.Fatal(err)
	}
	if len(server.Mails()) != 4 || len(p.waiting()) > 0 || sender.away {
		t.Errorf("%d have come, %v wait", len(server.Mails()), p.waiting())
	}
	sender.c.Transport = away
	late := p.queue("late", "late@example.org")
	if _, err := sender.round(); err != nil {
		t.Fatal(err)
	}
	p.queue("fresh", "fresh@example.org")
	if _, err := sender.round(); err != nil {
		t.Fatal(err)
	}
	sender.c.Transport = there
	p.queue("now", "now@example.org")
	for range 2 { // what waits is due as soon as one has come through
		if _, err := sender.round(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(server.Mails()); n != 7 || len(p.waiting()) > 0 {
		t.Errorf("%d have come, %v wait", n, p.waiting())
	}
	sender.c.Transport = away
	p.queue("expires", "expires@example.org")
	if _, err := sender.round(); err != nil {
		t.Fatal(err)
	}
	p.step(late.Expires.Sub(late.Created) + time.Minute)
	sender.c.Transport = there
	p.sent = nil
	if _, err := sender.round(); err != nil || len(server.Mails()) != 7 || len(p.waiting()) > 0 ||
		len(p.sent) != 1 || p.sent[0] != "refused" {
		t.Errorf("an expired one: %v, %v, %d have come", err, p.sent, len(server.Mails()))
	}
	sender.c.Transport.Rest()
}

// TestOneSession: the mails of a batch go over one connection, also where one is refused; a connection that the server
// has closed meanwhile costs none of them anything.
func TestOneSession(t *testing.T) {
	t.Parallel()
	server := smtp.New(t, smtp.Config{})
	p := newPost(t, settings(t, server, "smtp", "", ""))
	p.hurry(20 * time.Second)
	server.Be("refuse one")
	for _, id := range []string{"a", "b", "nobody", "c"} {
		p.queue(id, id+"@example.org")
	}
	sender := New(p.config())
	if _, err := sender.round(); err != nil {
		t.Fatal(err)
	}
	mails := server.Mails()
	if len(mails) != 3 || mails[0].Session != mails[2].Session {
		t.Fatalf("there came %+v", mails)
	}
	server.Be("cut idle")
	p.queue("d", "d@example.org")
	server.Be("cut idle")
	if err := p.smtp.Send(context.Background(), p.waiting()[0]); err == nil {
		t.Error("the second connection was cut as well, and it was sent")
	}
	var away *Away
	if err := p.smtp.Send(context.Background(), p.waiting()[0]); !errors.As(err, &away) {
		t.Errorf("the error is %v", err)
	}
	server.Be("well")
	if _, err := sender.round(); err != nil {
		t.Fatal(err)
	}
	p.queue("e", "e@example.org")
	server.Be("cut idle")
	p.smtp.hangUp() // as if the server had
	server.Be("well")
	if _, err := sender.round(); err != nil || len(server.Mails()) != 5 || len(p.waiting()) > 0 {
		t.Errorf("%v, there came %d, %v wait", err, len(server.Mails()), p.waiting())
	}
	sender.c.Transport.Rest()
}
