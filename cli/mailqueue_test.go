package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"postern/test/rig/smtp"
)

// TestMailBesideWebhook: a receiver of webhooks that does not answer holds up no mail.
func TestMailBesideWebhook(t *testing.T) {
	t.Parallel()
	there := smtp.New(t, smtp.Config{})
	asked, mailed := make(chan struct{}, 100), make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-mailed:
		case <-r.Context().Done():
			t.Error("the mail has waited for the webhook to be given up")
		}
	}))
	defer hook.Close()
	i := newInstallation(t)
	i.serve("--smtp-url", "smtp://127.0.0.1:"+there.Port, "--mail-from", "matrix@example.org", "--notify", hook.URL,
		"--notify-internal")
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.must("", "user", "admin", "alice", "on")
	<-asked
	i.mailed("alice", "alice@example.org")
	there.Wait(1)
	close(mailed)
}

// TestMailTakenAway: without --smtp-url a server that has webhooks to send leaves mails alone that wait, and does not
// count them; the command line says that nobody sends them, and a start with it sends them.
func TestMailTakenAway(t *testing.T) {
	t.Parallel()
	there := smtp.New(t, smtp.Config{})
	there.Be("later")
	hook := newBell(t)
	i := newInstallation(t)
	flags := []string{"--smtp-url", "smtp://127.0.0.1:" + there.Port, "--mail-from", "matrix@example.org"}
	s := i.serve(flags...)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.mailed("alice", strings.Repeat("a", 60)+"@example.org")
	until(t, "a try", func() bool { return strings.Contains(i.must("", "mail", "list"), "try again") })
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}

	s = i.serve("--notify", hook.URL, "--notify-internal")
	const none = "The server sends no mail now"
	out := i.must("", "mail", "retry")
	if !strings.Contains(out, "0 messages to be sent") || !strings.Contains(out, none) {
		t.Errorf("mail retry prints\n%s", out)
	}
	i.must("", "user", "admin", "alice", "on")
	hook.hears(t)
	for range 2 { // whenever an hour ends, the second is told with what else is when the next does
		i.must("", "user", "admin", "alice", "off")
		i.must("", "user", "admin", "alice", "on")
	}
	out = i.must("", "mail", "list")
	for _, want := range []string{none, "summary, at ", strings.Repeat("a", 59) + "…"} {
		if !strings.Contains(out, want) {
			t.Errorf("mail list prints no %q:\n%s", want, out)
		}
	}
	metrics := fetched(t, s.url+"/metrics")
	if strings.Contains(out, "nothing here sends") || !strings.Contains(metrics, "postern_mail_waiting 0\n") {
		t.Errorf("the mail is tried or counted:\n%s", out)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	there.Be("well")
	i.serve(flags...)
	if out := i.must("", "mail", "retry"); strings.Contains(out, none) {
		t.Errorf("mail retry prints\n%s", out)
	}
	there.Wait(1)
}
