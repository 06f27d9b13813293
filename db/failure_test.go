package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// wantUnavailable checks that an operator reads what happened and what to do.
func wantUnavailable(t *testing.T, err error, says string) {
	t.Helper()
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want one that says %q", err, says)
	}
}

// The file may not grow. What needs room fails, what does not goes on, and nothing is half done.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	d := fresh(t)
	login(t, d, "one", "A")
	d.pragma(t, "max_page_count = 1") // means: as many as there are
	big := User{Localpart: "bob", PasswordHash: strings.Repeat("x", 100_000), Created: t0}
	wantUnavailable(t, d.CreateUser(bg, big), "the disk is full")
	if _, err := d.User(bg, "bob"); !errors.Is(err, ErrNotFound) {
		t.Errorf("half a user: %v", err)
	}
	wantUnavailable(t, errors.Join(d.CreateUser(bg, big), d.Ping(bg)), "the disk is full")
	if s, err := d.AdvanceGeneration(bg, refresh("one", 1)); err != nil || s.Generation != 2 {
		t.Errorf("a refresh needs no room: %+v, %v", s, err)
	}
	d.pragma(t, "max_page_count = 100000")
	if err := d.Ping(bg); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := d.CreateUser(bg, big); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// One operation spoils the transaction it shares: it alone fails.
func TestPoisonFailsAlone(t *testing.T) {
	t.Parallel()
	var largest atomic.Int64
	d := freshAt(t, Config{DSN: file(t),
		OnBatch: func(n int, _ time.Duration) { largest.Store(max(largest.Load(), int64(n))) }})
	login(t, d, "one", "A")
	d.NoteUse(d.session(t, "one"), 1, Seen{At: t0, Addr: "192.0.2.5"})
	var wg sync.WaitGroup
	release := stall(d)
	results := make([]error, 20)
	for i := range results {
		wg.Go(func() {
			if i == 7 {
				_, results[i] = write(bg, d, everything, func(t *Tx) (int, error) {
					if err := t.Exec(`DELETE FROM sessions`); err != nil {
						return 0, err
					}
					t.Forget("one")
					return 1, t.Exec(`INSERT INTO no_such_table (x) VALUES (1)`)
				})
				return
			}
			results[i] = d.SetSetting(bg, fmt.Sprint("name", i), "value")
		})
	}
	for len(d.writer.ops) < len(results) {
		time.Sleep(time.Millisecond)
	}
	release()
	wg.Wait()
	for i, err := range results {
		if i == 7 {
			wantUnavailable(t, err, "no such table")
			continue
		}
		if _, e := d.Setting(bg, fmt.Sprint("name", i)); err != nil || e != nil {
			t.Errorf("op %d: %v, %v", i, err, e)
		}
	}
	if s := d.session(t, "one"); s.Seen.Addr != "192.0.2.5" {
		t.Errorf("got %+v", s)
	}
	if err := d.SetSetting(bg, "after", ""); err != nil || largest.Load() < 10 {
		t.Errorf("largest batch: %d, %v", largest.Load(), err)
	}
}

// Two sessions with one id cannot be; the device that had its own keeps it.
func TestTakenID(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	login(t, d, "two", "B")
	_, err := d.StartSession(bg, Login{ID: "one", Localpart: "alice", PasswordHash: "hash", DeviceID: "B", At: t0})
	if !errors.Is(err, ErrConflict) {
		t.Errorf("got %v", err)
	}
	for id, device := range map[string]string{"one": "A", "two": "B"} {
		if s := d.session(t, id); s.DeviceID != device {
			t.Errorf("%s is on %s", id, s.DeviceID)
		}
	}
	if err := d.Ping(bg); err != nil {
		t.Error(err)
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	d := fresh(t)
	login(t, d, "one", "A")
	d.pragma(t, "query_only = 1")
	_, err := d.AdvanceGeneration(bg, refresh("one", 1))
	wantUnavailable(t, err, "read-only")
	if s := d.session(t, "one"); s.Generation != 1 {
		t.Errorf("got %+v", s)
	}
	d.pragma(t, "query_only = 0")
	if s, err := d.AdvanceGeneration(bg, refresh("one", 1)); err != nil || s.Generation != 2 {
		t.Errorf("afterwards: %+v, %v", s, err)
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	d := freshAt(t, Config{DSN: file(t), wait: 50 * time.Millisecond})
	login(t, d, "one", "A")
	lock, err := rawOpen(t, d).Conn(bg)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	mustExec(t, lock, `BEGIN IMMEDIATE`)
	d.NoteUse(d.session(t, "one"), 1, Seen{At: t0.Add(time.Second), Addr: "192.0.2.1"})
	began := time.Now()
	var wg sync.WaitGroup
	for range 400 {
		wg.Go(func() {
			_, err := d.AdvanceGeneration(bg, refresh("one", 1))
			wantUnavailable(t, err, "another process keeps it locked")
		})
	}
	wg.Wait()
	if took := time.Since(began); took > 15*time.Second { // one after the other would be 20 s
		t.Errorf("400 callers waited %v", took)
	}
	ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
	defer cancel()
	if _, err := d.AdvanceGeneration(ctx, refresh("one", 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("impatient: %v", err)
	}
	mustExec(t, lock, `COMMIT`)
	if s, err := d.AdvanceGeneration(bg,
		Refresh{Session: "one", Generation: 0, At: t0, Leeway: time.Minute}); err != nil ||
		!s.Used.Equal(t0.Add(time.Second)) {
		t.Errorf("the note is lost: %+v, %v", s, err)
	}
}

// stall keeps the writer busy, so that what comes queues up behind, until release is called.
func stall(d *DB) (release func()) {
	entered, leave, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		_, _ = write(bg, d, everything, func(*Tx) (int, error) {
			close(entered)
			<-leave
			return 0, nil
		})
	}()
	<-entered
	return func() { close(leave); <-left }
}

// An op whose caller has left before it began does not happen.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	ctx, cancel := context.WithCancel(bg)
	release := stall(d)
	left := make(chan error, 1)
	go func() { left <- d.SetSetting(ctx, "any", "") }()
	for len(d.writer.ops) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	if err := d.SetSetting(bg, "other", ""); err != nil {
		t.Error(err)
	}
	if _, err := d.Setting(bg, "any"); !errors.Is(err, ErrNotFound) {
		t.Errorf("it happened: %v", err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if err := d.SetSetting(bg, fmt.Sprint(i), ""); err != nil && !errors.Is(err, ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	wantUnavailable(t, d.SetSetting(bg, "late", ""), "closed")
	if _, _, err := d.Session(bg, "one"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("again: %v", err)
	}
}

func TestCorrupt(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	path := file(t)
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(bg, Config{DSN: path})
	wantUnavailable(t, err, "not a database")

	path = file(t)
	d := freshAt(t, Config{DSN: path})
	for i := range 200 {
		login(t, d, fmt.Sprint("session", i), fmt.Sprint("DEVICE", i))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, _ := f.Stat()
	for off := int64(2 * 4096); off < fi.Size(); off += 4096 {
		f.WriteAt([]byte(strings.Repeat("\xff", 64)), off)
	}
	if d, err = Open(bg, Config{DSN: path}); err == nil {
		defer d.Close()
		_, _, err = d.Session(bg, "session7")
	}
	wantUnavailable(t, err, "corrupt")
}

func TestDirectoryMissing(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	dir := filepath.Join(t.TempDir(), "missing")
	_, err := Open(bg, Config{DSN: filepath.Join(dir, "postern.db")})
	wantUnavailable(t, err, "make the directory "+dir)
	_, err = Open(bg, Config{DSN: t.TempDir()})
	wantUnavailable(t, err, "is a directory")
}

// The disk is full in the midst of a commit. While the log can be used anew nobody notices; after that, nothing of it
// may be left, neither on the disk nor in memory, and with room again everything goes on. The child has a limit on the
// size of its files for a disk.
func TestFullDiskAtCommit(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DB_TEST_CHILD=full", "DB_TEST_PATH="+file(t))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func fullChild(path string) {
	check := func(ok bool, format string, args ...any) {
		if !ok {
			fmt.Printf(format+"\n", args...)
			os.Exit(1)
		}
	}
	d, err := Open(bg, Config{DSN: path, flushEvery: time.Hour})
	check(err == nil, "open: %v", err)
	check(d.CreateUser(bg, User{Localpart: "alice", PasswordHash: "hash", Created: t0}) == nil, "user")
	const sessions = 50
	for i := range sessions {
		_, err := d.StartSession(bg, Login{ID: fmt.Sprint(i), Localpart: "alice", PasswordHash: "hash",
			DeviceID: fmt.Sprint(i), At: t0, KeyID: 1})
		check(err == nil, "login: %v", err)
	}
	fi, err := os.Stat(path + "-wal")
	check(err == nil, "%v", err)
	var limit syscall.Rlimit
	check(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit) == nil, "getrlimit")
	room := func(bytes int64) {
		check(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(bytes), Max: limit.Max}) == nil,
			"setrlimit")
	}
	generation := make([]int64, sessions)
	refused := make([]bool, sessions)
	clients := func(rounds int64) {
		var wg sync.WaitGroup
		for i := range sessions {
			wg.Go(func() {
				for k := max(generation[i], 1); ; k++ {
					generation[i], refused[i] = k, false
					if rounds > 0 && k > rounds {
						return
					}
					s, err := d.AdvanceGeneration(bg, refresh(fmt.Sprint(i), k))
					if err != nil {
						refused[i] = errors.Is(err, ErrUnavailable)
						return
					}
					check(s.Generation == k+1, "got %d, want %d", s.Generation, k+1)
				}
			})
		}
		wg.Wait()
	}

	room(fi.Size() + 3*4096) // the log cannot grow, but it can be written back and used anew
	clients(50)
	for i, k := range generation {
		check(k == 51, "session %d came to generation %d with the log full", i, k)
	}
	room(4096) // nothing can be written at all
	clients(0)
	check(d.Ping(bg) != nil, "healthy")
	for i := range sessions {
		check(refused[i], "session %d failed otherwise", i)
		s, _, err := d.Session(bg, fmt.Sprint(i))
		check(err == nil && s.Generation == generation[i], "session %d: answered %d, in memory %d, %v", i,
			generation[i], s.Generation, err)
		d.NoteUse(s, s.Generation, Seen{At: t0, Addr: "192.0.2.1"})
	}
	d.cache.flush()
	for i := range sessions {
		s, _, err := d.Session(bg, fmt.Sprint(i))
		check(err == nil && s.Generation == generation[i], "session %d: answered %d, on the disk %d, %v", i,
			generation[i], s.Generation, err)
	}
	check(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit) == nil, "setrlimit")
	check(d.Ping(bg) == nil, "not healthy with room again")
	for i := range sessions {
		s, err := d.AdvanceGeneration(bg, refresh(fmt.Sprint(i), generation[i]))
		check(err == nil && s.Generation == generation[i]+1, "session %d with room again: %d, %v", i, s.Generation, err)
	}
	check(d.Close() == nil, "close")
}
