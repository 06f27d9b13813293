package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/test/rig/fleet"
	"postern/test/rig/process"
)

// restless is who uses the server before its database goes back.
var restless = fleet.Config{Current: 14, Draft: 4, OAuth: 6, Restless: true}

var restores = fleet.Rounds(2, 5)

// types types what docs/backup.md says below a heading, with other paths, as root would. Services are the test's own to
// start and stop.
func (h *harness) types(heading string, replace ...string) {
	h.Helper()
	script := "systemctl() { :; }\n" + strings.NewReplacer(replace...).Replace(h.shell(heading))
	out, err := exec.CommandContext(h.Context(), "sh", "-euxc", script).CombinedOutput()
	if err != nil {
		h.Fatalf("%s: %v\n%s", heading, err, out)
	}
}

// shell is the first block of shell below a heading of the document.
func (h *harness) shell(heading string) string {
	h.Helper()
	text, err := os.ReadFile("../../../docs/backup.md")
	h.must(err)
	_, rest, found := strings.Cut(string(text), "\n"+heading+"\n")
	_, rest, shell := strings.Cut(rest, "```sh\n")
	block, _, ends := strings.Cut(rest, "```\n")
	if !found || !shell || !ends {
		h.Fatalf("there is no shell below %q", heading)
	}
	return block
}

// restored starts a server on the database as it is now, and holds it to what it owes clients that are ahead of it.
func (h *harness) restored() {
	h.Helper()
	d := h.rawDatabase()
	known := make(map[string]int64)
	rows, err := d.QueryContext(h.Context(), `SELECT id, generation FROM sessions`)
	h.must(err)
	for rows.Next() {
		var id string
		var n int64
		h.must(rows.Scan(&id, &n))
		known[id] = n
	}
	h.must(errors.Join(rows.Err(), rows.Close(), d.Close()))
	server := h.serve()
	h.owed(server, h.fleet.Restored(h.Context(), server.URL, func(id string) (int64, bool, error) {
		n, there := known[id]
		return n, there, nil
	}))
	h.run(server, 200*time.Millisecond)
	h.settle(server)
	h.rows()
	h.must(server.Kill())
}

// during lets something happen while the fleet works, and goes on with the work until that is done.
func (h *harness) during(server *process.Server, happens func()) {
	h.Helper()
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- h.fleet.Run(context.WithoutCancel(h.Context()), server.URL, stop) }()
	happens()
	close(stop)
	h.owed(server, <-done)
}

// exec runs statements of PostgreSQL's.
func (h *harness) exec(statements ...string) error {
	d := h.rawDatabase()
	defer d.Close()
	for _, statement := range statements {
		if _, err := d.ExecContext(h.Context(), statement); err != nil {
			return err
		}
	}
	return nil
}

// TestBackupRestored restores a backup that was made while clients worked, by the document's steps, after they have
// worked on and the server was killed; again and again.
func TestBackupRestored(t *testing.T) {
	h := onSQLite(t, t.TempDir())
	h.goesBack(h.putBack)
}

const stepsOfBackup = "### Restore a backup"

// TestReadmeRestores: the README has the same steps.
func TestReadmeRestores(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{TB: t}
	for line := range strings.Lines(h.shell(stepsOfBackup)) {
		if !strings.HasPrefix(line, "systemctl ") && !strings.Contains(string(readme), "\n    "+line) {
			t.Errorf("the README has no line %q", line)
		}
	}
}

// putBack restores a backup by the document's steps.
func (h *harness) putBack(file string) {
	h.Helper()
	h.types(stepsOfBackup, "/var/lib/postern", filepath.Dir(h.site.Database),
		"/backup/postern-2026-11-30.db", file)
}

// TestBackupRestoredPostgres is the same on PostgreSQL.
func TestBackupRestoredPostgres(t *testing.T) {
	h := onPostgres(t)
	h.goesBack(h.putBackPostgres)
}

// putBackPostgres restores a backup into an empty PostgreSQL.
func (h *harness) putBackPostgres(file string) {
	h.Helper()
	h.must(h.exec(`DROP SCHEMA public CASCADE`, `CREATE SCHEMA public`))
	h.command("", "db", "copy", file, h.site.Database, "--keep-source")
}

func (h *harness) goesBack(restore func(file string)) {
	h.Helper()
	h.crew(restless)
	random, folder := rand.New(rand.NewPCG(*seed, 1<<34)), h.TempDir()
	for round := range restores {
		server, file := h.serve(), filepath.Join(folder, fmt.Sprint(round, ".db"))
		h.settle(server)
		h.during(server, func() {
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
			h.command("", "backup", file)
			before := h.fleet.Tally().Refreshes
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
			h.busy(before)
		})
		h.must(server.Kill())
		h.quiet()
		restore(file)
		h.restored()
	}
	if h.fleet.Tally().Behind == 0 {
		h.Error("nobody had refreshed since the backup, so nothing was shown")
	}
}
