package db

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestImportUser(t *testing.T) {
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
		added, skipped, err := d.ImportUser(bg, tt.in)
		if added != tt.added || !cmp.Equal(skipped, tt.skipped) || err != nil {
			t.Errorf("%d added, %v skipped, %v", added, skipped, err)
		}
	}
	want := []User{{Localpart: "alice", PasswordHash: "hash", Created: t0}, bob, carol, dave}
	if got, err := d.Users(bg); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %s", err, cmp.Diff(want, got))
	}
}
