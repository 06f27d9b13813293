package cli

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"postern/test/rig/safe"
)

// TestServeWarns: each thing that was hardly meant is logged once, and none of them without its cause.
func TestServeWarns(t *testing.T) {
	t.Parallel()
	const open, readable, second = "whoever reaches this server can make accounts", "others on this machine can read",
		"another server runs on this database"
	told := func(s *server) (words []string) {
		for _, word := range []string{open, readable, second} {
			if strings.Count(s.logs.String(), word) == 1 {
				words = append(words, word)
			}
		}
		return words
	}
	i := newInstallation(t)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	first := i.serve()
	if words := told(first); len(words) > 0 {
		t.Errorf("for nothing: %q", words)
	}
	if words := told(i.serve("--registration", "open")); strings.Join(words, ", ") != open+", "+second {
		t.Errorf("an open one that is the second: %q", words)
	}
	if words := told(newInstallation(t).serve("--registration", "open", "--terms-url",
		"https://a.test/")); len(words) > 0 {
		t.Errorf("with terms: %q", words)
	}
	other := newInstallation(t)
	other.must("secret", "user", "add", "alice", "--password-stdin")
	if err := os.Chmod(other.db, 0o644); err != nil {
		t.Fatal(err)
	}
	s := other.serve()
	if words := told(s); strings.Join(words, ", ") != readable {
		t.Errorf("a file that others can read: %q", words)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if words := told(other.serve()); strings.Join(words, ", ") != readable {
		t.Errorf("after the first has ended: %q", words)
	}
}

// TestStrangeVariables: a variable that nobody reads is named, with the one that was meant; what the flags know and
// what belongs to others is not.
func TestStrangeVariables(t *testing.T) {
	t.Parallel()
	var c cli
	parser, err := kong.New(&c, kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	got := strangeVariables(parser.Model, []string{"POSTERN_DB=x", "POSTERN_MASTER_KEY=x", "POSTERN_LISTEN=x", "PATH=x",
		"POSTERN_HOMESERVER=x", "POSTERN_SERVICE_HOST=x", "POSTERN_PORT=tcp://x", "POSTERN_PORT_8008_TCP=x", "=",
		"POSTERN_SESION_TTL=24h", "POSTERN_REGISTRATIONS", "POSTERN_TRUSTED_PROXIES=x", "POSTERN_=x"})
	want := []string{"POSTERN_SESION_TTL, which is not known and does nothing; did you mean POSTERN_SESSION_TTL?",
		"POSTERN_REGISTRATIONS, which is not known and does nothing; did you mean POSTERN_REGISTRATION?",
		"POSTERN_TRUSTED_PROXIES, which is not known and does nothing; did you mean POSTERN_TRUSTED_PROXY?",
		"POSTERN_, which is not known and does nothing; did you mean POSTERN_DB?"}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i, words := range want {
		if got[i] != "the environment has "+words {
			t.Errorf("%q", got[i])
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	logs := &safe.Buffer{}
	w := world{Program: built(), stdout: &safe.Buffer{}, stderr: logs, environ: []string{"POSTERN_LOGLEVEL=x"},
		getenv: func(string) string { return "" }, listening: func(string) { stop() }}
	err = run(ctx, w, []string{"serve", "--listen", "127.0.0.1:0", "--db", newInstallation(t).db})
	if err != nil || !strings.Contains(logs.String(), "did you mean POSTERN_LOG_LEVEL?") {
		t.Errorf("%v %s", err, logs)
	}
}
