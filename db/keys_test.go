package db

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRootKeys(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	key := RootKey{ID: 1, Wrapped: []byte{0, 1, 2, 0xff}, Created: t0}
	epoch := d.fresher(t)
	if err := d.AddRootKey(bg, key); err != nil {
		t.Fatal(err)
	}
	if d.fresher(t) == epoch {
		t.Error("adding a key did not raise the epoch")
	}
	if err := d.AddRootKey(bg, key); !errors.Is(err, ErrConflict) {
		t.Errorf("a taken id: %v", err)
	}
	if got, err := d.RootKeys(bg); err != nil || !cmp.Equal(got, []RootKey{key}) {
		t.Errorf("RootKeys: %v, %v", got, err)
	}
	login(t, d, "one", "A")
	if use, err := d.SessionsOnKey(bg, 1, t0); use.Sessions != 1 || err != nil {
		t.Errorf("SessionsOnKey: %+v, %v", use, err)
	}
	if err := d.RetireRootKey(bg, 1, t0, false); !errors.Is(err, ErrKeyInUse) {
		t.Errorf("the only key: %v", err)
	}

	epoch = d.fresher(t)
	if err := d.RetireRootKey(bg, 1, t0.Add(time.Hour), true); err != nil {
		t.Fatal(err)
	}
	if err := d.RetireRootKey(bg, 1, t0.Add(2*time.Hour), true); err != nil {
		t.Errorf("again: %v", err)
	}
	if d.fresher(t) == epoch {
		t.Error("retiring a key did not raise the epoch")
	}
	tombstone := RootKey{ID: 1, Created: t0, Retired: t0.Add(time.Hour)}
	if got, err := d.RootKeys(bg); err != nil || !cmp.Equal(got, []RootKey{tombstone}) {
		t.Errorf("RootKeys: %v, %v", got, err)
	}
	if err := d.AddRootKey(bg, key); !errors.Is(err, ErrConflict) {
		t.Errorf("the id of a retired key: %v", err)
	}
	if err := d.RetireRootKey(bg, 2, t0, true); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such key: %v", err)
	}
	if err := d.RetireRootKey(bg, 1, time.Time{}, true); !errors.Is(err, errNoTime) {
		t.Errorf("no time: %v", err)
	}
}

// The first key is made once, whoever comes second and whatever id it has.
func TestFirstRootKey(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	first := RootKey{ID: 5, Wrapped: []byte("a"), Created: t0}
	second := RootKey{ID: 6, Wrapped: []byte("b"), Created: t0}
	if err := errors.Join(d.AddFirstRootKey(bg, first), d.AddRootKey(bg, second),
		d.RetireRootKey(bg, 5, t0, true)); err != nil {
		t.Fatal(err)
	}
	if err := d.AddFirstRootKey(bg, RootKey{ID: 7, Wrapped: []byte("c")}); !errors.Is(err, ErrConflict) {
		t.Errorf("another first key: %v", err)
	}
	if err := d.RetireRootKey(bg, 6, t0, true); err != nil {
		t.Fatal(err)
	}
	if err := d.AddFirstRootKey(bg, RootKey{ID: 7, Wrapped: []byte("c")}); err != nil {
		t.Errorf("when all are retired: %v", err)
	}
}

// A session whose tokens die with a key is soft, with an event; one on another key, an imported one and one that is
// over are left as they are, and so is one whose client may still hold tokens of a key in force.
func TestRetirementIsTold(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for id := range int64(2) {
		if err := d.AddRootKey(bg, RootKey{ID: id + 1, Wrapped: []byte("k"), Created: t0}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"dead", "moved", "unanswered", "imported"} {
		login(t, d, name, strings.ToUpper(name))
	}
	for _, name := range []string{"moved", "unanswered"} { // to key 2; then the other way round
		r := refresh(name, 1)
		r.KeyID = 2
		if _, err := d.AdvanceGeneration(bg, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Write(bg, func(t *Tx) error {
		t.Forget("unanswered")
		t.Forget("imported")
		return errors.Join(t.Exec(`UPDATE sessions SET key_id = 1, prev_key_id = 2 WHERE id = 'unanswered'`),
			t.Exec(`UPDATE sessions SET imported = TRUE WHERE id = 'imported'`))
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.AdvanceGeneration(bg, refresh("imported", 1)); err != nil { // whose answer is lost
		t.Fatal(err)
	}
	if s := d.session(t, "dead"); s.State != Live {
		t.Fatalf("%+v", s)
	}
	if err := d.RetireRootKey(bg, 1, t0.Add(time.Hour), true); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]State{"dead": Soft, "moved": Live, "unanswered": Live,
		"imported": Live} {
		if s := d.session(t, name); s.State != want {
			t.Errorf("%s is %s, want %s", name, s.State, want)
		}
	}
	want := []Event{{At: t0.Add(time.Hour), Kind: EventKeyRetired, Localpart: "alice", DeviceID: "DEAD",
		Session: "dead", Generation: 1}}
	if got := d.events(t, "", EventKeyRetired); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// The lost answer was minted with a key that is retired before the client asks again: it gets the pair, of the new key.
func TestRefreshAfterRetirement(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for id := range int64(2) {
		if err := d.AddRootKey(bg, RootKey{ID: id + 1, Wrapped: []byte("k"), Created: t0}); err != nil {
			t.Fatal(err)
		}
	}
	login(t, d, "one", "A")
	r := refresh("one", 1)
	r.KeyID = 2
	if _, err := d.AdvanceGeneration(bg, r); err != nil {
		t.Fatal(err)
	}
	if err := d.RetireRootKey(bg, 2, t0, true); err != nil {
		t.Fatal(err)
	}
	r.KeyID, r.At = 1, r.At.Add(time.Second)
	s, err := d.AdvanceGeneration(bg, r)
	if err != nil || s.Generation != 2 || s.KeyID != 1 || !s.Minted.Equal(r.At) {
		t.Errorf("got %+v, %v", s, err)
	}
}

// A key is in use while a token of it may still come: that of the predecessor too, as the answer may have got lost.
func TestKeyInUse(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for id := range int64(2) {
		if err := d.AddRootKey(bg, RootKey{ID: id + 1, Wrapped: []byte("k"), Created: t0}); err != nil {
			t.Fatal(err)
		}
	}
	login(t, d, "one", "A")
	r := refresh("one", 1)
	r.KeyID = 2
	s, err := d.AdvanceGeneration(bg, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.RetireRootKey(bg, 1, r.At, false); !errors.Is(err, ErrKeyInUse) {
		t.Errorf("while the new pair is unused: %v", err)
	}
	d.NoteUse(s, 2, Seen{At: r.At})
	for !d.notes.empty() { // until the note is written
		time.Sleep(time.Millisecond)
	}
	if err := d.RetireRootKey(bg, 1, r.At.Add(recentUse-time.Minute), false); !errors.Is(err, ErrKeyInUse) {
		t.Errorf("within the leeway: %v", err)
	}
	if err := d.RetireRootKey(bg, 1, r.At.Add(recentUse+time.Minute), false); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	// Nothing is minted with a retired key, whatever the caller thinks.
	r = refresh("one", 2)
	r.KeyID = 1
	if _, err := d.AdvanceGeneration(bg, r); !errors.Is(err, ErrKeyGone) {
		t.Errorf("refresh: %v", err)
	}
	if now, _, err := d.Session(bg, "one"); err != nil || now.Generation != 2 {
		t.Errorf("the generation moved: %+v, %v", now, err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	if _, err := d.Setting(bg, "server_name"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unset: %v", err)
	}
	for _, v := range []string{"a.example", "b.example", ""} {
		if err := d.SetSetting(bg, "server_name", v); err != nil {
			t.Fatal(err)
		}
		if got, err := d.Setting(bg, "server_name"); got != v || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// fresher is Fresh where it must succeed.
func (d *DB) fresher(t *testing.T) uint64 {
	t.Helper()
	epoch, err := d.Fresh(bg)
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}
