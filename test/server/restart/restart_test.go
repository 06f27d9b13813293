// Package restart stops Postern's real binary and starts it again, before a homeserver, while clients ask, wait, load
// up and load down: by a real systemd with the units of docs, and by a stand-in that gives it its sockets as
// sd_listen_fds(3) says, which runs everywhere.
package restart

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/process"
)

func TestMain(m *testing.M) { process.Main(m) }

// TestRestart: nobody is refused, no request fails, what moves goes on to its end and what waits is told at once that
// there is nothing new.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, *site) func(){
		"systemctl restart": bySystemd("restart"), "systemctl reload": bySystemd("reload"), "by hand": byHand,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			again := start(t, s)
			s.login(t)
			down, up, poll := s.begin("GET", "/download"), s.begin("POST", "/upload"), s.begin("GET", waiting)
			s.upstream.begun(t, 3)
			asking := s.ask(t)
			time.Sleep(200 * time.Millisecond)
			told := time.Now()
			again()
			took := time.Since(told)
			if got := <-poll; got.err != nil || got.status != http.StatusOK || got.body != `{"next_batch":"s1"}` {
				t.Errorf("the long poll ends with %+v", got)
			} else {
				t.Logf("the long poll ends after %s", got.at.Sub(told).Round(time.Millisecond))
			}
			time.Sleep(farewell) // which the one that was replaced takes
			s.upstream.finish()
			for what, ended := range map[string]chan answer{"download": down, "upload": up} {
				if got := <-ended; got.err != nil || got.status != http.StatusOK || got.body != whole {
					t.Errorf("the %s ends with %d, %d bytes, %v", what, got.status, len(got.body), got.err)
				}
			}
			times, gap := asking()
			t.Logf("%s took %s; a client that asked %d times, every 10 ms, had to wait %s at most", name,
				took.Round(time.Millisecond), times, gap.Round(time.Millisecond))
			s.check(t)
		})
	}
}

const farewell = 1500 * time.Millisecond

// TestReplaceFails: a server that does not come up takes over from none.
func TestReplaceFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	reload := bySystemd("reload")(t, s)
	s.login(t)
	asking := s.ask(t)
	key := filepath.Join(s.folder, "postern.key")
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	reload()
	s.waitForLog(t, "did not come up")
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}
	asking()
	s.check(t)
}

// TestReloadWithoutLinger: a server that nothing can take over from says so, and goes on.
func TestReloadWithoutLinger(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.Start(t, append(s.flags, "--linger=0")...)
	s.login(t)
	if err := syscall.Kill(server.PID(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	for range 1200 {
		if strings.Contains(server.Log(), "a reload needs --linger") {
			s.check(t)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("it does not say so:\n%s", server.Log())
}

// TestWrongSockets: what cannot be told apart is refused, with what is to be done.
func TestWrongSockets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	sockets := s.listen(t)
	plain, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for _, c := range []struct{ names, want string }{
		{"listen:postern.socket", "two sockets in place of --listen"},
		{"listen:metrics-listen", "set --metrics-listen too"},
		{"listen:internal-listen", "is no listening socket: getsockopt"},
	} {
		if strings.HasSuffix(c.names, ":internal-listen") {
			sockets = append(sockets[:1:1], plain)
		}
		cmd := s.given(sockets, c.names, append(s.flags, "--linger=0")...)
		killer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		out, err := cmd.CombinedOutput()
		if killer.Stop(); err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("with %s: %v\n%s", c.names, err, out)
		}
	}
}
