package process

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Run is Command for a test, which ends when the command fails.
func (s Site) Run(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, err := s.Command(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// MintingKey is the number of the root key that mints, in what `postern keys list` prints; empty: none does.
func MintingKey(list string) string {
	for line := range strings.Lines(list) {
		if words := strings.Fields(line); words[1] == "mints" {
			return words[0]
		}
	}
	return ""
}

// Start is Serve for a test. The server is stopped when the test ends, and has to be content then; of a test that
// failed the log is shown.
func (s Site) Start(t testing.TB, args ...string) *Server {
	t.Helper()
	server, err := s.Serve(context.WithoutCancel(t.Context()), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		} else if t.Failed() {
			t.Logf("Postern:\n%s", server.Log())
		}
	})
	return server
}

// StartToKill is Serve for a test that kills the server; one that runs still is killed when the test ends.
func (s Site) StartToKill(t testing.TB, args ...string) *Server {
	t.Helper()
	// Not the test's own context: that ends before the cleanup, and would kill.
	server, err := s.Serve(context.WithoutCancel(t.Context()), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Kill() })
	return server
}

// Before are the flags with which Postern stands before a homeserver that has this secret.
func Before(t testing.TB, homeserver, secret string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--homeserver", homeserver, "--homeserver-secret-file", file}
}

// FreePort is a port of loopback that nobody has just now. It is none of those that the system gives to whoever asks
// for any, from 32768 on with Linux, since one of those may be another test's a moment later.
func FreePort(t testing.TB) int {
	t.Helper()
	var err error
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal(err)
	return 0
}
