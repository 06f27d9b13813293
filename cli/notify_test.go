package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bell is an operator's receiver, and what it has heard.
type bell struct {
	*httptest.Server
	heard chan string
	sick  chan struct{} // it answers 503 once for each value
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
		b.heard <- r.URL.String() + " " + r.Header.Get("Webhook-Signature") + " " + string(body)
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
	i.refused("is an internal address; if you mean it, set --notify-internal", "notify", "test", "--notify-file", file)
	i.refused("there is no target", "notify", "test")
	i.refused("number 2: it is neither like", "notify", "test", "--notify", "https://example.org,example.org")
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
