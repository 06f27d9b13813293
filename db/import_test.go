package db

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// importUsers takes accounts over without devices, and returns how many are new, and names those that were here.
func (d *DB) importUsers(users []User) (added int, skipped []string, err error) {
	im := Import{}
	for _, u := range users {
		im.Arrivals = append(im.Arrivals, Arrival{User: u})
	}
	all, err := d.ImportAccounts(bg, im)
	for i, a := range all {
		if a.Added {
			added++
		} else {
			skipped = append(skipped, users[i].Localpart)
		}
	}
	return added, skipped, err
}

func TestImportUsers(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	bob := User{Localpart: "bob", PasswordHash: "$2b$12$bcrypt", Created: t0}
	carol := User{Localpart: "carol", PasswordHash: "hash", Created: t0, Deactivated: t0.Add(time.Hour)}
	dave := User{Localpart: "dave", PasswordHash: "hash", Created: t0, Locked: t0.Add(time.Hour), Admin: true}
	again := User{Localpart: "bob", PasswordHash: "another", Created: t0}
	for _, tt := range []struct {
		in      []User
		added   int
		skipped []string
	}{
		{[]User{{Localpart: "alice", PasswordHash: "taken over"}, bob, carol, again, dave}, 3, []string{"alice", "bob"}},
		{[]User{bob, carol, dave}, 0, []string{"bob", "carol", "dave"}},
		{nil, 0, nil},
	} {
		added, skipped, err := d.importUsers(tt.in)
		if added != tt.added || !cmp.Equal(skipped, tt.skipped) || err != nil {
			t.Errorf("%d added, %v skipped, %v", added, skipped, err)
		}
	}
	want := []User{{Localpart: "alice", PasswordHash: "hash", Created: t0}, bob, carol, dave}
	if got, err := d.Users(bg); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %s", err, cmp.Diff(want, got))
	}
}
