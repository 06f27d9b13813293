package imported

import (
	"errors"
	"testing"
	"time"

	"postern/db"
)

// TestMarkOfAnEarlierRelease: databases hold marks as they were written when accounts first came. One that was not
// understood would count as none: a session that was ended here would come back to life with the next import.
func TestMarkOfAnEarlierRelease(t *testing.T) {
	t.Parallel()
	const written = "4c55a8552a2c7261" + "la" + "/" + "fb4a35df4f32028f"
	a := Arrival{User: db.User{Localpart: "bob", PasswordHash: "theirs", Locked: t0, Admin: true}, WithDevices: true,
		Devices: []Device{gadget("a", "A")}}
	if a.Mark() != written {
		t.Errorf("%s, want %s", a.Mark(), written)
	}
	m := parseMark(written)
	if !m.came || !m.locked || m.deactivated || !m.admin || !m.withDevices || !m.has(a.Devices[0]) ||
		m.String() != written {
		t.Errorf("%+v", m)
	}

	d := fresh(t)
	d.arrive(t, false, bob, gadget("a", "A"))
	if err := errors.Join(d.EndSession(bg, "a"), d.Write(bg, func(t *db.Tx) error {
		return t.Exec(`UPDATE users SET imported = $1 WHERE localpart = 'bob'`, written)
	})); err != nil {
		t.Fatal(err)
	}
	again := gadget("a", "A")
	again.Session = "a2" // each run makes ids of its own
	for _, changes := range []bool{false, true} {
		did(t, d.arrive(t, changes, a.User, again), Arrived{Here: 1})
		d.finds(t, "access a", "")
	}
}

func TestMark(t *testing.T) {
	t.Parallel()
	a := Arrival{User: bob, WithDevices: true, Devices: []Device{gadget("a", "A"), gadget("b", "B")}}
	for name, change := range map[string]func(*Arrival){
		"password": func(a *Arrival) { a.User.PasswordHash = "x" }, "lock": func(a *Arrival) { a.User.Locked = t0 },
		"deactivation": func(a *Arrival) { a.User.Deactivated = t0 }, "admin": func(a *Arrival) { a.User.Admin = true },
		"an address":    func(a *Arrival) { a.Emails = []db.Email{{Address: "a@example.org"}} },
		"no devices":    func(a *Arrival) { a.WithDevices, a.Devices = false, nil },
		"a device less": func(a *Arrival) { a.Devices = a.Devices[:1] },
		"another name":  func(a *Arrival) { a.Devices = []Device{a.Devices[0], gadget("b", "C")} },
		"a token less": func(a *Arrival) {
			b := gadget("b", "B")
			b.Tokens = b.Tokens[:1]
			a.Devices = []Device{a.Devices[0], b}
		},
		"another session": func(a *Arrival) {
			b := gadget("b", "B")
			b.Expires = t0
			a.Devices = []Device{a.Devices[0],
				b}
		},
	} {
		other := a
		change(&other)
		if other.Mark() == a.Mark() {
			t.Errorf("%s is not in the mark", name)
		}
		if back := parseMark(other.Mark()).String(); back != other.Mark() {
			t.Errorf("%s reads back as %s", other.Mark(), back)
		}
	}
	same := a
	// in another order, seen at another time, with another id here
	same.Devices = []Device{gadget("b", "B"), gadget("a", "A")}
	same.Devices[0].Seen.At, same.Devices[0].Session = t0.Add(24*time.Hour), "c"
	if same.Mark() != a.Mark() {
		t.Error("what does not matter is in the mark")
	}
	if parseMark("").came {
		t.Error("an empty mark is known")
	}
}
