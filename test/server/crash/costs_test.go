package crash

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/test/rig/process"
	"postern/tokens"
)

// one is a client of its own, and all pairs that its session has had: the first is of generation 1.
type one struct {
	*visit
	api, user, device string
	pairs             []process.Pair
}

// visit is the clients' way to a server.
type visit struct {
	*harness
	client *process.Client
	url    string
	oauth  string // the id of the OAuth 2.0 client
}

const (
	byCurrent = "current API"
	byOAuth   = "OAuth 2.0"
	byDraft   = "2015 draft"
)

var apis = []string{byCurrent, byOAuth, byDraft}

// login begins a session on a device.
func (v *visit) login(api, user, secret, device string) *one {
	v.Helper()
	var p process.Pair
	var err error
	switch api {
	case byCurrent:
		p, err = v.client.Login(v.Context(), v.url, user, secret, device)
	case byDraft:
		p, err = v.client.DraftLogin(v.Context(), v.url, user, secret)
		device = p.Device
	case byOAuth:
		var code string
		who := process.Consent{Client: v.oauth, Device: device, User: user, Password: secret}
		if code, err = v.client.Authorize(v.Context(), v.url, who); err == nil {
			p, err = v.client.Redeem(v.Context(), v.url, v.oauth, code)
		}
	}
	v.must(err)
	return &one{v, api, user, device, []process.Pair{p}}
}

// exchange exchanges the refresh token of a generation.
func (o *one) exchange(k int) (process.Pair, error) {
	token := o.pairs[k-1].Refresh
	switch o.api {
	case byOAuth:
		return o.client.RefreshOAuth(o.Context(), o.url, o.oauth, token)
	case byDraft:
		return o.client.TokenRefresh(o.Context(), o.url, token)
	}
	return o.client.Refresh(o.Context(), o.url, token)
}

// refreshed refreshes some times.
func (o *one) refreshed(times int) *one {
	o.Helper()
	for range times {
		p, err := o.exchange(len(o.pairs))
		if err != nil {
			o.Fatalf("%s: refresh: %v", o, err)
		}
		o.pairs = append(o.pairs, p)
	}
	return o
}

func (o *one) String() string { return fmt.Sprintf("%s by the %s", o.device, o.api) }

func (o *one) newest() process.Pair { return o.pairs[len(o.pairs)-1] }

// good fails unless the session goes on: its newest access token is good, it refreshes to the next generation, and the
// new one is good too.
func (o *one) good() {
	o.Helper()
	if err := o.client.Whoami(o.Context(), o.url, o.newest().Access); err != nil {
		o.Errorf("%s: its newest access token: %v", o, err)
		return
	}
	o.refreshed(1)
	token, err := tokens.Decode(o.newest().Refresh)
	if err != nil || token.Generation() != int64(len(o.pairs)) {
		o.Errorf("%s: generation %d follows, not %d (%v)", o, token.Generation(), len(o.pairs), err)
	}
	if err := o.client.Whoami(o.Context(), o.url, o.newest().Access); err != nil {
		o.Errorf("%s: its new access token: %v", o, err)
	}
}

// over fails unless the newest tokens are refused, and the logout is as soft.
func (o *one) over(why string, soft bool) {
	o.Helper()
	err := o.client.Whoami(o.Context(), o.url, o.newest().Access)
	var refusal *process.Refusal
	if !errors.As(err, &refusal) || refusal.Code != "M_UNKNOWN_TOKEN" || refusal.SoftLogout != soft {
		o.Errorf("%s, %s: whoami: %v, want soft %t", o, why, err, soft)
	}
	_, err = o.exchange(len(o.pairs))
	if !errors.As(err, &refusal) || o.api == byCurrent && refusal.SoftLogout != soft ||
		o.api == byDraft && refusal.Status != 403 || o.api == byOAuth && !process.GrantOver(err) {
		o.Errorf("%s, %s: refresh: %v, want soft %t", o, why, err, soft)
	}
}

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

// shows presents the access token of a generation.
func (o *one) shows(k int) {
	if err := o.client.Whoami(o.Context(), o.url, o.pairs[k-1].Access); err != nil {
		o.Errorf("%s: access token %d: %v", o, k, err)
	}
}

// gets exchanges the refresh token of a generation and wants a pair of one of others.
func (o *one) gets(k int, want ...int64) process.Pair {
	o.Helper()
	p, err := o.exchange(k)
	if err != nil {
		o.Errorf("%s: refresh token %d: %v", o, k, err)
		return p
	}
	if token, err := tokens.Decode(p.Refresh); err != nil || !slices.Contains(want, token.Generation()) {
		o.Errorf("%s: refresh token %d gives generation %d, not one of %d (%v)", o, k, token.Generation(), want, err)
	}
	return p
}

// together does things at once, each some times.
func together(times int, what ...func()) {
	var all sync.WaitGroup
	for range times {
		for _, do := range what {
			all.Go(do)
		}
	}
	all.Wait()
}

// race presents the newest refresh token many times at once: all get the same pair.
func (o *one) race(times int) {
	o.Helper()
	var mu sync.Mutex
	got := make(map[string]bool)
	together(times, func() {
		p := o.gets(6, 7)
		mu.Lock()
		defer mu.Unlock()
		got[p.Access+" "+p.Refresh] = true
	})
	if len(got) != 1 {
		o.Errorf("%s: %d racers get %d pairs", o, times, len(got))
	}
}

// logout logs out, if it is still in.
func (o *one) logout() {
	o.Helper()
	o.must(o.client.Logout(o.Context(), o.url, o.newest().Access))
}

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

// again fails unless the session is over softly and its client can log in again on its device.
func (o *one) again() {
	o.Helper()
	o.over("it is lost", true)
	o.login(o.api, o.user, password, o.device).good()
}

// all does something for each client.
func all(clients []*one, do func(*one)) {
	for _, o := range clients {
		do(o)
	}
}

// refusedAs is nil if a request was refused with a code.
func refusedAs(err error, code string) error {
	var refusal *process.Refusal
	if errors.As(err, &refusal) && refusal.Code == code {
		return nil
	}
	return fmt.Errorf("not refused as %s: %w", code, err)
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
