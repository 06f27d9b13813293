package notify_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"postern/db"
	"postern/db/dbtest"
	"postern/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// t0 begins an hour.
var t0 = time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)

// desk is a database, an operator's webhook and what has reached it.
type desk struct {
	testing.TB
	dsn     string
	db      *db.DB
	there   *receiver
	notices notify.Notices
	now     time.Time
	got     []notify.Notice
}

// newDesk has the operator told at a receiver of this machine.
func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{TB: t, dsn: dbtest.DSN(t), there: started(t, fine), now: t0}
	d.db = d.open()
	d.must(notify.Keep(t.Context(), d.db, nil)) // as a server that tells nobody
	target, err := notify.ParseTarget(d.there.URL+"/hook/SECRET", true)
	d.must(err)
	d.notices = notify.Notices{DB: d.db, ServerName: "example.org", Targets: []notify.Target{target},
		Now: func() time.Time { return d.now }, Webhook: notify.Webhook{Internal: true}}
	d.must(notify.Keep(t.Context(), d.db, d.notices.Targets))
	return d
}

// open opens the database as each process does.
func (d *desk) open() *db.DB {
	d.Helper()
	opened, err := db.Open(d.Context(), db.Config{DSN: d.dsn, OnEvent: notify.OnEvent(func() {})})
	d.must(err)
	d.Cleanup(func() { d.must(opened.Close()) })
	return opened
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) record(e db.Event) {
	d.Helper()
	e.At = d.now
	d.must(d.db.Record(d.Context(), e))
}

// send sends what is due, as the sender of a server does, and gives it.
func (d *desk) send() (sent []notify.Notice) {
	d.Helper()
	due, err := d.db.ClaimDeliveries(d.Context(), "", "sender", d.now, d.now.Add(time.Minute), 100)
	d.must(err)
	for _, v := range due {
		d.must(d.notices.Send(d.Context(), v))
		d.must(d.db.SettleDelivery(d.Context(), v.ID, "sender", time.Time{}, ""))
		var n notify.Notice
		decoder := json.NewDecoder(strings.NewReader(d.there.body))
		decoder.DisallowUnknownFields()
		d.must(decoder.Decode(&n))
		if id := d.there.header.Get("Webhook-Id"); id != v.ID || strings.Contains(id, ".") {
			d.Errorf("the id is %q", id)
		}
		sent = append(sent, n)
	}
	d.got = append(d.got, sent...)
	return sent
}

// TestNotice: the first event of an hour is told at once, and what follows when the next hour begins.
func TestNotice(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	replay := func(who, from string) {
		d.record(db.Event{Kind: db.EventReplay, Localpart: who, DeviceID: "PHONE", Session: who + d.now.String(),
			Addr: from})
	}
	d.now = t0.Add(10 * time.Minute)
	replay("alice", "192.0.2.1")
	d.record(db.Event{Kind: db.EventLogin, Localpart: "alice"}) // which is of no interest
	sent := d.send()
	want := notify.Notice{Type: "replay", Timestamp: d.now, ServerName: "example.org", Count: 1, Since: d.now,
		Text: "example.org: A refresh token was used that had been replaced already. The session was logged out. " +
			"2027-01-15 08:10:00 UTC. Account: `alice`. Address: `192.0.2.1`. See: `postern session events`",
		Events: []notify.Event{{Time: d.now, UserID: "@alice:example.org", DeviceID: "PHONE", Address: "192.0.2.1"}}}
	if len(sent) != 1 || fmt.Sprint(sent[0]) != fmt.Sprint(want) {
		t.Fatalf("it is told\n%+v, and not\n%+v", sent, want)
	}
	for n := range 12 {
		d.now = d.now.Add(time.Minute)
		replay(fmt.Sprintf("user%d", n%7), "192.0.2.2")
	}
	d.now = t0.Add(59 * time.Minute)
	if sent := d.send(); len(sent) > 0 {
		t.Fatalf("within the hour: %+v", sent)
	}
	d.now = t0.Add(time.Hour)
	replay("carol", "192.0.2.3")
	sent = d.send()
	if len(sent) != 1 || sent[0].Count != 12 || len(sent[0].Events) != 10 ||
		!strings.Contains(sent[0].Text, " 12 times since 2027-01-15 08:10 UTC. Account: `user4`, `user3`, `user2`, "+
			"`user1`, `user0` and more. Address: `192.0.2.2`.") {
		t.Fatalf("when it begins: %+v", sent)
	}
	d.now = t0.Add(2 * time.Hour)
	if sent = d.send(); len(sent) != 1 || sent[0].Count != 1 || sent[0].Events[0].UserID != "@carol:example.org" {
		t.Fatalf("in the hour after: %+v", sent)
	}
	d.now = t0.Add(5 * time.Hour)
	if sent = d.send(); len(sent) > 0 {
		t.Fatalf("when nothing happens any more: %+v", sent)
	}
	replay("dave", "192.0.2.4")
	if sent = d.send(); len(sent) != 1 || sent[0].Count != 1 {
		t.Fatalf("and at once again: %+v", sent)
	}
}

// TestEveryEventIsToldOnce: whenever events happen and whenever the sender runs, each is told once, by the next full
// hour, and there is at most one notice an hour.
func TestEveryEventIsToldOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	rapid.Check(t, func(r *rapid.T) {
		d.now = d.now.Add(100 * time.Hour).Truncate(time.Hour) // apart from what was before
		d.got = nil
		happened := rapid.SliceOfN(rapid.IntRange(0, 5*3600), 1, 30).Draw(r, "seconds")
		slices.Sort(happened)
		happened = slices.Compact(happened)
		begin := d.now
		for _, second := range happened {
			d.now = begin.Add(time.Duration(second) * time.Second)
			d.record(db.Event{Kind: db.EventAdminOn, Localpart: "alice"})
			if second%3 == 0 {
				d.send()
			}
		}
		told := 0
		for d.now = d.now.Truncate(time.Hour); d.now.Before(begin.Add(8 * time.Hour)); d.now = d.now.Add(time.Hour) {
			d.send()
		}
		hours := make(map[string]int)
		for _, n := range d.got {
			told += n.Count
			hours[n.Since.Format("15:04:05")]++
		}
		if told != len(happened) || len(d.got) > 7 {
			r.Fatalf("%d of %d are told, by %d notices: %+v", told, len(happened), len(d.got), d.got)
		}
	})
}

// TestReplicasTellOnce: however many servers see events at a time, there is one notice of that hour, and one of the
// next.
func TestReplicasTellOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	servers := []*db.DB{d.db, d.open(), d.open()}
	var all sync.WaitGroup
	for n := range 60 {
		all.Go(func() {
			kind := []string{db.EventReplay, db.EventAdminOn}[n%2]
			e := db.Event{At: t0.Add(time.Duration(n) * time.Second), Kind: kind, Localpart: fmt.Sprintf("user%d", n%9)}
			if err := servers[n%3].Record(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	waiting, err := d.db.Deliveries(t.Context(), time.Time{}, 100)
	d.must(err)
	if len(waiting) != 4 {
		t.Fatalf("there are %d notices: %+v", len(waiting), waiting)
	}
	d.now = t0.Add(time.Hour)
	told := 0
	for _, n := range d.send() {
		told += n.Count
	}
	if told != 60 { // in whatever order they were written
		t.Errorf("%d of 60 are told", told)
	}
}

// TestTargets: each target hears for itself; one that is none any more does not, and a new one from then on.
func TestTargets(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first := d.notices.Targets[0]
	second, err := notify.ParseTarget("mailto:ops@example.org", false)
	d.must(err)
	d.must(notify.Keep(t.Context(), d.db, []notify.Target{first, second}))
	other := d.open() // the command line, say
	d.must(other.Record(t.Context(), db.Event{At: t0, Kind: db.EventAdminOn, Localpart: "alice"}))
	due, err := d.db.ClaimDeliveries(t.Context(), "", "sender", t0, t0.Add(time.Minute), 100)
	d.must(err)
	if len(due) != 2 {
		t.Fatalf("%+v", due)
	}
	for _, v := range due {
		if strings.Contains(v.Target+v.ID+string(v.Sealed), "SECRET") {
			t.Errorf("what may be a secret is in the database: %+v", v)
		}
		if v.Target != second.String() {
			continue
		}
		if _, _, err := d.notices.Mail(t.Context(), v); err != notify.ErrNoTarget {
			t.Errorf("of an address that is no target: %v", err)
		}
		d.notices.Targets, d.notices.Desk = []notify.Target{second}, "https://example.org/account/admin"
		what, text, err := d.notices.Mail(t.Context(), v)
		const subject = "An account was made an administrator"
		if err != nil || what != subject || text != subject+".\n"+
			"2027-01-15 08:00:00 UTC.\nAccount: alice.\nSee: postern session events\n"+
			"https://example.org/account/admin?action=events" {
			t.Errorf("%q %q %v", what, text, err)
		}
	}
	for _, v := range due {
		if v.Target == first.String() {
			if err := d.notices.Send(t.Context(), v); err != notify.ErrNoTarget {
				t.Errorf("to a webhook that is no target any more: %v", err)
			}
		}
	}
	d.must(notify.Keep(t.Context(), d.db, nil))
	d.must(other.Record(t.Context(), db.Event{At: t0.Add(3 * time.Hour), Kind: db.EventAdminOn, Localpart: "alice"}))
	if all, err := d.db.Deliveries(t.Context(), time.Time{}, 100); err != nil || len(all) != 2 {
		t.Errorf("with no target: %+v, %v", all, err)
	}
}

// TestNobodyIsCalled: an account's name cannot call everybody in the chat, or make a link of its own.
func TestNobodyIsCalled(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for n, name := range []string{"channel", "room", "all`<!channel>`", "x|y<http://example.com|here>",
		"a\u202eb\n@here", "](https://example.com)"} {
		d.now = t0.Add(time.Duration(n) * time.Hour)
		d.record(db.Event{Kind: db.EventAdminOn, Localpart: name, DeviceID: "`<!channel>"})
		sent := d.send()
		if len(sent) != 1 {
			t.Fatalf("%+v", sent)
		}
		pieces := strings.Split(sent[0].Text, "`") // what is outside of code is each second one
		for i := 0; i < len(pieces); i += 2 {
			if strings.ContainsAny(pieces[i], "@<>[]|\n") || len(pieces) != 5 {
				t.Errorf("%q: %q", name, sent[0].Text)
			}
		}
		if strings.ContainsAny(sent[0].Text, "<>\n\u202e") {
			t.Errorf("%q: %q", name, sent[0].Text)
		}
	}
}

// TestParseTarget: what is no target is refused, and what may be a secret in it is not shown.
func TestParseTarget(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"mailto:ops@example.org":                    "",
		"https://hooks.example.org/SECRET":          "",
		"https://user:SECRET@hooks.example.org/":    "",
		"https://93.184.215.14:8443/SECRET":         "",
		"":                                          "neither",
		"ops@example.org":                           "neither",
		"ftp://example.org/SECRET":                  "neither",
		"https:///SECRET":                           "neither",
		"https://hooks.example.org:port/SECRET":     "neither",
		"https://hooks.example.org/SECRET#fragment": "neither",
		"mailto:Ops <ops@example.org>":              "one mail address",
		"mailto:ops@example.org,root@example.org":   "one mail address",
		"mailto:ops@example.org?subject=x":          "one mail address",
		"mailto:ops@example.org\r\nBcc: a@b.c":      "one mail address",
		"mailto:":                                   "one mail address",
		"http://hooks.example.org/SECRET":           "not encrypted",
		"http://127.0.0.1/SECRET":                   "internal",
		"https://[::1]/SECRET":                      "internal",
		"https://localhost/SECRET":                  "internal",
		"https://192.168.1.5:9000/SECRET":           "internal",
	} {
		target, err := notify.ParseTarget(text, false)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v", text, err)
		case strings.Contains(fmt.Sprint(err), "SECRET"), strings.Contains(target.String(), "SECRET"):
			t.Errorf("it is shown: %v, %v", target, err)
		}
		inside := want == "" || want == "internal" || want == "not encrypted"
		if _, err := notify.ParseTarget(text, true); inside != (err == nil) {
			t.Errorf("%q with --notify-internal: %v", text, err)
		}
	}
	one, _ := notify.ParseTarget("https://hooks.example.org/A", false)
	two, _ := notify.ParseTarget("https://hooks.example.org/B", false)
	if one.String() == two.String() || !strings.HasPrefix(one.String(), "https://hooks.example.org/#") {
		t.Errorf("%v and %v", one, two)
	}
}
