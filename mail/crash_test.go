package mail

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
	"postern/test/rig/postgres"
	"postern/test/rig/smtp"
)

// TestCrash: a sender that is killed at any moment and started again sends each mail once, or twice, and none of them
// never.
func TestCrash(t *testing.T) {
	t.Parallel()
	if postgres.Chosen() {
		t.Skip("there a claim ends by itself, after 5 minutes; TestDeliveries holds that")
	}
	server := smtp.New(t, smtp.Config{})
	server.Be("slow")
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	path := dbtest.DSN(t)
	d := dbtest.Open(t, path)
	const each = 12
	twice := 0
	for round := range rounds {
		for i := range each {
			p := post{TB: t, db: d, now: time.Now()}
			p.queue(fmt.Sprint(round, "-", i), fmt.Sprintf("r%d-%d@example.org", round, i))
		}
		killed := start(t, path, server.Port)
		arrived(t, server, round*each+1) // it has begun
		time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
		kill(t, killed)
		next := start(t, path, server.Port)
		for until := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			if waiting, err := d.Deliveries(t.Context(), time.Time{}, 1); err != nil || len(waiting) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				break
			} else if time.Now().After(until) {
				t.Fatalf("there still waits %+v", waiting)
			}
		}
		kill(t, next)
		copies := make(map[string]int)
		for _, m := range server.Mails() {
			copies[m.To[0]]++
		}
		for i := range each {
			switch n := copies[fmt.Sprintf("r%d-%d@example.org", round, i)]; n {
			case 1:
			case 2:
				twice++
			default:
				t.Errorf("round %d: mail %d has come %d times", round, i, n)
			}
		}
	}
	t.Logf("%d of %d mails have come twice", twice, rounds*each)
}

// arrived waits until so many different mails have come.
func arrived(t *testing.T, server *smtp.Server, n int) {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(time.Millisecond) {
		different := make(map[string]bool)
		for _, m := range server.Mails() {
			different[m.To[0]] = true
		}
		if len(different) >= n {
			return
		}
	}
	t.Errorf("fewer than %d mails have come", n) // not Fatalf: other goroutines wait as well
}

// start starts a process that sends.
func start(t *testing.T, path, port string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MAIL_TEST_CHILD="+path, "MAIL_TEST_PORT="+port)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that is killed leaves nothing behind
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
}

// child sends until it is killed.
func child() {
	d, err := db.Open(context.Background(), db.Config{DSN: os.Getenv("MAIL_TEST_CHILD")})
	if err != nil {
		panic(err)
	}
	s, err := ParseURL("smtp://127.0.0.1:"+os.Getenv("MAIL_TEST_PORT"), true)
	if err != nil {
		panic(err)
	}
	transport, err := NewSMTP(s, letters())
	if err != nil {
		panic(err)
	}
	New(Config{DB: d, To: Mails, Transport: transport, Now: time.Now, Only: true,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))}).Start()
	time.Sleep(2 * time.Minute)
	os.Exit(1)
}

// TestTogether: senders of several replicas send each mail once. One that is closed lets go of what it has not sent.
func TestTogether(t *testing.T) {
	t.Parallel()
	server := smtp.New(t, smtp.Config{})
	server.Be("slow")
	dsn := dbtest.DSN(t)
	const all = 60
	first := post{TB: t, db: dbtest.Open(t, dsn), now: time.Now().Add(-time.Second)}
	for i := range all {
		first.queue(fmt.Sprint(i), fmt.Sprintf("%d@example.org", i))
	}
	var running sync.WaitGroup
	for i := range 3 {
		transport, err := NewSMTP(settings(t, server, "smtp", "", ""), letters())
		if err != nil {
			t.Fatal(err)
		}
		s := New(Config{DB: dbtest.Open(t, dsn), To: Mails, Transport: transport, Now: time.Now,
			Log: slog.New(slog.DiscardHandler)})
		s.Start()
		running.Go(func() {
			if i == 0 { // is stopped in the midst of it
				arrived(t, server, all/4)
			} else {
				arrived(t, server, all)
			}
			s.Close()
		})
	}
	running.Wait()
	copies := make(map[string]int)
	for _, m := range server.Mails() {
		copies[m.To[0]]++
	}
	for to, n := range copies {
		if n != 1 {
			t.Errorf("%s has %d mails", to, n)
		}
	}
	if waiting := first.waiting(); len(waiting) > 0 {
		t.Errorf("there still waits %+v", waiting)
	}
}
