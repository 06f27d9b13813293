package outbox

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/homeserver/synapse"
	"postern/test/rig/fakesynapse"
)

// However the homeserver fails, every row waits, and is sent when it is back.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]fakesynapse.Mode{"away": fakesynapse.Away, "slow": fakesynapse.Slow,
		"failing": fakesynapse.Failing, "cut off": fakesynapse.Cut} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newSite(t)
			x.user("alice")
			x.user("bob")
			x.login("alice", "A")
			x.login("bob", "B")
			x.round()
			x.there.Be(mode)
			if mode == fakesynapse.Slow {
				x.sender.c.Synapse = x.newClient(100 * time.Millisecond) // each try takes all of it
			}
			x.must(x.db.EndDevice(t.Context(), "alice", "A"))
			x.login("alice", "C")
			x.must(x.db.LockUser(t.Context(), "bob", t0))
			x.round()
			if got, want := x.waiting(), []string{"alice A", "alice C", "bob "}; !slices.Equal(got, want) {
				t.Fatalf("%q wait, want %q", got, want)
			}
			x.backsOff(1)
			tries := 12
			if mode == fakesynapse.Slow {
				tries = 2
			}
			for range tries { // each time they wait longer, and never longer than a minute
				x.step(time.Minute)
				x.round()
			}
			x.backsOff(tries)
			x.there.Be(fakesynapse.Well)
			x.sender.c.Synapse = x.newClient(500 * time.Millisecond)
			x.step(time.Minute)
			x.round()
			x.settled()
			if !x.there.User("bob").Locked {
				t.Error("bob is not locked there")
			}
		})
	}
}

// backsOff checks that each row has just failed at least so often, and that its wait doubles each time, up to a minute.
func (x *site) backsOff(tries int) {
	x.Helper()
	all, err := x.queue.List(x.Context())
	x.must(err)
	for _, w := range all {
		most := min(maxRetry, firstRetry<<(w.Tries-1))
		if wait := w.Due.Sub(x.clock()); w.Tries < tries || w.Error == "" || w.Refused || wait < most/2 || wait > most {
			x.Errorf("it waits %s: %+v", wait, w)
		}
	}
}

// When the homeserver answers again, all rows are due at once.
func TestBackAtOnce(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.user("alice")
	x.round()
	x.there.Be(fakesynapse.Away)
	x.login("alice", "A")
	for range 5 {
		x.step(time.Minute)
		x.round()
	}
	x.there.Be(fakesynapse.Well)
	x.must(x.sender.Provision(t.Context(), "bob", "", "")) // somebody else's login
	x.round()
	if w := x.waiting(); len(w) > 0 {
		t.Errorf("%q wait", w)
	}
}

// A user that the homeserver refuses, and one at whom it fails, hold up no other.
func TestOneBadUser(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	for _, name := range []string{"Upper", "ill", "alice", "bob"} {
		x.user(name)
	}
	x.there.Ail("ill", true)
	x.login("alice", "A")
	x.login("ill", "I")
	x.round()
	if got, want := x.waiting(), []string{"Upper ", "ill ", "ill I"}; !slices.Equal(got, want) {
		t.Fatalf("%q wait, want %q", got, want)
	}
	all, err := x.queue.List(t.Context())
	x.must(err)
	for _, w := range all {
		if w.Refused != (w.Localpart == "Upper") || w.Error == "" || w.Refused && w.Due.Before(t0.Add(refusedRetry/2)) {
			t.Errorf("%+v", w)
		}
	}
	x.there.Ail("ill", false)
	x.step(time.Minute)
	x.round()
	if got := x.waiting(); !slices.Equal(got, []string{"Upper "}) {
		t.Errorf("%q wait", got)
	}
	// The failed rows, of a user and a device, are sent once more when another call succeeds.
	if x.sent["refused"] != 1 || x.sent["away"] < 2 || x.sent["away"] > 4 {
		t.Errorf("counted %v", x.sent)
	}
}

// A device at which the homeserver always fails holds up no other device of its user.
func TestOneBadDevice(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.user("alice")
	for _, device := range []string{"A", "B", "C"} {
		x.login("alice", device)
	}
	x.there.Ail("alice A", true)
	x.round()
	if got := x.waiting(); !slices.Equal(got, []string{"alice A"}) {
		t.Errorf("%q wait", got)
	}
	if got := x.there.Devices(); !slices.Equal(got, []string{"alice B", "alice C"}) {
		t.Errorf("the homeserver has %q", got)
	}
}

// With the wrong secret rows wait for the operator; they are not refused.
func TestWrongSecret(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	client := synapse.New(synapse.Config{URL: x.there.URL, Secret: "not_the_secret"})
	t.Cleanup(client.Close)
	x.sender.c.Synapse = client
	x.user("alice")
	x.round()
	all, err := x.queue.List(t.Context())
	x.must(err)
	if len(all) != 1 || all[0].Refused {
		t.Fatalf("%+v", all)
	}
}

// A row that changes while it is sent is sent again.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.user("alice")
	x.round()
	var once sync.Once
	x.there.Before(func(call string) {
		if call == "upsert_device alice A" {
			once.Do(func() { x.must(x.db.EndDevice(t.Context(), "alice", "A")) })
		}
	})
	x.login("alice", "A")
	x.round()
	x.settled()
	if got, want := x.there.Calls(),
		[]string{"provision_user alice", "upsert_device alice A", "delete_device alice A"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// Two replicas never send rows of one user at the same time.
func TestReplicas(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	other := x.newSender(open(t, x.dsn))
	var mu sync.Mutex
	busy, most := map[string]int{}, 0
	x.there.Before(func(call string) {
		user := strings.Fields(call)[1]
		mu.Lock()
		busy[user]++
		most = max(most, busy[user])
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		busy[user]--
		mu.Unlock()
	})
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		x.user(name)
		x.there.Add(name)
	}
	x.round()
	x.there.Calls()
	var wg sync.WaitGroup
	for i := range 40 {
		x.login(names[i%4], string(rune('A'+i)))
	}
	for _, s := range []*Sender{x.sender, other} {
		wg.Go(func() {
			for range 20 {
				if _, err := s.sendDue(t.Context()); err != nil {
					t.Error(err)
				}
				s.running.Wait()
			}
		})
	}
	wg.Wait()
	x.round()
	x.settled()
	if most > 1 {
		t.Errorf("%d at once told of one user", most)
	}
	if calls := x.there.Calls(); len(calls) != 40 {
		t.Errorf("%d calls for 40 devices", len(calls))
	}
}

// Rows that a dead sender has claimed are sent when its lease ends. If it was not dead after all, it cannot delete rows
// that another sender has claimed since.
func TestDeadSender(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.user("a")
	x.there.Add("a")
	x.login("a", "A")
	x.round()
	x.settled()
	x.must(x.db.EndDevice(t.Context(), "a", "A"))
	if errands, err := x.queue.Claim(t.Context(), "dead", x.clock(), x.clock().Add(lease), 9); err != nil ||
		len(errands) != 1 {
		t.Fatalf("%v, %v", errands, err)
	}
	x.login("a", "NEW")
	_, err := x.sender.sendDue(t.Context())
	x.must(err)
	x.sender.running.Wait()
	if w := x.waiting(); len(w) != 2 {
		t.Errorf("%q wait", w)
	}
	x.step(lease + time.Second)
	x.round()
	x.settled()
	late := []Outcome{{DeviceID: "A"}}
	x.login("a", "A")
	_, err = x.queue.Claim(t.Context(), "alive", x.clock(), x.clock().Add(lease), 9)
	x.must(errors.Join(err, x.queue.Settle(t.Context(), "dead", "a", late))) // it lived after all
	if w := x.waiting(); len(w) != 1 {
		t.Errorf("what another one holds was cleared: %q wait", w)
	}
	x.step(lease + time.Second)
	x.round()
	x.settled()
}

// A sender that starts beside another one takes nothing out of its hands: that is told once.
func TestStartsBesideAnother(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.user("a")
	accounts, err := x.queue.Claim(t.Context(), "the other", x.clock(), x.clock().Add(lease), 9)
	if x.must(err); len(accounts) != 1 {
		t.Fatalf("%v is claimed", accounts)
	}
	x.sender.c.Only = false
	x.sender.Start()
	x.user("b")
	x.until("b")
	if calls := x.there.Calls(); slices.ContainsFunc(calls, func(c string) bool {
		return strings.Contains(c, "a") &&
			!strings.Contains(c, "b")
	}) {
		t.Errorf("what another holds was told: %q", calls)
	}
}

// A started sender sends what this process writes and what others write, and stops when it is closed.
func TestRuns(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.must(x.db.CreateUser(t.Context(), db.User{Localpart: "early", Created: t0}))
	_, err := x.queue.Claim(t.Context(), "killed", x.clock(), x.clock().Add(lease), 9)
	x.must(err)
	if x.db.Shared() {
		x.step(2 * lease)
	}
	x.sender.Start()
	x.user("alice")
	x.until("early", "alice")
	cli := open(t, x.dsn).DB
	x.must(cli.CreateUser(t.Context(), db.User{Localpart: "bob", Created: t0}))
	x.until("bob")
	x.there.Be(fakesynapse.Slow)
	x.user("carol")
	x.sender.Close()
	x.there.Be(fakesynapse.Well)
	if w := x.waiting(); len(w) > 1 {
		t.Errorf("%q wait", w)
	}
	if err := x.sender.Provision(t.Context(), "dora", "D", "phone"); err != nil ||
		x.there.User("dora").Devices["D"].Name != "phone" {
		t.Errorf("after the end: %v", err)
	}
}

// until waits until the homeserver knows users.
func (x *site) until(names ...string) {
	x.Helper()
	for _, name := range names {
		for range 1000 {
			if x.there.User(name) != nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if x.there.User(name) == nil {
			x.Fatalf("%s was not told", name)
		}
	}
}

func TestAvailable(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.there.Add("alice")
	for name, want := range map[string]string{"alice": "M_USER_IN_USE", "bob": "", "_x": "M_INVALID_USERNAME"} {
		if code, err := x.sender.Available(t.Context(), name); code != want || err != nil {
			t.Errorf("%s: %q, %v", name, code, err)
		}
	}
	x.there.Be(fakesynapse.Failing)
	if _, err := x.sender.Available(t.Context(), "bob"); !errors.Is(err, synapse.ErrAway) {
		t.Errorf("failing: %v", err)
	}
}
