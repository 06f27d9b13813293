package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/test/rig/smtp"
)

// bell is an operator's receiver, and what it has heard.
type bell struct {
	*httptest.Server
	heard chan string
	sick  chan struct{} // it answers 503 once for each value
	slow  atomic.Bool   // it hears, and does not answer
}

func newBell(t *testing.T) *bell {
	t.Helper()
	b := &bell{heard: make(chan string, 100), sick: make(chan struct{}, 100)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-b.sick:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		default:
		}
		body, _ := io.ReadAll(r.Body)
		b.heard <- r.URL.String() + " " + r.Header.Get("Webhook-Signature") + " " + string(body) +
			r.Header.Get("Webhook-Id")
		if b.slow.Load() {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(b.Close)
	return b
}

// hears waits for a notice.
func (b *bell) hears(t *testing.T) string {
	t.Helper()
	select {
	case words := <-b.heard:
		return words
	case <-time.After(time.Minute):
		t.Fatal("nothing is heard")
		return ""
	}
}

// kept writes a file beside the database.
func (i *installation) kept(name, content string) string {
	i.Helper()
	file := filepath.Join(filepath.Dir(i.db), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		i.Fatal(err)
	}
	return file
}

// TestNotifyTest: an operator tries targets, and sees of each what came of it, but no secret.
func TestNotifyTest(t *testing.T) {
	t.Parallel()
	i, b := newInstallation(t), newBell(t)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	secret := i.kept("notify.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
	file := i.kept("targets", "# where we look\n\n"+b.URL+"/FIRST\n  "+b.URL+"/SECOND  \n")
	out := i.must("", "notify", "test", "--notify-file", file, "--notify-secret-file", secret, "--notify-internal")
	if strings.Count(out, ": sent\n") != 2 || strings.Contains(out, "FIRST") || !strings.Contains(out, b.URL+"/#") {
		t.Errorf("it prints\n%s", out)
	}
	for _, path := range []string{"/FIRST", "/SECOND"} {
		if words := b.hears(t); !strings.HasPrefix(words, path+" v1,") || !strings.Contains(words, `"type":"test"`) ||
			!strings.Contains(words, `"text":"localhost: This is a test`) {
			t.Errorf("%s hears %s", path, words)
		}
	}
	b.sick <- struct{}{}
	out, err := i.command("", "notify", "test", "--notify-file", file, "--notify-internal")
	if err == nil || strings.Count(out, ": sent\n") != 1 || strings.Contains(err.Error(), "FIRST") ||
		!strings.Contains(err.Error(), "the receiver answers 503") {
		t.Errorf("of one that fails: %s %v", out, err)
	}
	b.hears(t) // the other one
	i.refused("is an internal address; if you mean it, set --notify-internal", "notify", "test", "--notify-file", file)
	// A name that says nothing of where it leads, by the system's resolver.
	i.refused("is an internal address, and --notify-internal is not set", "notify", "test", "--notify",
		"https://LocalHost"+b.URL[strings.LastIndex(b.URL, ":"):])
	if len(b.heard) > 0 {
		t.Errorf("it hears %s", <-b.heard)
	}
	i.refused("there is no target", "notify", "test")
	i.refused("number 2: it is neither like", "notify", "test", "--notify", "https://example.org,example.org")
}

// TestOperatorsAreTold: what a command does is told by the server, or by the next one if none runs, though the receiver
// is away at first; once an hour, and the URL is in no log.
func TestOperatorsAreTold(t *testing.T) {
	t.Parallel()
	i, b := newInstallation(t), newBell(t)
	for _, name := range []string{"alice", "bob"} {
		i.must("secret", "user", "add", name, "--password-stdin")
	}
	flags := []string{"--notify-file", i.kept("targets", b.URL+"/SECRET"), "--notify-internal", "--log-level", "debug"}
	s := i.serve(flags...)
	b.sick <- struct{}{}
	begin := time.Now().UTC().Hour()
	i.must("", "user", "admin", "alice", "on")
	until(t, "a try", func() bool { return strings.Contains(i.must("", "mail", "list"), "answers 503") })
	if list := i.must("", "mail", "list"); strings.Contains(list, "SECRET") || !strings.Contains(list, b.URL+"/#") {
		t.Errorf("the list is\n%s", list)
	}
	i.must("", "mail", "retry")
	if words := b.hears(t); !strings.HasPrefix(words, "/SECRET ") || !strings.Contains(words, `"type":"admin_on"`) ||
		!strings.Contains(words, `"user_id":"@alice:localhost"`) {
		t.Errorf("it hears %s", words)
	}
	i.must("", "user", "admin", "bob", "on")
	i.must("", "mail", "retry") // which hurries no notice of the next hour
	until(t, "the next hour's", func() bool {
		return strings.Contains(i.must("", "mail", "list"), "notice") || time.Now().UTC().Hour() != begin
	})
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if time.Now().UTC().Hour() == begin && len(b.heard) > 0 {
		t.Errorf("twice in an hour: %s", <-b.heard)
	}
	i.must("", "invite", "add") // an event that is told to nobody
	if strings.Contains(s.logs.String(), "SECRET") {
		t.Errorf("the log has the URL:\n%s", s.logs.String())
	}
}

// TestNoticesByMail: operators hear by mail as well, of the same things; a test by the same server.
func TestNoticesByMail(t *testing.T) {
	t.Parallel()
	there := smtp.New(t, smtp.Config{})
	i := newInstallation(t)
	flags := []string{"--notify", "mailto:ops@example.org", "--smtp-url", "smtp://127.0.0.1:" + there.Port,
		"--mail-from", "matrix@example.org"}
	const desk = "https://matrix.example.org/account/admin?action=events"
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.serve(append(flags, "--public-url", "https://matrix.example.org")...)
	i.must("", "user", "admin", "alice", "on")
	if out := i.must("", append([]string{"notify", "test"}, flags...)...); !strings.Contains(out,
		"mailto:ops@example.org: sent") {
		t.Errorf("the test prints %s", out)
	}
	all := there.Wait(2)
	if len(all) != 2 {
		t.Errorf("%d mails have come", len(all))
	}
	for _, m := range all {
		plain := m.Plain(t)
		switch subject := m.Header(t, "Subject"); {
		case !slices.Equal(m.To, []string{"ops@example.org"}):
			t.Errorf("it went to %q", m.To)
		case strings.ContainsAny(plain, "`") || strings.Count(plain, " UTC") > 1:
			t.Errorf("it says, more than once or not as plain text\n%s", m.Text)
		case subject == "localhost: This is a test of --notify" && strings.Contains(plain, "Nothing has happened."):
		case subject == "localhost: An account was made an administrator" &&
			strings.Contains(plain, "Account: alice.") && strings.Contains(plain, desk):
		default:
			t.Errorf("it says\n%s", m.Text)
		}
	}
	i.refused("a mail address needs --smtp-url", "serve", "--notify", "mailto:ops@example.org")
}

// TestNoticeSurvivesAKill: of what happens while no server runs the next one tells. If that is killed while the
// receiver has the notice, and has not answered, the one after it tells the same again.
func TestNoticeSurvivesAKill(t *testing.T) {
	t.Parallel()
	i, b := newInstallation(t), newBell(t)
	b.slow.Store(true)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	serve := []string{"--db", i.db, "--listen", "127.0.0.1:0", "--notify", b.URL, "--notify-internal"}
	first := launch(t, serve...)
	stop(t, first)
	i.must("", "user", "admin", "alice", "on")
	second := launch(t, serve...)
	before := b.hears(t)
	if err := second.Kill(); err != nil {
		t.Fatal(err)
	}
	launch(t, serve...)
	if after := b.hears(t); before != after {
		t.Errorf("it hears\n%s\nand then\n%s", before, after)
	}
}

// TestNotifySettings: all that is wrong is told at once, and no secret with it.
func TestNotifySettings(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	file := i.kept("targets", "ftp://SECRET\n")
	_, err := i.command("", "serve", "--notify", "http://hooks.example.org/SECRET", "--notify-file", file,
		"--notify-secret-file", i.kept("notify.secret", "SECRET"))
	if err == nil {
		t.Fatal("it starts")
	}
	for _, words := range []string{"--notify, number 1: http://hooks.example.org/#", "is not encrypted on its way",
		"--notify-file " + file + ", line 1: it is neither", "--notify-secret-file", "it is not whsec_"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("nothing of %q in\n%v", words, err)
		}
	}
	if strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the secret is shown: %v", err)
	}
}
