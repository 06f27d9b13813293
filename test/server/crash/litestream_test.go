package crash

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"postern/test/rig/fleet"
	"postern/test/rig/litestream"
)

var litestreamRounds = fleet.Rounds(2, 3)

// TestLitestream has Litestream copy the database while clients work, kills both at a random moment, restores the copy
// by the document's steps, and lets everybody go on: what was not copied yet is lost, and nobody is logged out for
// good.
func TestLitestream(t *testing.T) {
	h := onSQLite(t, t.TempDir())
	copier := litestream.New(t, "../../../docs/litestream.yml", h.site.Database)
	h.crew(restless)
	random := rand.New(rand.NewPCG(*seed, 1<<33))
	for round := range litestreamRounds {
		server := h.serve()
		h.settle(server)
		copier.Run(t)
		h.copied(copier)
		done := make(chan error, 1)
		go func() { done <- h.fleet.Run(t.Context(), server.URL, nil) }()
		if round%2 == 1 {
			h.copierDies(copier, random)
		}
		time.Sleep(time.Duration(1000+random.IntN(1500)) * time.Millisecond)
		if round < 2 { // what it has not copied by now is lost
			copier.Kill(t)
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		}
		h.must(server.Kill())
		copier.Kill(t)
		h.owed(server, <-done)
		h.types("### Restore Litestream's copy", "/var/lib/postern", filepath.Dir(h.site.Database),
			"/etc/litestream.yml", copier.Config, "litestream restore", copier.Program+" restore")
		if mode := h.mode(h.site.Database); mode != 0o600 {
			t.Errorf("anybody may read the restored file: %v", mode)
		}
		h.restored()
	}
	if h.fleet.Tally().Behind == 0 {
		t.Error("nothing was lost, so nothing was shown")
	}
}

// copierDies kills Litestream alone while the fleet works, and starts it again after a while, in which the server may
// have emptied the log.
func (h *harness) copierDies(copier *litestream.Copier, random *rand.Rand) {
	h.Helper()
	copier.Kill(h)
	time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
	copier.Run(h)
	time.Sleep(time.Second)
}

// copied waits until there is a copy that can be restored.
func (h *harness) copied(copier *litestream.Copier) {
	h.Helper()
	for range 600 {
		found, err := filepath.Glob(filepath.Join(copier.Replica, "ltx", "*", "*.ltx"))
		h.must(err)
		if len(found) > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	h.Fatalf("nothing is copied\n%s", copier.Log())
}

func (h *harness) mode(path string) os.FileMode {
	h.Helper()
	info, err := os.Stat(path)
	h.must(err)
	return info.Mode().Perm()
}
