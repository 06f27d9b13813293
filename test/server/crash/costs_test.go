package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/test/rig/process"
)

// first is what a client that is ahead of the database presents first; its newest pair is of generation 6, and the
// database has come to 2.
var first = map[string]func(*one){
	"newest access token":             func(o *one) { o.shows(6) },
	"access token before":             func(o *one) { o.shows(5) },
	"access token of the backup":      func(o *one) { o.shows(2) },
	"access token before the backup":  func(o *one) { o.shows(1) },
	"newest refresh token":            func(o *one) { o.refreshed(1) },
	"refresh token before":            func(o *one) { o.gets(5, 6) },
	"64 times the refresh token":      func(o *one) { o.race(64) },
	"two refresh tokens, 32 times":    func(o *one) { together(32, func() { o.gets(5, 6, 7) }, func() { o.gets(6, 7) }) },
	"two access tokens, 32 times":     func(o *one) { together(32, func() { o.shows(5) }, func() { o.shows(6) }) },
	"access and refresh, 32 times":    func(o *one) { together(32, func() { o.shows(6) }, func() { o.gets(6, 7) }) },
	"access token before and refresh": func(o *one) { together(32, func() { o.shows(5) }, func() { o.gets(6, 7) }) },
}

// single is what a client of the 2015 draft may present: its old pair is dead at once.
var single = []string{"newest access token", "newest refresh token"}

// TestWhatARestoreCosts is what the document says of it, client by client: each API, whatever is presented first.
func TestWhatARestoreCosts(t *testing.T) {
	h := onSQLite(t, t.TempDir())
	h.costs(h.putBack)
}

// TestWhatARestoreCostsPostgres is the same on PostgreSQL.
func TestWhatARestoreCostsPostgres(t *testing.T) {
	h := onPostgres(t)
	h.costs(h.putBackPostgres)
}

// met is a client, and what it presents first.
type met struct {
	*one
	first func(*one)
}

// ahead are clients that began before a backup and will refresh after it.
func (v *visit) ahead() (all []met) {
	v.Helper()
	for _, api := range apis {
		for name, presents := range first {
			if api == byDraft && !slices.Contains(single, name) {
				continue
			}
			device := fmt.Sprint("FIRST", len(all))
			all = append(all, met{v.login(api, "alice", password, device).refreshed(1), presents})
		}
	}
	return all
}

// each begins a session by each API.
func (v *visit) each(device string) (all []*one) {
	v.Helper()
	for _, api := range apis {
		all = append(all, v.login(api, "alice", password, device+strings.ToUpper(api[:2])))
	}
	return all
}

// visits is a client's way to a server.
func (h *harness) visits(server *process.Server) *visit {
	h.Helper()
	v := &visit{harness: h, client: process.NewClient(64), url: server.URL}
	h.Cleanup(v.client.Close)
	var err error
	v.oauth, err = v.client.RegisterOAuth(h.Context(), v.url)
	h.must(err)
	return v
}

func (h *harness) costs(restore func(file string)) {
	h.Helper()
	for _, name := range []string{"alice", "bob", "carol", "erin"} {
		h.command(password, "user", "add", name, "--password-stdin")
	}
	server := h.serve()
	v := h.visits(server)
	c := v.crowd()
	file := filepath.Join(h.TempDir(), "backup.db")
	h.command("", "backup", file)
	c.goesOn()
	h.must(server.Kill())
	h.quiet()
	restore(file)
	server = h.serve()
	v.url = server.URL
	c.meets()
	if events := h.command("", "session", "events"); !strings.Contains(events, "caught_up") {
		h.Errorf("no event says what has caught up:\n%s", events)
	}
	if complaint := server.Complaint(); complaint != "" {
		h.Error(complaint)
	}
}

// crowd are the clients by what happens to them.
type crowd struct {
	*visit
	ahead                                   []met
	out, gone, keys, began, brief           []*one
	locked, changed, later, leaves, instead *one
	device                                  *one // on which instead begins
}

// crowd is who began before the backup.
func (v *visit) crowd() *crowd {
	v.Helper()
	c := &crowd{visit: v, ahead: v.ahead(), out: v.each("OUT"), gone: v.each("GONE"), keys: v.each("KEY"),
		locked: v.login(byCurrent, "bob", password, "LOCKED"), changed: v.login(byOAuth, "carol", password, "CHANGED"),
		later: v.login(byOAuth, "erin", password, "LATER"), leaves: v.login(byCurrent, "alice", password, "LEAVES"),
		device: v.login(byCurrent, "alice", password, "DEVICE")}
	all(c.gone, (*one).logout)
	return c
}

// goesOn is what happens after the backup, and is lost.
func (c *crowd) goesOn() {
	c.Helper()
	for _, o := range c.ahead {
		o.refreshed(4)
	}
	all(c.out, (*one).logout)
	c.later.refreshed(3)
	c.leaves.refreshed(3)
	c.command("", "user", "lock", "bob")
	c.command("another "+password, "user", "passwd", "carol", "--password-stdin") // which ends her sessions
	c.instead = c.login(byCurrent, "alice", password, "DEVICE")
	c.began, c.brief = c.each("BEGAN"), c.each("BRIEF")
	all(c.brief, (*one).logout)
	c.command("", "keys", "rotate")
	all(c.keys, func(o *one) { o.refreshed(2) })
}

// meets is what the clients meet after the backup was restored.
func (c *crowd) meets() {
	c.Helper()
	for _, o := range c.ahead {
		o.first(o.one)
		o.good()
	}
	all(append(c.out, c.locked, c.changed, c.device), (*one).good) // what had ended them is undone
	c.login(byCurrent, "carol", password, "ANOTHER").good()        // and so is her new password
	all(c.gone, func(o *one) { o.over("it had logged out before the backup", false) })
	all(c.brief, func(o *one) { o.over("it began and logged out since", true) })
	all(append(c.began, c.instead), (*one).again)
	time.Sleep(time.Second) // a key has the number of its second
	c.command("", "keys", "rotate")
	all(c.keys, (*one).again)

	c.command("", "user", "lock", "erin") // what the database knows counts, and not what a newer token proves
	if err := refusedAs(c.client.Whoami(c.Context(), c.url, c.later.newest().Access), "M_USER_LOCKED"); err != nil {
		c.Errorf("%s is locked, and ahead: %v", c.later, err)
	}
	c.command("", "user", "unlock", "erin")
	c.later.good()
	c.leaves.logout() // with a token that is newer than the row
	c.leaves.over("it has logged out", false)
}

// TestAppRegisteredSince: an app whose registration is lost is told that its grant is over, as any other whose session
// is, and has the same id when it registers again.
func TestAppRegisteredSince(t *testing.T) {
	h := onSQLite(t, t.TempDir())
	h.command(password, "user", "add", "alice", "--password-stdin")
	server, file := h.serve(), filepath.Join(t.TempDir(), "backup.db")
	h.command("", "backup", file)
	v := h.visits(server)
	o := v.login(byOAuth, "alice", password, "APP").refreshed(1)
	h.must(server.Kill())
	h.putBack(file)
	v.url = h.serve().URL
	o.over("its registration is lost as well", true)
	id, err := v.client.RegisterOAuth(t.Context(), v.url)
	if err != nil || id != v.oauth {
		t.Fatalf("the app was %s and is %s (%v)", v.oauth, id, err)
	}
	v.login(byOAuth, "alice", password, "APP").good()
}

// TestEverythingLost: there is no backup, and the server begins anew, with another master key. Nobody goes on, and
// nobody is told to throw encryption keys away.
func TestEverythingLost(t *testing.T) {
	h := onSQLite(t, t.TempDir())
	h.command(password, "user", "add", "alice", "--password-stdin")
	server := h.serve()
	v := h.visits(server)
	lost := v.each("LOST")
	h.must(server.Kill())
	time.Sleep(time.Second) // a key has the number of its second
	for _, file := range []string{h.site.Key, h.site.Database, h.site.Database + "-wal", h.site.Database + "-shm"} {
		h.must(os.Remove(file))
	}
	h.command(password, "user", "add", "alice", "--password-stdin")
	v.url = h.serve().URL
	var err error
	v.oauth, err = v.client.RegisterOAuth(t.Context(), v.url)
	h.must(err)
	all(lost, (*one).again)
}
