package front

import (
	"fmt"
	"net"
	"runtime"
	"testing"

	"postern/test/rig/process"
)

// TestTrickle: 300 strangers who have begun to send a body hold no connection to Synapse, and nobody waits for them.
func TestTrickle(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("it counts connections as Linux shows them")
	}
	s := newPair(t)
	alice := s.login(t, "alice", "PHONE")
	alice.ok(t, "GET", syncing+"?timeout=0", nil)
	before := s.connections(t)
	for n := range 300 {
		conn, err := net.Dial("tcp", s.Server.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		token := ""
		if n%2 == 0 {
			token = "Authorization: Bearer nobody's\r\n"
		}
		fmt.Fprintf(conn, "POST /_matrix/client/v3/createRoom HTTP/1.1\r\nHost: x\r\n%sContent-Length: 1000\r\n\r\n{", token)
	}
	for range 20 {
		alice.ok(t, "GET", syncing+"?timeout=0", nil)
	}
	if now := s.connections(t); now > before+10 {
		t.Errorf("Synapse has %d files open, and had %d", now, before)
	}
}

// connections is how many files and connections Synapse has open.
func (s *pair) connections(t *testing.T) int {
	t.Helper()
	usage, err := process.UsageOf(s.hs.PID())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("Synapse has %d files open", usage.Descriptors)
	return usage.Descriptors
}
