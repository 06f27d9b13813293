package db

import (
	"errors"
	"fmt"
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
	if err := d.EndBrowser(bg, all[0].ID); err != nil {
		t.Error(err)
	}
	if err := d.EndBrowser(bg, all[0].ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("ended twice: %v", err)
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
