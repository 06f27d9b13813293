package db

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBrowsers: the newest of an account's stay, one ends by itself or with its account's password, and none begins
// for a password that has changed meanwhile.
func TestBrowsers(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	alice, err := d.User(bg, "alice")
	if err != nil {
		t.Fatal(err)
	}
	start := time.UnixMilli(1_000_000)
	add := func(i int) error {
		at := start.Add(time.Duration(i) * time.Second)
		return d.AddBrowser(bg, Browser{ID: fmt.Sprint(i), Localpart: "alice", Since: Seen{At: at, Addr: "192.0.2.1",
			Agent: "x"}, Proved: at, Expires: at.Add(time.Hour)}, alice.PasswordHash, false)
	}
	for i := range maxBrowsers + 3 {
		if err := add(i); err != nil {
			t.Fatal(err)
		}
	}
	all, err := d.Browsers(bg, "alice")
	if err != nil || len(all) != maxBrowsers || all[0].ID != fmt.Sprint(maxBrowsers+2) {
		t.Fatalf("%d, %v: %v", len(all), all, err)
	}
	if err := d.EndBrowser(bg, "alice", all[0].ID); err != nil {
		t.Error(err)
	}
	if err := d.EndBrowser(bg, "alice", all[0].ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("ended twice: %v", err)
	}
	if err := d.EndBrowser(bg, "bob", all[1].ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody else's ended: %v", err)
	}
	if err := d.NoteProof(bg, all[1].ID, start); err != nil {
		t.Error(err)
	}
	if b, err := d.Browser(bg, all[1].ID); err != nil || !b.Proved.Equal(start) || b.Since.Agent != "x" {
		t.Errorf("%+v %v", b, err)
	}
	done, err := d.Tidy(bg, start.Add(time.Hour+10*time.Second), TidyConfig{Pause: 1})
	if err != nil || done.Browsers != 7 {
		t.Errorf("%d were tidied: %v", done.Browsers, err)
	}
	if _, err := d.ChangePassword(bg, PasswordChange{Localpart: "alice", Hash: "new", Keep: "one"}); err != nil {
		t.Fatal(err)
	}
	if all, err := d.Browsers(bg, "alice"); err != nil || len(all) != 0 {
		t.Errorf("after another password: %v %v", all, err)
	}
	if err := add(1); !errors.Is(err, ErrConflict) {
		t.Errorf("signed in by the old password: %v", err)
	}
}

// TestLetIn: a browser knows the sessions that began in it, the newest of them.
func TestLetIn(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	b := Browser{ID: "b", Localpart: "alice", Since: Seen{At: t0}, Proved: t0, Expires: t0.Add(time.Hour),
		LetIn: []string{"from", "before"}}
	if err := d.AddBrowser(bg, b, "hash", false); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.NoteLetIn(bg, "b", "one"), d.NoteLetIn(bg, "b", "two")); err != nil {
		t.Fatal(err)
	}
	want := []string{"two", "one", "from", "before"}
	if got, err := d.Browser(bg, "b"); err != nil || !slices.Equal(got.LetIn, want) {
		t.Errorf("%v %v", got.LetIn, err)
	}
	for i := range 100 {
		if err := d.NoteLetIn(bg, "b", fmt.Sprintf("session number %020d", i)[8:]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := d.Browser(bg, "b")
	if err != nil || got.LetIn[1] != fmt.Sprintf("%020d", 99) || len(strings.Join(got.LetIn, " ")) > 1000 {
		t.Errorf("%v %v", got.LetIn, err)
	}
}

// TestEndOthers: all but one browser, and what began in that, ends at once, and nobody else's does.
func TestEndOthers(t *testing.T) {
	t.Parallel()
	var followed []string
	d := freshAt(t, Config{DSN: dsn(t), Follow: func(_ *Tx, localpart, device string) error {
		followed = append(followed, localpart+" "+device)
		return nil
	}})
	if err := d.CreateUser(bg, User{Localpart: "bob", PasswordHash: "hash", Created: t0}); err != nil {
		t.Fatal(err)
	}
	login(t, d, "one", "A")
	login(t, d, "two", "B")
	for _, id := range []string{"inxit", "in_it", "also", "in"} { // two began in it, and two have a name like theirs
		login(t, d, id, id)
	}
	his := loginOf("his", "C")
	his.Localpart = "bob"
	if _, err := d.StartSession(bg, his); err != nil {
		t.Fatal(err)
	}
	for _, b := range []Browser{{ID: "this", Localpart: "alice", LetIn: []string{"also", "in_it"}},
		{ID: "other", Localpart: "alice"},
		{ID: "another", Localpart: "alice"}, {ID: "bob's", Localpart: "bob"}} {
		if err := d.AddBrowser(bg, b, "hash", false); err != nil {
			t.Fatal(err)
		}
	}
	followed = nil
	if n, err := d.EndOthers(bg, "alice", "this"); err != nil || n != (Ended{Sessions: 4, Browsers: 2}) {
		t.Errorf("%+v %v", n, err)
	}
	if slices.Sort(followed); !slices.Equal(followed, []string{"alice A", "alice B", "alice in", "alice inxit"}) {
		t.Errorf("the homeserver hears of %q", followed)
	}
	if all, err := d.Browsers(bg, "alice"); err != nil || len(all) != 1 || all[0].ID != "this" {
		t.Errorf("%v %v", all, err)
	}
	if _, err := d.Browser(bg, "bob's"); err != nil {
		t.Errorf("bob's browser: %v", err)
	}
	for _, id := range []string{"his", "also", "in_it"} {
		d.session(t, id)
	}
	if n, err := d.EndOthers(bg, "alice", "this"); err != nil || n != (Ended{}) {
		t.Errorf("again: %+v %v", n, err)
	}
	if got := d.events(t, "alice", EventLogout); len(got) != 4 {
		t.Errorf("%+v", got)
	}
}
