package db

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"
)

const crashClients = 6

// A process that is killed at any moment leaves, of each session, the last generation that was answered or the next
// one; a client that lost the answer gets on with what it has.
func TestCrash(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	rounds := 15
	if testing.Short() {
		rounds = 3
	}
	path := file(t)
	d := freshAt(t, Config{DSN: path})
	for i := range crashClients {
		login(t, d, fmt.Sprint("s", i), fmt.Sprint("DEVICE", i))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	answered := make(map[string]int64)
	for range rounds {
		crashOnce(t, path, answered)
		d := open(t, Config{DSN: path})
		for i := range crashClients {
			id := fmt.Sprint("s", i)
			k := max(answered[id], 1)
			if s := d.session(t, id); s.State != Live || s.Generation != k && s.Generation != k+1 {
				t.Fatalf("%s: answered %d, found %+v", id, k, s)
			}
			s, err := d.AdvanceGeneration(bg, refresh(id, k))
			if err != nil || s.Generation != k+1 {
				t.Fatalf("%s: going on from %d: %+v, %v", id, k, s, err)
			}
			answered[id] = k + 1
		}
		var ok string
		if err := d.reads.QueryRow("PRAGMA integrity_check").Scan(&ok); err != nil || ok != "ok" {
			t.Fatalf("%s, %v", ok, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// crashOnce runs the child until it is killed, and collects its answers.
func crashOnce(t *testing.T, path string, answered map[string]int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DB_TEST_CHILD=crash", "DB_TEST_PATH="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var killer *time.Timer
	for lines.Scan() {
		var id string
		var k int64
		if n, _ := fmt.Sscan(lines.Text(), &id, &k); n != 2 {
			t.Errorf("child says %q", lines.Text())
			continue
		}
		answered[id] = max(answered[id], k)
		if killer == nil {
			killer = time.AfterFunc(time.Duration(rand.IntN(100_000))*time.Microsecond, func() { cmd.Process.Kill() })
		}
	}
	cmd.Wait()
	if killer == nil {
		t.Fatal("the child answered nothing")
	}
	killer.Stop()
}

// crashChild refreshes each session in its own loop, and says so after each answer.
func crashChild(path string) {
	d, err := Open(bg, Config{DSN: path, flushEvery: time.Millisecond})
	if err != nil {
		panic(err)
	}
	failed := make(chan error)
	for i := range crashClients {
		go func() {
			id := fmt.Sprint("s", i)
			s, _, err := d.Session(bg, id)
			for k := s.Generation; err == nil; k++ {
				d.NoteUse(s, k, Seen{At: t0, Addr: "192.0.2.1"})
				if s, err = d.AdvanceGeneration(bg, refresh(id, k)); err == nil {
					_, err = fmt.Fprintf(os.Stdout, "%s %d\n", id, s.Generation) // one write call, so one whole line
				}
			}
			failed <- err
		}()
	}
	panic(<-failed)
}
