package db

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// told writes events of alice's: "kind session minute", separated by commas.
func told(t *testing.T, d *DB, events string) {
	t.Helper()
	err := d.Write(bg, func(t *Tx) (err error) {
		for _, text := range strings.Split(events, ",") {
			var e Event
			var minute int
			_, failed := fmt.Sscan(text, &e.Kind, &e.Session, &minute)
			e.At, e.Localpart, e.Agent = t0.Add(time.Duration(minute)*time.Minute), "alice", "x"
			err = errors.Join(err, failed, t.Record(e))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, all []Event, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, e := range all {
		words = append(words, e.Kind+" "+e.Session)
	}
	return strings.Join(words, ",")
}

// TestHistory: the login of a new device is one event, and none is on two pages, or on none.
func TestHistory(t *testing.T) {
	t.Parallel()
	d := fresh(t) // alice is made at t0
	told(t, d, "login a 1,new_device a 1,login b 2,logout a 2,login c 2,new_device c 2")
	const want = "logout a,login b,new_device c,new_device a,created "
	all, err := d.History(bg, "alice", 0, 10)
	if got := read(t, all, err); got != want {
		t.Errorf("got %s", got)
	}
	for size := range 4 {
		size++
		var pages []Event
		for skip := 0; skip < 6; skip += size {
			page, err := d.History(bg, "alice", skip, size)
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, page...)
		}
		if !slices.Equal(pages, all) {
			t.Errorf("in pages of %d: %v", size, pages)
		}
	}
	if all, err := d.History(bg, "bob", 0, 10); err != nil || len(all) != 0 {
		t.Errorf("of a stranger: %v %v", all, err)
	}
}

// TestNewDevices: each is told until it is dismissed, but for the first device of an account that was made here.
func TestNewDevices(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	is := func(when, want string) {
		t.Helper()
		all, err := d.NewDevices(bg, "alice", 10)
		if got := read(t, all, err); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	dismiss := func(minute int) {
		t.Helper()
		if err := d.DismissNewDevices(bg, "alice", t0.Add(time.Duration(minute)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	is("at first", "")
	told(t, d, "login a 1,new_device a 1")
	is("the first device", "")
	told(t, d, "login b 1,new_device b 1,login c 3,new_device c 3,login c2 4")
	is("more", "new_device b,new_device c")
	dismiss(2)
	is("one is dismissed", "new_device c")
	dismiss(1)
	is("an older page is sent again", "new_device c")
	dismiss(1_000_000)
	is("all are dismissed", "")
	told(t, d, "login d 5,new_device d 5")
	is("after a dismissal of what is to come", "new_device d")
	dismiss(5)
	for i := range 12 {
		told(t, d, fmt.Sprintf("new_device s%02d %d", i, 10+i))
	}
	all, err := d.NewDevices(bg, "alice", 3)
	if got := read(t, all, err); got != "new_device s00,new_device s01,new_device s02" {
		t.Errorf("of many: %s", got)
	}

	// Of an account that came from elsewhere nobody saw it made: its first device here need not be its first one.
	if err := d.Write(bg, func(t *Tx) error {
		return errors.Join(t.Exec(`DELETE FROM events`), t.Exec(`UPDATE users SET noticed = 0`))
	}); err != nil {
		t.Fatal(err)
	}
	told(t, d, "login a 1,new_device a 1")
	is("an account that was imported", "new_device a")
}
