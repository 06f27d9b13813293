package cli

import (
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/test/rig/smtp"
)

// mailed binds an address to an account.
func (i *installation) mailed(name, address string) {
	i.Helper()
	c := &common{DB: i.db, ServerName: "localhost"}
	err := c.existing(i.Context(), func(d *db.DB) error {
		return handlers.GiveAddress(i.Context(), d, name, address, time.Now())
	})
	if err != nil {
		i.Fatal(err)
	}
}

// TestMail: what happens to an account is mailed to its owner, by the server and by the command line alike; an operator
// sees what waits, and why, and can have it tried at once. Nothing of it shows the password.
func TestMail(t *testing.T) {
	t.Parallel()
	const secret = "hunter2_of_the_mail"
	there := smtp.New(t, smtp.Config{TLS: "starttls", Cert: smtp.Good, User: "postern", Password: secret})
	i := newInstallation(t)
	file := i.kept("smtp.password", secret+"\n")
	url := "smtp://postern@127.0.0.1:" + there.Port + "?starttls=required&ca=" + there.CA
	flags := []string{"--smtp-url", url, "--smtp-password-file", file, "--mail-from", "Matrix <matrix@example.org>"}
	s := i.serve(append(flags, "--rate-limit", "off", "--log-level", "debug")...)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.mailed("alice", "alice@example.org")
	if m := there.Wait(1)[0]; m.Header(t, "Subject") != "A mail address was added to your account on localhost" ||
		m.Header(t, "From") != `"Matrix" <matrix@example.org>` || m.User != "postern" || !m.TLS {
		t.Errorf("the first is %+v", m)
	}
	s.login("alice", "secret")
	there.Be("later")
	i.must("new", "user", "passwd", "alice", "--password-stdin")
	until(t, "a try", func() bool { return strings.Contains(i.must("", "mail", "list"), "greylisted, try again") })
	if out := i.must("", "mail", "list"); !strings.Contains(out,
		"password_changed  alice@example.org  @alice:localhost") {
		t.Errorf("mail list prints\n%s", out)
	}
	metrics := fetched(t, s.url+"/metrics")
	for _, want := range []string{"postern_mail_waiting 1\n", `postern_mail_sends_total{result="sent"} 1`,
		`postern_mail_sends_total{result="later"}`, "postern_mail_oldest_seconds"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	there.Be("well")
	if out := i.must("", "mail", "retry"); !strings.Contains(out, "1 message") {
		t.Errorf("mail retry prints\n%s", out)
	}
	if m := there.Wait(2)[1]; m.Header(t, "Subject") != "Your password on localhost was changed" {
		t.Errorf("the second is %+v", m)
	}
	until(t, "nothing waits", func() bool { return strings.Contains(i.must("", "mail", "list"), "nothing waits") })
	logs := s.logs.String()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}

	out := i.must("", append([]string{"mail", "test", "Bob@example.org"}, flags...)...)
	for _, want := range []string{"-> RCPT TO:<bob@example.org>", "<- 235 ", "<- 250 ",
		"has taken the mail to bob@example.org"} {
		if !strings.Contains(out, want) {
			t.Errorf("mail test prints no %q:\n%s", want, out)
		}
	}
	there.Be("refuse")
	failed, err := i.command("", append([]string{"mail", "test", "bob@example.org"}, flags...)...)
	if err == nil || !strings.Contains(err.Error(), "5.1.1 no such mailbox") {
		t.Errorf("of a refused one: %v\n%s", err, failed)
	}
	for _, text := range []string{logs, out, failed, err.Error()} {
		if strings.Contains(text, secret) {
			t.Errorf("the password is shown:\n%s", text)
		}
	}

	without := i.serve("--rate-limit", "off")
	i.must("newer", "user", "passwd", "alice", "--password-stdin")
	if !strings.Contains(without.logs.String(), "without --smtp-url nobody gets mail any more") {
		t.Errorf("the log does not say so:\n%s", without.logs)
	}
	if out := i.must("", "mail", "list"); !strings.Contains(out, "nothing waits") {
		t.Errorf("without mail there waits\n%s", out)
	}
}

// TestMailFlags: all that is wrong is reported at once, with the fix, and no password.
func TestMailFlags(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	for words, args := range map[string][]string{
		"it holds a password":                     {"--smtp-url", "smtp://u:hunter2@mail.example.org", "--mail-from", "a@b.org"},
		"not the URL of a mail server":            {"--smtp-url", "mail.example.org", "--mail-from", "a@b.org"},
		"names a user":                            {"--smtp-url", "smtps://u@mail.example.org", "--mail-from", "a@b.org"},
		"--smtp-password-file: open":              {"--smtp-url", "smtps://u@mail.example.org", "--smtp-password-file", "/none"},
		"--mail-from: with the server name local": {"--smtp-url", "smtps://mail.example.org"},
		"--mail-reply-to: it is not a mail":       {"--smtp-url", "smtps://mail.example.org", "--mail-reply-to", "a b"},
		"need --smtp-url":                         {"--mail-from", "a@b.org"},
		"--access-ttl":                            {"--smtp-url", "mail.example.org", "--access-ttl", "x"},
	} {
		_, err := i.command("", append([]string{"serve"}, args...)...)
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: %v, want %q", args, err, words)
		}
	}
	i.refused("there is no mail server", "mail", "test", "a@example.org")
	i.refused("is not a mail address", "mail", "test", "a b", "--smtp-url", "smtp://127.0.0.1", "--mail-from",
		"a@b.org")
}
