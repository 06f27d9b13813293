package outbox

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"postern/test/rig/fakesynapse"
	"postern/test/rig/synapse"
)

const (
	clients = 32
	people  = 8
)

// crowd is clients who log in and out, and remember which of their logins were answered.
type crowd struct {
	*installation
	ended   chan struct{}
	running sync.WaitGroup

	mu   sync.Mutex
	keep map[string]string // token of a device on which the last answered word was a login
	done [2]int            // logins, logouts
}

func (c *crowd) run() {
	for n := range clients {
		c.running.Go(func() {
			random := rand.New(rand.NewPCG(*seed, uint64(n)))
			for device := ""; !c.over(); {
				device = c.visit(random, fmt.Sprint("user", n%people), device)
			}
		})
	}
}

func (c *crowd) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// visit logs in, on the device that the client had if it had one, and perhaps out again. It returns the device that has
// a session then. A client always names that one again: a login on a named device that fails leaves the device at the
// homeserver, since Postern cannot know whether it was there before.
func (c *crowd) visit(random *rand.Rand, user, had string) (has string) {
	c.note(user+" "+had, "")
	token, device, status := c.loginOn(user, had)
	switch status {
	case 200:
		c.count(0)
		c.note(user+" "+device, token)
	case 0, 503:
		time.Sleep(20 * time.Millisecond)
		return had
	default:
		c.Errorf("login answers %d", status)
		return had
	}
	switch random.IntN(3) {
	case 0:
		return ""
	case 1:
		return device
	}
	c.note(user+" "+device, "")
	if status, _ := c.ask("POST", "logout", token, "{}"); status == 200 {
		c.count(1)
	} else if status != 0 && status != 503 && status != 401 {
		c.Errorf("logout answers %d", status)
	}
	return ""
}

func (c *crowd) note(device, token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if token == "" {
		delete(c.keep, device)
	} else {
		c.keep[device] = token
	}
}

func (c *crowd) count(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[i]++
}

// busy waits until a round of clients has been in since, on a machine however slow.
func (c *crowd) busy() {
	c.Helper()
	before := c.logins()
	for range 600 {
		if c.logins()-before >= clients/2 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.Error("hardly anybody can log in")
}

func (c *crowd) logins() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done[0]
}

// killOften kills the server again and again under the crowd, after some trouble perhaps, and then lets everything come
// to rest.
func (h *installation) killOften(trouble func(random *rand.Rand)) *crowd {
	h.Helper()
	c := &crowd{installation: h, ended: make(chan struct{}), keep: make(map[string]string)}
	random := rand.New(rand.NewPCG(*seed, clients))
	c.run()
	for range killings() {
		c.busy()
		trouble(random)
		time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		h.kill()
		h.start()
	}
	close(c.ended)
	c.running.Wait()
	return c
}

// compare holds the devices of both sides against each other, and tries every token that was given and not given up.
func (c *crowd) compare(there []string) {
	c.Helper()
	here := c.sessions()
	if !slices.Equal(there, here) {
		c.Errorf("the homeserver has %d devices and Postern %d:\n%q\n%q", len(there), len(here), there, here)
	}
	for device, token := range c.keep {
		if status, answer := c.ask("GET", "account/whoami", token, ""); status != 200 {
			c.Errorf("%s was logged out: %d %v", device, status, answer)
		}
	}
	c.Logf("seed %d: %d logins, %d logouts, %d killings, %d devices in the end", *seed, c.done[0], c.done[1], killings(),
		len(here))
	if c.done[0] < clients || c.done[1] == 0 {
		c.Errorf("only %v logins and logouts", c.done)
	}
}

// killings is how often the server is killed.
func killings() int {
	if testing.Short() {
		return min(*rounds, 2)
	}
	return *rounds
}

func crowdNames() (names []string) {
	for n := range people {
		names = append(names, fmt.Sprint("user", n))
	}
	return names
}

// Postern is killed while 32 clients log in and out and the homeserver fails now and then; afterwards both have the
// same devices.
func TestKilledBeforeAHomeserver(t *testing.T) {
	t.Parallel()
	there := fakesynapse.New(t, secret)
	h := newInstallation(t, there.URL, crowdNames()...)
	modes := []fakesynapse.Mode{fakesynapse.Well, fakesynapse.Away, fakesynapse.Failing, fakesynapse.Cut,
		fakesynapse.Slow}
	c := h.killOften(func(random *rand.Rand) {
		there.Be(modes[random.IntN(len(modes))])
		time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		if random.IntN(2) == 0 {
			there.Be(fakesynapse.Well) // before it is killed, or after: see busy
		} else {
			time.AfterFunc(time.Second, func() { there.Be(fakesynapse.Well) })
		}
	})
	there.Be(fakesynapse.Well)
	h.settle()
	c.compare(there.Devices())
}

// The same before a real Synapse, which stays well.
func TestKilledBeforeSynapse(t *testing.T) {
	t.Parallel()
	hs := synapse.Prepare(t, synapse.Options{})
	hs.Delegate(t, "http://127.0.0.1:1/", secret)
	hs.Run(t)
	h := newInstallation(t, hs.URL, crowdNames()...)
	c := h.killOften(func(*rand.Rand) {})
	h.settle()
	c.compare(rows(t, hs.DB, `SELECT SUBSTR(user_id, 2, INSTR(user_id, ':') - 2) || ' ' || device_id FROM devices WHERE NOT hidden`))
}
