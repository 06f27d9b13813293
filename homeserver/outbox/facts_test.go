package outbox

import (
	"slices"
	"strings"
	"testing"
	"time"

	"postern/db"
)

// Every change that the homeserver must know of is sent, and no other.
func TestEachFactIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(*site) error
		want []string // calls
	}{
		{"a device is renamed", func(x *site) error { return x.db.RenameDevice(x.Context(), "alice", "A", "new") }, []string{"upsert_device alice A"}},
		{"a session ends", func(x *site) error {
			s, err := x.db.Device(x.Context(), "alice", "A")
			x.must(err)
			return x.db.EndSession(x.Context(), s.ID)
		}, []string{"delete_device alice A"}},
		{"a device is deleted", func(x *site) error { return x.db.EndDevice(x.Context(), "alice", "B") }, []string{"delete_device alice B"}},
		{"devices are deleted", func(x *site) error {
			_, err := x.db.EndDevices(x.Context(), "alice", []string{"A", "B", "none"})
			return err
		}, []string{"delete_device alice A", "delete_device alice B"}},
		{"everything of a user ends", func(x *site) error { _, err := x.db.EndSessions(x.Context(), "alice"); return err },
			[]string{"delete_device alice A", "delete_device alice B"}},
		{"a password ends the others", func(x *site) error {
			_, err := x.db.ChangePassword(x.Context(),
				db.PasswordChange{Localpart: "alice", Hash: "other", EndOthers: true})
			return err
		},
			[]string{"delete_device alice A", "delete_device alice B"}},
		{"a password ends nothing", func(x *site) error {
			_, err := x.db.ChangePassword(x.Context(), db.PasswordChange{Localpart: "alice", Hash: "other"})
			return err
		}, nil},
		{"a lock", func(x *site) error { return x.db.LockUser(x.Context(), "alice", t0) }, []string{"provision_user alice"}},
		{"an unlock", func(x *site) error { return x.db.UnlockUser(x.Context(), "alice") }, []string{"provision_user alice"}},
		{"an account is closed", func(x *site) error { _, err := x.db.Deactivate(x.Context(), "alice", t0, false); return err },
			[]string{"delete_user alice", "delete_device alice A", "delete_device alice B"}},
		{"an account is made", func(x *site) error { return x.db.CreateUser(x.Context(), db.User{Localpart: "carol", Created: t0}) },
			[]string{"provision_user carol"}},
		{"a login on a known device", func(x *site) error { x.login("alice", "A"); return nil }, []string{"upsert_device alice A"}},
		{"old sessions are tidied", func(x *site) error {
			_, err := x.db.Tidy(x.Context(), t0.Add(100*24*time.Hour), db.TidyConfig{})
			return err
		},
			[]string{"delete_device alice OLD"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newSite(t)
			x.user("alice")
			x.login("alice", "A")
			x.login("alice", "B")
			_, err := x.db.StartSession(t.Context(),
				db.Login{ID: "old", Localpart: "alice", PasswordHash: "hash", DeviceID: "OLD", At: t0,
					Expires: t0.Add(time.Hour), KeyID: 1})
			x.must(err)
			x.round()
			x.settled()
			if c.name != "old sessions are tidied" {
				x.must(x.db.EndDevice(t.Context(), "alice", "OLD"))
				x.round()
			}
			made := x.there.User("alice").Devices["A"].Made
			x.there.Calls()
			x.must(c.do(x))
			x.round()
			x.settled()
			got := x.there.Calls()
			slices.SortStableFunc(got, func(a, b string) int {
				return strings.Compare(a[strings.Index(a, " ")+1:], b[strings.Index(b, " ")+1:])
			})
			if !slices.Equal(got, c.want) {
				t.Errorf("told %q, want %q", got, c.want)
			}
			if d, there := x.there.User("alice").Devices["A"]; there && d.Made != made {
				t.Error("the device lost its keys")
			}
		})
	}
}

// The sender tells the present state.
func TestWhatIsTold(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.user("alice")
	x.login("alice", "A")
	x.must(x.db.LockUser(t.Context(), "alice", t0))
	x.must(x.db.RenameDevice(t.Context(), "alice", "A", strings.Repeat("ü", 150)))
	x.round()
	if u := x.there.User("alice"); !u.Locked || u.Devices["A"].Name != strings.Repeat("ü", 100) {
		t.Errorf("the homeserver has %+v", u)
	}
	x.must(x.db.UnlockUser(t.Context(), "alice"))
	x.must(x.db.RenameDevice(t.Context(), "alice", "A", ""))
	x.round()
	if u := x.there.User("alice"); u.Locked || u.Devices["A"].Name != "" {
		t.Errorf("the homeserver has %+v", u)
	}
	_, err := x.db.Deactivate(t.Context(), "alice", t0, false)
	x.must(err)
	x.round()
	if u := x.there.User("alice"); !u.Deactivated || u.Erased {
		t.Errorf("the homeserver has %+v", u)
	}
	x.settled()
}

// A reactivated account is reactivated at the homeserver too. If Synapse cannot do that, the row says so, and holds up
// no other.
func TestReactivated(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.user("alice")
	x.user("bob")
	x.round()
	_, err := x.db.Deactivate(t.Context(), "alice", t0, false)
	x.must(err)
	x.round()
	x.must(x.queue.Reactivate(t.Context(), "alice"))
	x.login("alice", "A")
	x.login("bob", "B")
	x.round()
	x.same()
	w, err := x.queue.List(t.Context())
	x.must(err)
	if len(w) != 1 || !w[0].Refused || !strings.Contains(w[0].Error, "background updates") {
		t.Fatalf("waiting: %+v", w)
	}
	x.there.Mended()
	x.step(time.Hour)
	x.round()
	if x.there.User("alice").Deactivated {
		t.Error("alice is still closed there")
	}
	x.settled()
}

// Who is deactivated at the homeserver by its own word stays so, whatever else it is told of the account. With a name
// that Synapse cannot be asked about it is no different.
func TestNotReactivated(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"carol", "Ünï"} {
		x := newSite(t)
		x.there.Mended()
		x.there.Add(name, "A")
		x.user(name)
		x.round()
		x.there.Deactivate(name)
		x.must(x.db.LockUser(t.Context(), name, t0))
		x.round()
		if u := x.there.User(name); !u.Deactivated || !u.Locked {
			t.Errorf("the homeserver has %+v", u)
		}
		x.must(x.db.UnlockUser(t.Context(), name))
		x.round()
		if u := x.there.User(name); !u.Deactivated || u.Locked {
			t.Errorf("the homeserver has %+v", u)
		}
		x.must(x.queue.Reactivate(t.Context(), name))
		x.round()
		if u := x.there.User(name); u.Deactivated {
			t.Errorf("the homeserver has %+v", u)
		}
		x.settled()
	}
}
