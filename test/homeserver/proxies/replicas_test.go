package proxies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/test/rig/delegated"
	"postern/test/rig/postgres"
	"postern/test/rig/process"
	"postern/test/rig/safe"
	"postern/test/rig/synapse"
)

// TestReplicas: two replicas on one PostgreSQL behind each proxy, in front of a real Synapse that asks about tokens
// through the same proxy. Either is killed while clients sync, write, refresh and log in: nobody is logged out. Behind
// nginx only a login hears of it, which the replica that died was at; behind Caddy no client does for longer than a
// moment.
func TestReplicas(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"nginx", "caddy"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := newReplicas(t, kind)
			crew, stop := make([]*guest, 8), make(chan struct{})
			var all sync.WaitGroup
			for i := range crew {
				crew[i] = r.login(t, fmt.Sprint("DEVICE", i))
				all.Go(func() { crew[i].live(t, r.url, stop) })
			}
			for i := range r.servers {
				time.Sleep(time.Second)
				if err := r.servers[i].Kill(); err != nil {
					t.Error(err)
				}
				time.Sleep(3 * time.Second)
				r.servers[i] = r.start(t, i)
			}
			time.Sleep(time.Second)
			close(stop)
			all.Wait()
			r.report(t, crew, kind == "nginx")
		})
	}
}

// moment is the longest that a client may get nothing but errors. A machine with much to do may need it; what is to be
// seen is that no client waits until the replica is there again, after three seconds and more.
const moment = 2 * time.Second

// replicas are two replicas, a proxy and a Synapse.
type replicas struct {
	process.Site
	url     string // of the proxy
	ports   [2][2]string
	flags   []string
	servers [2]*process.Server
}

func newReplicas(t *testing.T, kind string) *replicas {
	t.Helper()
	program := find(t, kind)
	r := &replicas{Site: process.Site{Binary: process.Binary(t), Database: postgres.Schema(t, postgres.URL(t)),
		Key: filepath.Join(t.TempDir(), "postern.key")}}
	hs := synapse.Prepare(t, synapse.Options{})
	r.flags = append(process.Before(t, hs.URL, secret), "--server-name", synapse.ServerName, "--rate-limit", "off",
		"--refresh-leeway", "0s", "--trusted-proxy", "127.0.0.1")
	r.Run(t, delegated.Password, "user", "add", "alice", "--password-stdin", "--server-name", synapse.ServerName)
	for i := range r.ports {
		for j := range r.ports[i] {
			r.ports[i][j] = fmt.Sprintf("127.0.0.1:%d", process.FreePort(t))
		}
		r.servers[i] = r.start(t, i)
	}
	endpoint, output := fmt.Sprintf("127.0.0.1:%d", process.FreePort(t)), &safe.Buffer{}
	r.url = launch(t, program, kind, "-replicas", output, "127.0.0.1:8008", r.ports[0][0], "127.0.0.1:8018",
		r.ports[1][0], "127.0.0.1:8009", r.ports[0][1], "127.0.0.1:8019", r.ports[1][1], "127.0.0.1:8011", endpoint)
	hs.Delegate(t, "http://"+endpoint+"/", secret)
	hs.Run(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s\nPostern:\n%s\n%s", kind, output, r.servers[0].Log(), r.servers[1].Log())
		}
	})
	return r
}

func (r *replicas) start(t *testing.T, i int) *process.Server {
	t.Helper()
	return r.StartToKill(t, append(r.flags, "--listen", r.ports[i][0], "--internal-listen", r.ports[i][1])...)
}

// guest is somebody logged in, and what became of it.
type guest struct {
	client  *process.Client
	pair    process.Pair
	since   string // a part of the query; empty before the first sync
	good    int
	failed  map[string]int // by what the client heard
	longest time.Duration  // without a good answer
}

func (r *replicas) login(t *testing.T, device string) *guest {
	t.Helper()
	g := &guest{client: process.NewClientBy(newTransport(t)), failed: make(map[string]int)}
	var err error
	g.pair, err = g.client.Login(t.Context(), r.url, "alice", delegated.Password, device)
	must(t, err)
	return g
}

// live syncs, asks and refreshes in turn, and tries again what failed.
func (g *guest) live(t *testing.T, url string, stop <-chan struct{}) {
	last := time.Now()
	for step := 0; ; step++ {
		select {
		case <-stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
		err := g.act(url, step)
		if err == nil {
			g.good++
			g.longest = max(g.longest, time.Since(last))
			last = time.Now()
			continue
		}
		step--
		var refusal *process.Refusal
		if errors.As(err, &refusal) && refusal.Status < 500 {
			t.Errorf("a client hears %v", err)
			return
		}
		what := heard(err)
		if loggingIn(step + 1) {
			what = "a login: " + what
		}
		g.failed[what]++
	}
}

// loggingIn reports whether a step is a login. nginx does not send one twice, since that would be two logins.
func loggingIn(step int) bool { return step%25 == 24 }

func heard(err error) string {
	var refusal *process.Refusal
	if errors.As(err, &refusal) {
		return fmt.Sprint(refusal.Status)
	}
	return "connection closed"
}

func (g *guest) act(at string, step int) error {
	ctx := context.Background()
	if loggingIn(step) {
		_, err := g.client.Login(ctx, at, "alice", delegated.Password, g.pair.Device+"-TOO")
		return err
	}
	switch step % 3 {
	case 0:
		pair, err := g.client.Refresh(ctx, at, g.pair.Refresh)
		if err == nil {
			g.pair = pair
		}
		return err
	case 1:
		text, err := g.client.Ask(ctx, "GET", at+"/_matrix/client/v3/sync?timeout=100"+g.since, g.pair.Access, nil)
		if err != nil {
			return err
		}
		var news struct {
			Next string `json:"next_batch"`
		}
		err = json.Unmarshal(text, &news)
		g.since = "&since=" + url.QueryEscape(news.Next)
		return err
	default:
		_, err := g.client.Ask(ctx, "PUT", at+"/_matrix/client/v3/user/@alice:"+synapse.ServerName+"/account_data/test",
			g.pair.Access, map[string]any{"n": step})
		return err
	}
}

// report prints what the clients heard, and fails if it was too much: hidden says that only a login may fail, once.
func (r *replicas) report(t *testing.T, crew []*guest, hidden bool) {
	t.Helper()
	good, failed, longest := 0, make(map[string]int), time.Duration(0)
	for _, g := range crew {
		good += g.good
		longest = max(longest, g.longest)
		for what, n := range g.failed {
			failed[what] += n
			if hidden && (!strings.HasPrefix(what, "a login: ") || n > len(r.servers)) {
				t.Errorf("a client hears %d times: %s", n, what)
			}
		}
		if g.longest > moment {
			t.Errorf("a client got nothing for %s", g.longest)
		}
		if _, err := g.client.Refresh(t.Context(), r.url, g.pair.Refresh); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
	t.Logf("%d good answers, and these: %v; the longest without a good one: %s", good, failed,
		longest.Round(time.Millisecond))
}
