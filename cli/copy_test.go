package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/db"
	"postern/test/rig/postgres"
	"postern/tokens"
)

// TestMoveWhileServing moves an installation under load from SQLite to PostgreSQL and back, with real processes. No
// client loses its session or learns of anything but a pause.
func TestMoveWhileServing(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	server := postgres.Schema(t, postgres.URL(t))
	key := filepath.Join(filepath.Dir(i.db), "postern.key")
	i.must("secret", "user", "add", "alice", "--password-stdin")
	p := launch(t, "--listen", "127.0.0.1:0", "--db", i.db)

	const clients = 4
	var served [clients]atomic.Int64
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer wg.Wait()
	defer cancel()
	for n := range clients {
		c := newPhone(t, p.Address, "alice", fmt.Sprint("PHONE", n))
		wg.Go(func() {
			for ctx.Err() == nil {
				if c.check() && c.renew() {
					served[n].Add(1)
				}
			}
		})
	}
	everybodyIsServed := func(when string) {
		t.Helper()
		for n := range served {
			before := served[n].Load()
			for deadline := time.Now().Add(time.Minute); served[n].Load() < before+3; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("client %d gets nothing %s", n, when)
				}
			}
		}
	}
	everybodyIsServed("at first")
	for _, move := range [][2]string{{i.db, server}, {server, i.db}, {i.db, server}} {
		out, err := program(t, "db", "copy", move[0], move[1], "--master-key-file", key).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "has moved to") {
			t.Fatalf("db copy: %v\n%s", err, out)
		}
		// At once, and never 401: that is what the clients look out for.
		if status, answer := request(t, p.Address, "GET", "/_matrix/client/v3/account/whoami", "unknown",
			""); status == 200 {
			t.Errorf("after the move whoami answers %v", answer)
		}
		if status, answer := request(t, p.Address, "POST", "/_matrix/client/v3/login", "",
			`{"type":"m.login.password","user":"bob","password":"x"}`); status != 503 {
			t.Errorf("after the move a login answers %d %v", status, answer)
		}
		if status, answer := request(t, p.Address, "GET", "/health", "", ""); status != 503 {
			t.Errorf("after the move health answers %d %v", status, answer)
		}
		stop(t, p)
		out, err = program(t, "serve", "--listen", p.Address, "--db", move[0], "--master-key-file",
			key).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "has moved to "+db.Place(move[1])+"; start with --db") {
			t.Errorf("serving what has moved: %v\n%s", err, out)
		}
		p = launch(t, "--listen", p.Address, "--db", move[1], "--master-key-file", key)
		everybodyIsServed("after the move")
	}
}

// many adds sessions, quickly.
func many(t *testing.T, dsn string, n int) {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for part := range 64 {
		wg.Go(func() {
			for j := part; j < n; j += 64 {
				id := fmt.Sprint("session", j)
				u := db.User{Localpart: id, PasswordHash: "!", Created: time.Now()}
				_, err := d.StartSession(t.Context(),
					db.Login{ID: id, Localpart: "alice", PasswordHash: alices(t, d), DeviceID: id, At: time.Now(),
						Refreshable: true})
				if err := errors.Join(err, d.CreateUser(t.Context(), u)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func alices(t *testing.T, d *db.DB) string {
	u, err := d.User(t.Context(), "alice")
	if err != nil {
		t.Error(err)
	}
	return u.PasswordHash
}

// TestCopyKilled ends the command by SIGKILL at random moments. One of the two databases is in force, and complete.
func TestCopyKilled(t *testing.T) {
	t.Parallel()
	const sessions = 1000
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	i := newInstallation(t)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	many(t, i.db, sessions)
	for name, target := range map[string]string{"file": filepath.Join(t.TempDir(), "target.db"),
		"server": postgres.Schema(t, postgres.URL(t))} {
		copies := func(from, to string) *exec.Cmd { return program(t, "db", "copy", from, to) }
		began := time.Now()
		if out, err := copies(i.db, target).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		whole := time.Since(began)
		from, to := target, i.db // after each round they are what they are
		moved := 0
		for range rounds {
			cmd := copies(from, to)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(rand.Int64N(int64(whole + whole/4))))
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if hasMoved(t, from, sessions) {
				if hasMoved(t, to, sessions) {
					t.Fatalf("%s: neither is in force", name)
				}
				from, to = to, from
				moved++
			}
		}
		t.Logf("%s: of %d that were killed, %d had moved; a whole one takes %v", name, rounds, moved, whole)
		if from == target {
			if out, err := copies(from, to).CombinedOutput(); err != nil {
				t.Fatalf("%s, after all: %v\n%s", name, err, out)
			}
		}
	}
}

// hasMoved fails the test unless the database has moved or is complete.
func hasMoved(t *testing.T, dsn string, sessions int) bool {
	t.Helper()
	var d *db.DB
	var err error
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		d, err = db.Open(t.Context(), db.Config{DSN: dsn})
		if err == nil {
			break
		}
		if strings.Contains(err.Error(), "has moved to") {
			return true
		}
		if time.Now().After(deadline) { // a server takes a moment to notice that its client was killed
			t.Fatal(err)
		}
	}
	all, err := d.Sessions(t.Context(), "")
	users, err2 := d.Users(t.Context())
	if err := errors.Join(err, err2, d.Ping(t.Context()), d.Close()); err != nil || len(all) != sessions ||
		len(users) != sessions+1 {
		t.Fatalf("%d sessions and %d accounts, %v", len(all), len(users), err)
	}
	return false
}

func TestCopyMistakes(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	other := filepath.Join(t.TempDir(), "other.db")
	i.refused("there is no database at", "db", "copy", i.db, other)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.must("", "keys", "rotate")
	if out := i.must("", "db", "copy", i.db, other, "--keep-source"); !strings.Contains(out, "both live on, apart") {
		t.Errorf("a trial prints\n%s", out)
	}
	i.must("", "user", "list")
	key := filepath.Join(filepath.Dir(i.db), "postern.key")
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	if out := i.must("", "db", "copy", i.db, other); !strings.Contains(out, "so whether it fits was not looked at") {
		t.Errorf("without the key it prints\n%s", out)
	}
	i.refused("has moved to "+other+"; start with --db "+other, "session", "list")
	another, err := tokens.NewMasterKey(strings.NewReader(strings.Repeat("another!", 4)))
	if err != nil {
		t.Fatal(err)
	}
	for wrong, words := range map[string]string{another.Text(): "cannot be opened", "rubbish": "master key"} {
		if err := os.WriteFile(key, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		i.refused(words, "db", "copy", other, i.db, "--master-key-file", key)
	}
	i.must("", "db", "copy", other, i.db, "--master-key-file", key+".away")
	i.must("", "user", "list")
}

// TestCopyPrintsWords: the command that goes on after a copy can be pasted into a shell as it is.
func TestCopyPrintsWords(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.must("", "keys", "rotate")
	other := filepath.Join(t.TempDir(), "it's a & b.db")
	out := i.must("", "db", "copy", i.db, other)
	_, command, found := strings.Cut(out, "\n  postern serve ")
	words, err := exec.Command("sh", "-c", "printf '%s\\n' "+command).Output()
	want := "--db\n" + other + "\n--master-key-file\n" + filepath.Join(filepath.Dir(i.db), "postern.key") + "\n"
	if !found || err != nil || string(words) != want {
		t.Errorf("%s\nhas the words\n%s%v", out, words, err)
	}
}
