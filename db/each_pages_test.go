package db

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pages gives a whole list, read so many rows at a time.
func pages[T any](t *testing.T, size int, page func(after T, limit int) ([]T, error)) (all []T) {
	t.Helper()
	var last T
	for {
		rows, err := page(last, size)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, rows...); len(rows) < size {
			return all
		}
		if last = rows[len(rows)-1]; len(all) > 10_000 {
			t.Fatal("the list has no end")
		}
	}
}

// Whatever the filter and the size of a page, the pages hold what fits, once and in order.
func TestUserPages(t *testing.T) {
	t.Parallel()
	d := fresh(t) // with alice
	for i, name := range []string{"bob", "Bobby", "al%", "a_l", "carol", "dave", "eve", "bobo"} {
		u := User{Localpart: name, PasswordHash: "hash", Created: t0, Admin: i%3 == 0}
		if i%4 == 1 {
			u.Locked = t0
		}
		if i%4 == 2 {
			u.Deactivated, u.Locked = t0, t0
		}
		if err := d.CreateUser(bg, u); err != nil {
			t.Fatal(err)
		}
	}
	login(t, d, "one", "A")
	users, err := d.Users(bg)
	if err != nil || len(users) != 9 {
		t.Fatalf("%d users, %v", len(users), err)
	}
	for _, state := range []UserState{"", UserActive, UserLocked, UserDeactivated} {
		for _, admin := range []bool{false, true} {
			for _, part := range []string{"", "bob", "BOB", "%", "_", "nobody", "b\x00b"} {
				f := UserFilter{Part: part, State: state, Admin: admin}
				var want []CountedUser
				for _, u := range users {
					if (state == "" || u.State() == state) && (!admin || u.Admin) &&
						strings.Contains(strings.ToLower(u.Localpart), strings.ToLower(part)) {
						c := CountedUser{User: u}
						if u.Localpart == "alice" {
							c.Sessions = 1
						}
						want = append(want, c)
					}
				}
				for size := range 4 {
					got := pages(t, size+1, func(after CountedUser, limit int) ([]CountedUser, error) {
						return d.UserPage(bg, f, after.Localpart, limit)
					})
					if !cmp.Equal(got, want) {
						t.Errorf("%+v by %d: %s", f, size+1, cmp.Diff(want, got))
					}
				}
			}
		}
	}
}

func TestEventPages(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	kinds := []string{EventLogin, EventLogout, EventLocked}
	for i := range 60 { // several at each moment
		e := Event{At: t0.Add(time.Duration(i/7) * time.Millisecond), Kind: kinds[i%3],
			Localpart: []string{"alice", "Bob", "", "a-b"}[i%4], Session: fmt.Sprint("s", i%5), Addr: "192.0.2.1"}
		if err := d.Record(bg, e); err != nil {
			t.Fatal(err)
		}
	}
	all, err := d.Events(bg, "", 1000)
	if err != nil || len(all) != 61 { // and that of alice's account
		t.Fatalf("%d events, %v", len(all), err)
	}
	for _, localpart := range []string{"", "alice", "nobody"} {
		for _, of := range [][]string{nil, kinds[:1], kinds[:2], {"none"}} {
			for _, bounds := range [][2]time.Time{{}, {t0.Add(2 * time.Millisecond), t0.Add(6 * time.Millisecond)},
				{{}, t0}, {t0.Add(time.Hour), {}}} {
				f := EventFilter{Localpart: localpart, Kinds: of, Since: bounds[0], Until: bounds[1]}
				var want []Event
				for _, e := range all {
					if (localpart == "" || e.Localpart == localpart) && (of == nil || slices.Contains(of, e.Kind)) &&
						!e.At.Before(f.Since) && (f.Until.IsZero() || e.At.Before(f.Until)) {
						want = append(want, e)
					}
				}
				for _, size := range []int{1, 2, 5, 100} {
					got := pages(t, size, func(before Event, limit int) ([]Event, error) {
						return d.EventPage(bg, f, before, limit)
					})
					if !cmp.Equal(got, want) {
						t.Errorf("%+v by %d: %s", f, size, cmp.Diff(want, got))
					}
				}
			}
		}
	}
	// A bound that has come nearer than where the page before ended is the nearer one's.
	got, err := d.EventPage(bg, EventFilter{Until: t0.Add(time.Millisecond)}, all[0], 1000)
	if err != nil || len(got) != 8 || !got[0].At.Equal(t0) {
		t.Errorf("%d events, %v", len(got), err)
	}
}

func TestOtherPages(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for i := range 7 {
		at := t0.Add(time.Duration(i/3) * time.Second)
		r := RegistrationToken{Token: fmt.Sprint("token", 9-i), Created: at, UsesAllowed: 1}
		if err := d.AddRegistrationToken(bg, r); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			if err := d.RevokeRegistrationToken(bg, r.Token, t0); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Write(bg, func(t *Tx) error {
			return t.wait(Registration{Localpart: fmt.Sprint("user", 9-i), PasswordHash: "hash", At: at})
		}); err != nil {
			t.Fatal(err)
		}
		login(t, d, fmt.Sprint("s", i), fmt.Sprint("D", 9-i))
	}
	tokens, err := d.RegistrationTokens(bg, t0)
	if err != nil || len(tokens) != 7 || tokens[0].Token != "token7" {
		t.Fatalf("%v, %v", tokens, err)
	}
	waiting, err := d.WaitingUsers(bg)
	if err != nil || len(waiting) != 7 || waiting[0].Localpart != "user7" {
		t.Fatalf("%v, %v", waiting, err)
	}
	for size := range 4 {
		if got := pages(t, size+1, func(after RegistrationToken, limit int) ([]RegistrationToken, error) {
			return d.RegistrationTokenPage(bg, t0, after, limit)
		}); !cmp.Equal(got, tokens) {
			t.Errorf("by %d: %s", size+1, cmp.Diff(tokens, got))
		}
		if got := pages(t, size+1, func(after WaitingUser, limit int) ([]WaitingUser, error) {
			return d.WaitingPage(bg, after, limit)
		}); !cmp.Equal(got, waiting) {
			t.Errorf("by %d: %s", size+1, cmp.Diff(waiting, got))
		}
		for _, localpart := range []string{"", "alice"} {
			if got := pages(t, size+1, func(after Session, limit int) ([]Session, error) {
				return d.SessionPage(bg, localpart, after, limit)
			}); len(got) != 7 || got[0].DeviceID != "D3" || got[6].DeviceID != "D9" {
				t.Errorf("by %d: %v", size+1, got)
			}
		}
	}
	if r, err := d.RegistrationToken(bg, "token7", t0); err != nil || r != tokens[0] || r.State(t0) != "good" {
		t.Errorf("%v, %v", r, err)
	}
	if r, err := d.RegistrationToken(bg, "token6", t0); err != nil || r.State(t0) != "revoked" {
		t.Errorf("%v, %v", r, err)
	}
	want := Counts{Users: 1, Sessions: 7, Waiting: 7, Invitations: 6}
	if n, err := d.Count(bg, t0); err != nil || n != want {
		t.Errorf("%+v, %v", n, err)
	}
}
