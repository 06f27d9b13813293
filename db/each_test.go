package db

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// Everything is listed once and in order, however it falls into pages, by account and age.
func TestEach(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.hasten(t)
	var users []string
	var want []Session
	for i := range 3 {
		user := fmt.Sprintf("user%d", i)
		users = append(users, user)
		if err := d.CreateUser(bg, User{Localpart: user, PasswordHash: "hash", Created: t0}); err != nil {
			t.Fatal(err)
		}
		for k := range 3 {
			// the devices are in another order than time
			s, err := d.StartSession(bg, Login{ID: fmt.Sprintf("%s-%d", user, k), Localpart: user, PasswordHash: "hash",
				DeviceID: fmt.Sprint("D", 9-k), At: t0.Add(time.Duration(k) * time.Second), KeyID: 1})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, s)
		}
	}
	d.bulk(t, "alice", 2*eachPage, time.Time{})
	users = append([]string{"alice"}, users...)
	d.NoteUse(want[0], 1, Seen{At: t0.Add(time.Hour), Addr: "192.0.2.9"})
	want[0] = d.session(t, want[0].ID)

	var got []Session
	if err := d.EachSession(bg, func(s Session) error {
		got = append(got, s)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	of := func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.Localpart, b.Localpart), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	}
	if !slices.IsSortedFunc(got, of) || len(got) != 2*eachPage+len(want) || !slices.Equal(got[2*eachPage:], want) {
		t.Errorf("%d sessions, the last %v", len(got), got[len(got)-len(want):])
	}

	counts := make(map[string]int)
	var names []string
	if err := d.EachUser(bg, func(u User, sessions int) error {
		names = append(names, u.Localpart)
		counts[u.Localpart] = sessions
		return nil
	}); err != nil || !slices.Equal(names, users) || counts["alice"] != 2*eachPage || counts["user1"] != 3 {
		t.Errorf("%v, %v: %v", names, counts, err)
	}

	enough, seen := errors.New("enough"), 0
	if err := d.EachSession(bg, func(Session) error {
		seen++
		return enough
	}); !errors.Is(err, enough) || seen != 1 {
		t.Errorf("%d after the end: %v", seen, err)
	}
}
