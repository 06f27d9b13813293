package imported

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/db"
	"postern/db/dbtest"
)

func TestImportDevices(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.finds(t, "access one", "") // before there is any
	idle := Device{Session: "three", DeviceID: "C", DisplayName: "idle"}
	did(t, d.arrive(t, false, bob, gadget("one", "A"), gadget("two", "B"), idle),
		Arrived{Added: true, Live: 2, Soft: 1})
	d.finds(t, "access one", "one")
	d.finds(t, "refresh two", "two")
	d.finds(t, "access three", "")
	want := db.Session{ID: "one", Localpart: "bob", DeviceID: "A", DisplayName: "name of A", Created: t0,
		Refreshable: true, Generation: 1, Oldest: 1, KeyID: 1,
		Minted: t0, AccessExpires: t0.Add(time.Hour), State: db.Live,
		Seen: db.Seen{At: t0, Addr: "192.0.2.7", Agent: "theirs"}, Imported: true}
	if diff := cmp.Diff(want, d.session(t, "one")); diff != "" {
		t.Error(diff)
	}
	if s := d.session(t, "three"); s.State != db.Soft || !s.Imported {
		t.Errorf("%+v", s)
	}

	// A second run, even if there is something new over there, changes nothing.
	did(t, d.arrive(t, false, bob, gadget("one", "A"), gadget("2nd", "D")), Arrived{Here: 2})
	d.finds(t, "access 2nd", "")

	token, s, err := d.find(bg, hashOf("refresh one"))
	if err != nil || !token.Refresh || token.Session != "one" || !token.Expires.IsZero() ||
		token.Hash != hashOf("refresh one") || s.ID != "one" {
		t.Errorf("%+v %+v %v", token, s, err)
	}
	moved, err := d.AdvanceGeneration(bg, refresh("one", 1))
	if err != nil || moved.Generation != 2 || moved.Imported || d.session(t, "one").Imported {
		t.Errorf("%+v, %v", moved, err)
	}
	if err := d.EndSession(bg, "one"); err != nil {
		t.Fatal(err)
	}
	d.finds(t, "access one", "")
	var n int
	if _, err := d.Get(bg, `SELECT COUNT(*) FROM imported_tokens`, []any{&n}); err != nil || n != 2 {
		t.Errorf("%d tokens are left, %v", n, err)
	}
}

// TestImportAgain: what happened over there since happens here; what happened here stays.
func TestImportAgain(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	a, b, c := gadget("a", "A"), gadget("b", "B"), gadget("c", "C")
	ended, renewed, both := gadget("e", "E"), gadget("r", "R"), gadget("x", "X")
	d.arrive(t, true, bob, a, b, c, ended, renewed, both)
	_, err1 := d.AdvanceGeneration(bg, refresh("r", 1))
	_, err2 := d.AdvanceGeneration(bg, refresh("x", 1))
	if err := errors.Join(err1, err2, d.EndSession(bg, "e")); err != nil {
		t.Fatal(err)
	}
	as := func(id string, d Device) Device { d.Session = id; return d } // each run makes ids of its own
	b2, x2 := gadget("b2", "B"), gadget("x2", "X")
	// C logged out, N came, B and X were refreshed
	theirs := []Device{as("a2", a), b2, as("e2", ended), as("r2", renewed), x2, gadget("n", "N")}
	try, err := Add(bg, d.DB,
		Batch{At: t0, KeyID: 1, Again: true, DryRun: true,
			Arrivals: []Arrival{{User: bob, WithDevices: true, Devices: theirs}}})
	if err != nil {
		t.Fatal(err)
	}
	d.finds(t, "access c", "c")
	want := Arrived{Live: 1, Replaced: 1, Ended: 1, Here: 3, Own: 1}
	did(t, try[0], want)
	did(t, d.arrive(t, true, bob, theirs...), want)
	for token, session := range map[string]string{"access a": "a", "access b": "", "access b2": "b2", "access c": "",
		"access e": "", "access r": "r",
		"access x": "x", "access x2": "", "access n": "n"} {
		d.finds(t, token, session)
	}
	if s := d.session(t, "x"); s.Generation != 2 {
		t.Errorf("%+v", s)
	}
	did(t, d.arrive(t, true, bob, theirs...), Arrived{Here: 6})

	// The other server was told of a login here, and not yet that it is over.
	did(t, d.arrive(t, true, bob, append(theirs, Device{Session: "g", DeviceID: "GHOST"})...), Arrived{Here: 6, Own: 1})

	moved := b2 // a token can move to another device (a dehydrated device that is revived)
	moved.Session, moved.DeviceID = "m", "M"
	did(t, d.arrive(t, true, bob, as("a3", a), moved), Arrived{Live: 1, Ended: 2, Here: 1})
	d.finds(t, "access b2", "m")
}

// TestImportFollows: passwords, locks and deactivations, each unless it was done here.
func TestImportFollows(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.arrive(t, true, bob, gadget("a", "A"))
	d.arrive(t, true, db.User{Localpart: "carol", PasswordHash: "theirs", Created: t0})
	if err := d.Rehash(bg, "bob", "theirs", "stronger"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ChangePassword(bg, db.PasswordChange{Localpart: "carol", Hash: "own"}); err != nil {
		t.Fatal(err)
	}
	if made, err := MadeSince(bg, d.DB); err != nil || made != (Made{Passwords: 1, Users: 1}) { // alice was made here
		t.Errorf("%+v, %v", made, err)
	}
	did(t, d.arrive(t, true, bob, gadget("a", "A")), Arrived{Here: 1})
	changed := bob
	changed.PasswordHash, changed.Locked = "new", t0
	did(t, d.arrive(t, true, changed, gadget("a", "A")), Arrived{Here: 1, Changed: []string{"password", "locked"}})
	if u, _ := d.User(bg, "bob"); u.PasswordHash != "new" || u.Locked.IsZero() || !d.session(t, "a").Locked {
		t.Errorf("%+v", u)
	}
	changed.Admin = true
	did(t, d.arrive(t, true, changed, gadget("a", "A")), Arrived{Here: 1, Changed: []string{"admin"}})
	changed.Admin = false
	did(t, d.arrive(t, true, changed, gadget("a", "A")), Arrived{Here: 1, Changed: []string{"no admin any more"}})
	if u, _ := d.User(bg, "bob"); u.Admin || d.session(t, "a").Admin {
		t.Errorf("%+v", u)
	}
	if err := d.UnlockUser(bg, "bob"); err != nil { // by an operator here
		t.Fatal(err)
	}
	did(t, d.arrive(t, true, changed, gadget("a", "A")), Arrived{Here: 1})
	passkey := db.Factor{ID: "key", Localpart: "bob", Kind: db.FactorPasskey, Sealed: []byte("x"), Created: t0}
	browser := db.Browser{ID: "b", Localpart: "bob", Expires: t0.Add(time.Hour)}
	err := errors.Join(d.AddFactor(bg, passkey, "", nil), d.AddBrowser(bg, browser, "new", true))
	if err != nil {
		t.Fatal(err)
	}
	changed.Locked, changed.Deactivated = time.Time{}, t0
	did(t, d.arrive(t, true, changed), Arrived{Changed: []string{"deactivated"}})
	d.finds(t, "access a", "")
	factors, err1 := d.Factors(bg, "bob")
	browsers, err2 := d.Browsers(bg, "bob")
	if len(factors) > 0 || len(browsers) > 0 || errors.Join(err1, err2) != nil {
		t.Errorf("a closed account has %v and %v, %v %v", factors, browsers, err1, err2)
	}
	changed.Deactivated = time.Time{}
	did(t, d.arrive(t, true, changed, gadget("a2", "A")), Arrived{Live: 1, Changed: []string{"reactivated"}})
	did(t, d.arrive(t, true, db.User{Localpart: "carol", PasswordHash: "new"}), Arrived{})
	if u, _ := d.User(bg, "carol"); u.PasswordHash != "own" {
		t.Errorf("%+v", u)
	}
	// alice was made here: her devices come, her password stays.
	login(t, d, "hers", "A")
	did(t, d.arrive(t, false, db.User{Localpart: "alice", PasswordHash: "theirs"}, gadget("y", "A"), gadget("z", "Z")),
		Arrived{Own: 1, Live: 1})
	if u, _ := d.User(bg, "alice"); u.PasswordHash != "hash" {
		t.Errorf("%+v", u)
	}
}

// TestImportIsNoticed: a server that runs while the command line imports, and one that has looked before.
func TestImportIsNoticed(t *testing.T) {
	t.Parallel()
	dsn := dbtest.DSN(t)
	d, other := freshAt(t, dsn), open(t, dsn)
	d.finds(t, "access a", "")
	d.finds(t, "access a", "")
	other.arrive(t, false, bob, gadget("a", "A"))
	d.finds(t, "access a", "a")
	d.finds(t, "refresh a", "a")
	other.arrive(t, true, bob, Device{Session: "a2", DeviceID: "A", Live: true, Tokens: gadget("a", "A").Tokens[:1]})
	d.finds(t, "access a", "a2") // the same token, with another session
	d.finds(t, "refresh a", "")
	d.arrive(t, true, bob, gadget("b", "B"))
	d.finds(t, "access a", "")
	d.finds(t, "access b", "b")
}

// TestImportTellsNobody: the homeserver behind is where it all comes from. Of accounts from elsewhere it is told.
func TestImportTellsNobody(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	if err := d.queue.SetHomeserver(bg, "http://127.0.0.1:8008"); err != nil {
		t.Fatal(err)
	}
	d.arrive(t, true, bob, gadget("a", "A"), gadget("b", "B"))
	changed := bob
	changed.Locked, changed.Admin = t0, true
	d.arrive(t, true, changed, gadget("a2", "A"))
	changed.Deactivated = t0
	d.arrive(t, true, changed)
	if waiting, err := d.queue.List(bg); err != nil || len(waiting) > 0 {
		t.Errorf("%+v, %v", waiting, err)
	}
	if _, _, err := d.importUsers([]db.User{{Localpart: "dora"}}); err != nil {
		t.Fatal(err)
	}
	if waiting, err := d.queue.List(bg); err != nil || len(waiting) != 1 || waiting[0].Localpart != "dora" {
		t.Errorf("%+v, %v", waiting, err)
	}
}

// TestImportTellsOfTheUnlisted: a homeserver takes its own token for a device that it does not list, and ours not.
func TestImportTellsOfTheUnlisted(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	unlisted := gadget("a", "A")
	unlisted.Unlisted = true
	d.arrive(t, true, bob, unlisted, gadget("b", "B"))
	if err := d.queue.SetHomeserver(bg, "http://127.0.0.1:8008"); err != nil {
		t.Fatal(err)
	}
	if waiting, err := d.queue.List(bg); err != nil || len(waiting) != 1 || waiting[0].DeviceID != "A" {
		t.Errorf("%+v, %v", waiting, err)
	}
}

// TestImportedDependsOnNoKey: a root key may go although sessions came while it was the newest, and they are refreshed
// all the same.
func TestImportedDependsOnNoKey(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.arrive(t, true, bob, gadget("a", "A"), gadget("b", "B"))
	second := refresh("b", 1)
	second.KeyID = 2
	if err := errors.Join(d.AddRootKey(bg, db.RootKey{ID: 1, Wrapped: []byte("a")}),
		d.AddRootKey(bg, db.RootKey{ID: 2, Wrapped: []byte("b")})); err != nil {
		t.Fatal(err)
	}
	if s, err := d.AdvanceGeneration(bg, second); err != nil || s.KeyID != 2 {
		t.Fatal(s, err)
	}
	if err := d.RetireRootKey(bg, 1, t0, false); err != nil {
		t.Fatal(err)
	}
	d.finds(t, "access a", "a")
	for _, id := range []string{"a", "b", "b"} {
		r := refresh(id, 1)
		r.KeyID = 2
		if s, err := d.AdvanceGeneration(bg, r); err != nil || s.Generation != 2 || s.KeyID != 2 {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

// TestImportRetiredKey: the caller reads the keys again.
func TestImportRetiredKey(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	if err := errors.Join(d.AddRootKey(bg, db.RootKey{ID: 1, Wrapped: []byte("a")}),
		d.AddRootKey(bg, db.RootKey{ID: 2, Wrapped: []byte("b")}), d.RetireRootKey(bg, 1, t0, true)); err != nil {
		t.Fatal(err)
	}
	_, err := Add(bg, d.DB,
		Batch{KeyID: 1, At: t0, Arrivals: []Arrival{{User: bob, WithDevices: true,
			Devices: []Device{gadget("a", "A")}}}})
	if _, missing := d.User(bg, "bob"); !errors.Is(err, db.ErrKeyGone) || !errors.Is(missing, db.ErrNotFound) {
		t.Errorf("%v, %v", err, missing)
	}
}
