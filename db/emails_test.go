package db

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func mailed(t *testing.T, d *DB, localpart, address string) error {
	t.Helper()
	return d.AddEmail(bg, Email{Address: address, Localpart: localpart, Validated: t0, Added: t0, Language: "de"})
}

// TestEmails: an address is one account's, whoever races for it; a deactivated account has none.
func TestEmails(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	if err := d.CreateUser(bg, User{Localpart: "bob", PasswordHash: "hash", Created: t0}); err != nil {
		t.Fatal(err)
	}
	var wins sync.Map
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			name := []string{"alice", "bob"}[i%2]
			if mailed(t, d, name, "a@example.org") == nil {
				wins.Store(name, true)
			}
		})
	}
	all.Wait()
	e, err := d.Email(bg, "a@example.org")
	if err != nil || e.Language != "de" || !e.Added.Equal(t0) {
		t.Fatalf("the address is %+v, %v", e, err)
	}
	for _, name := range []string{"alice", "bob"} {
		if _, won := wins.Load(name); won != (name == e.Localpart) {
			t.Errorf("%s was told %v, and the address is %s's", name, won, e.Localpart)
		}
	}
	if err := d.RemoveEmail(bg, e.Localpart, "b@example.org"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an address that it does not have: %v", err)
	}
	for i := 1; i < MaxEmails; i++ {
		if err := mailed(t, d, e.Localpart, fmt.Sprintf("%d@example.org", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := mailed(t, d, e.Localpart, "more@example.org"); !errors.Is(err, ErrConflict) {
		t.Errorf("one too many: %v", err)
	}
	if err := mailed(t, d, e.Localpart, "a@example.org"); err != nil {
		t.Errorf("one that it has: %v", err)
	}
	if err := d.RemoveEmail(bg, e.Localpart, "a@example.org"); err != nil {
		t.Error(err)
	}
	if _, err := d.Deactivate(bg, e.Localpart, t0, false); err != nil {
		t.Fatal(err)
	}
	if left, err := d.Emails(bg, e.Localpart); err != nil || len(left) > 0 {
		t.Errorf("a deactivated account has %v, %v", left, err)
	}
	if err := mailed(t, d, e.Localpart, "a@example.org"); !errors.Is(err, ErrConflict) {
		t.Errorf("a deactivated account's new one: %v", err)
	}
}

func delivery(id string) Delivery {
	return Delivery{ID: id, Kind: "test", Target: "mailto:a@example.org", Sealed: []byte("secret"), Created: t0,
		Expires: t0.Add(time.Hour)}
}

// deliverAtMost writes a delivery alone.
func deliverAtMost(d *DB, v Delivery, limits ...Limit) error {
	return d.must(bg, v.scope(), ErrConflict, func(t *Tx) (bool, error) { return t.DeliverAtMost(v, limits...) })
}

// TestDeliveries: each is one sender's at a time, is sent once, and leaves nothing to be read.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for _, id := range []string{"1", "2", "3"} {
		if err := d.Deliver(bg, delivery(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Deliver(bg, delivery("1")); !errors.Is(err, ErrConflict) {
		t.Errorf("one of the same id: %v", err)
	}
	claim := func(holder string, now time.Time) []Delivery {
		t.Helper()
		all, err := d.ClaimDeliveries(bg, "", holder, now, now.Add(time.Minute), 2)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	mine, theirs := claim("me", t0), claim("them", t0)
	if len(mine) != 2 || len(theirs) != 1 || len(claim("late", t0)) > 0 {
		t.Fatalf("claimed are %v and %v", mine, theirs)
	}
	if mine[0].Tries != 1 || string(mine[0].Sealed) != "secret" {
		t.Errorf("the first is %+v", mine[0])
	}
	if err := d.SettleDelivery(bg, mine[0].ID, "them", time.Time{}, ""); !errors.Is(err, ErrConflict) {
		t.Errorf("settled by somebody else: %v", err)
	}
	if err := d.SettleDelivery(bg, mine[0].ID, "me", time.Time{}, ""); err != nil {
		t.Error(err)
	}
	later := t0.Add(2 * time.Minute)
	if err := d.SettleDelivery(bg, mine[1].ID, "me", later, "refused"); err != nil {
		t.Error(err)
	}
	if next, err := d.NextDelivery(bg, ""); err != nil || !next.Equal(t0.Add(time.Minute)) {
		t.Errorf("the next is due at %v, %v: the third one's claim ends sooner", next, err)
	}
	if again := claim("them", later); len(again) != 2 || again[0].Tries != 2 {
		t.Errorf("then there are %+v", again)
	}
	if late := claim("them", t0.Add(time.Hour)); len(late) != 2 {
		t.Errorf("those that have expired are to be given up: %v", late)
	}
	if done, err := d.Tidy(bg, t0.Add(25*time.Hour), TidyConfig{}); err != nil || done.Deliveries != 0 {
		t.Errorf("tidied are %+v, %v", done, err)
	}
	if done, err := d.Tidy(bg, t0.Add(26*time.Hour), TidyConfig{}); err != nil || done.Deliveries != 3 {
		t.Errorf("tidied are %+v, %v", done, err)
	}
}

// TestUnsent: a delivery that nobody is to get counts as any other, and no sender sees it.
func TestUnsent(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	v := delivery("1")
	v.Unsent = true
	if err := deliverAtMost(d, v, Limit{Count: 1, In: time.Hour}); err != nil {
		t.Fatal(err)
	}
	v.ID = "2"
	if err := deliverAtMost(d, v, Limit{Count: 1, In: time.Hour}); !errors.Is(err, ErrFull) {
		t.Errorf("a second one: %v", err)
	}
	all, err := d.ClaimDeliveries(bg, "", "me", t0.Add(2*time.Hour), t0.Add(3*time.Hour), 9)
	if next, failed := d.NextDelivery(bg, ""); err != nil || failed != nil || len(all) > 0 || !next.IsZero() {
		t.Errorf("a sender gets %v, and the next is due at %v: %v, %v", all, next, err, failed)
	}
}

// TestDeliverAtMost: however many ask at a time, and by whatever replica, no more go to one target than may.
func TestDeliverAtMost(t *testing.T) {
	t.Parallel()
	where := dsn(t)
	replicas := []*DB{freshAt(t, Config{DSN: where}), open(t, Config{DSN: where})}
	var written, refused atomic.Int64
	send := func(d *DB, id, kind, target string, at time.Time) {
		v := delivery(id)
		v.Kind, v.Target, v.Created, v.Expires = kind, target, at, at.Add(time.Hour)
		switch err := deliverAtMost(d, v, Limit{Count: 3, In: time.Hour},
			Limit{Count: 5, In: 24 * time.Hour}); {
		case err == nil:
			written.Add(1)
		case errors.Is(err, ErrFull):
			refused.Add(1)
		default:
			t.Error(err)
		}
	}
	flood := func(at time.Time, want int64) {
		t.Helper()
		written.Store(0)
		refused.Store(0)
		var all sync.WaitGroup
		for i := range 24 {
			all.Go(func() { send(replicas[i%2], fmt.Sprint(at.Unix(), i), "flood", "mailto:a@example.org", at) })
		}
		all.Wait()
		if written.Load() != want || refused.Load() != 24-want {
			t.Errorf("at %v %d were written and %d refused, want %d", at, written.Load(), refused.Load(), want)
		}
	}
	flood(t0, 3)
	send(replicas[0], "other kind", "other", "mailto:a@example.org", t0)
	send(replicas[0], "other target", "flood", "mailto:b@example.org", t0)
	if written.Load() != 5 {
		t.Errorf("another kind or another target: %d", written.Load())
	}
	flood(t0.Add(2*time.Hour), 2) // of those that may go in a day
	if _, err := replicas[0].Tidy(bg, t0.Add(20*time.Hour), TidyConfig{}); err != nil {
		t.Error(err)
	}
	flood(t0.Add(20*time.Hour), 0)
	flood(t0.Add(25*time.Hour), 3)
}

// TestClaimsRace: senders that race get each delivery once.
func TestClaimsRace(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for i := range 40 {
		if err := d.Deliver(bg, delivery(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	var got sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for {
				some, err := d.ClaimDeliveries(bg, "", fmt.Sprint(i), t0, t0.Add(time.Minute), 3)
				if err != nil || len(some) == 0 {
					return
				}
				for _, v := range some {
					if _, twice := got.LoadOrStore(v.ID, true); twice {
						t.Errorf("%s was claimed twice", v.ID)
					}
				}
			}
		})
	}
	all.Wait()
	for i := range 40 {
		if _, there := got.Load(fmt.Sprint(i)); !there {
			t.Errorf("%d was not claimed", i)
		}
	}
}

// TestOnEvent: what hangs on an event is committed with it, or neither is.
func TestOnEvent(t *testing.T) {
	t.Parallel()
	refuse := errors.New("refuse")
	var fail bool
	d := freshAt(t, Config{DSN: dsn(t), OnEvent: func(t *Tx, e Event) error {
		if fail {
			return refuse
		}
		_, err := t.Deliver(delivery(e.Kind + " " + e.Localpart))
		return err
	}})
	if err := d.LockUser(bg, "alice", t0); err != nil {
		t.Fatal(err)
	}
	if waiting, err := d.Deliveries(bg, time.Time{}, 9); err != nil || len(waiting) == 0 ||
		waiting[len(waiting)-1].ID != EventLocked+" alice" {
		t.Errorf("there wait %+v, %v", waiting, err)
	}
	fail = true
	if err := d.UnlockUser(bg, "alice"); !errors.Is(err, refuse) {
		t.Errorf("unlocked: %v", err)
	}
	if u, err := d.User(bg, "alice"); err != nil || u.Locked.IsZero() {
		t.Errorf("the account is %+v, %v", u, err)
	}
}

// TestLaterDelivery: one that is to be sent later is not hurried with those that wait for another try, nor does it wait
// before.
func TestLaterDelivery(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tried, later := delivery("tried"), delivery("later")
	tried.Created, later.Created = t0, t0
	later.Due = t0.Add(time.Hour)
	later.Expires = t0.Add(24 * time.Hour)
	must(d.Deliver(bg, tried))
	must(d.Deliver(bg, later))
	if n, since, err := d.WaitingDeliveries(bg, "", t0); n != 1 || !since.Equal(t0) || err != nil {
		t.Errorf("%d wait since %v, %v", n, since, err)
	}
	claimed, err := d.ClaimDeliveries(bg, "", "us", t0, t0.Add(time.Minute), 10)
	if err != nil || len(claimed) != 1 || claimed[0].ID != "tried" {
		t.Fatalf("claimed are %+v, %v", claimed, err)
	}
	must(d.SettleDelivery(bg, "tried", "us", t0.Add(30*time.Minute), "away"))
	now := t0.Add(2 * time.Minute)
	must(d.RetryDeliveries(bg, "", now))
	claimed, err = d.ClaimDeliveries(bg, "", "us", now, now.Add(time.Minute), 10)
	if err != nil || len(claimed) != 1 || claimed[0].ID != "tried" {
		t.Fatalf("then %+v, %v", claimed, err)
	}
	must(d.SettleDelivery(bg, "tried", "us", time.Time{}, ""))
	if n, since, err := d.WaitingDeliveries(bg, "", now); n > 0 || err != nil {
		t.Errorf("before its time %d wait since %v, %v", n, since, err)
	}
	n, since, err := d.WaitingDeliveries(bg, "", later.Due.Add(time.Minute))
	if n != 1 || !since.Equal(later.Due) || err != nil {
		t.Errorf("then %d wait since %v, %v", n, since, err)
	}
	if n, _, err = d.WaitingDeliveries(bg, "", later.Expires); n > 0 || err != nil {
		t.Errorf("when it has expired %d wait, %v", n, err)
	}
}

// TestDeliveriesTo: a sender gets, hurries and takes back what it sends, and leaves alone the rest.
func TestDeliveriesTo(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"mailto:a@example.org", "https://hooks.example.org/", "http://127.0.0.1/"} {
		v := delivery(target)
		v.Target, v.Created, v.Expires = target, t0, t0.Add(time.Hour)
		must(d.Deliver(bg, v))
	}
	claim := func(to To, want int) {
		t.Helper()
		got, err := d.ClaimDeliveries(bg, to, "us", t0, t0.Add(time.Minute), 10)
		if err != nil || len(got) != want {
			t.Fatalf("of %q there are %+v, %v", to, got, err)
		}
		for _, v := range got {
			if !strings.HasPrefix(v.Target, string(to)) {
				t.Errorf("of %q there is %+v", to, v)
			}
		}
	}
	claim("http", 2)
	next, err := d.NextDelivery(bg, "mailto:")
	n, _, failed := d.WaitingDeliveries(bg, "mailto:", t0)
	if !next.Equal(t0) || n != 1 || err != nil || failed != nil {
		t.Errorf("the mail is due at %v, and %d are; %v, %v", next, n, err, failed)
	}
	must(d.ReleaseDeliveries(bg, "mailto:"))
	claim("http", 0)
	claim("mailto:", 1)
	must(d.ReleaseDeliveries(bg, "http"))
	claim("mailto:", 0)
	claim("http", 2)
	for _, target := range []string{"mailto:a@example.org", "https://hooks.example.org/"} {
		must(d.SettleDelivery(bg, target, "us", t0.Add(time.Minute), "away"))
	}
	must(d.RetryDeliveries(bg, "http", t0))
	claim("", 1)
}

// TestSetEmails: an account's addresses change all together, or none does.
func TestSetEmails(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	if err := d.CreateUser(bg, User{Localpart: "bob", PasswordHash: "hash", Created: t0}); err != nil {
		t.Fatal(err)
	}
	if err := mailed(t, d, "bob", "bob@example.org"); err != nil {
		t.Fatal(err)
	}
	set := func(addresses ...string) (string, error) {
		var all []Email
		for _, address := range addresses {
			all = append(all, Email{Address: address, Validated: t0.Add(time.Hour), Added: t0.Add(time.Hour)})
		}
		return d.SetEmails(bg, "alice", all)
	}
	has := func(want ...string) {
		t.Helper()
		all, err := d.Emails(bg, "alice")
		var got []string
		for _, e := range all {
			got = append(got, e.Address)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("alice has %v, not %v; %v", got, want, err)
		}
	}
	if _, err := set("a@example.org", "b@example.org"); err != nil {
		t.Fatal(err)
	}
	taken, err := set("c@example.org", "bob@example.org")
	if taken != "bob@example.org" || !errors.Is(err, ErrConflict) {
		t.Errorf("%q, %v", taken, err)
	}
	has("a@example.org", "b@example.org")
	if _, err := set("b@example.org", "c@example.org"); err != nil {
		t.Error(err)
	}
	has("b@example.org", "c@example.org")
	if _, err := set(); err != nil {
		t.Error(err)
	}
	has()
}
