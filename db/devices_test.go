package db

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDevice(t *testing.T) {
	t.Parallel()
	d := freshAt(t, Config{DSN: dsn(t), flushEvery: time.Hour})
	login(t, d, "one", "A")
	d.NoteUse(d.session(t, "one"), 1, Seen{At: t0.Add(time.Hour), Addr: "192.0.2.7", Agent: "test"})
	if s, err := d.Device(bg, "alice", "A"); err != nil || s != d.session(t, "one") || s.Seen.Addr != "192.0.2.7" {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, of := range [][2]string{{"alice", "B"}, {"bob", "A"}} {
		if s, err := d.Device(bg, of[0], of[1]); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v: %+v, %v", of, s, err)
		}
		if err := d.RenameDevice(bg, of[0], of[1], "x"); !errors.Is(err, ErrNotFound) {
			t.Errorf("renaming %v: %v", of, err)
		}
	}
	if err := d.RenameDevice(bg, "alice", "A", "My\x00 Phone\xff"); err != nil {
		t.Fatal(err)
	}
	if s := d.session(t, "one"); s.DisplayName != "My Phone" || !s.Used.Equal(t0.Add(time.Hour)) {
		t.Errorf("got %+v", s)
	}
	if s := login(t, d, "two", "A"); s.DisplayName != "My Phone" {
		t.Errorf("after logging in again: %+v", s)
	}
}

// A device that is logged in again and again is found at every moment.
func TestDeviceMeetsLogins(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.hasten(t)
	login(t, d, "0", "A")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := d.StartSession(bg,
				Login{ID: fmt.Sprint(i), Localpart: "alice", PasswordHash: "hash", DeviceID: "A", At: t0}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 500 {
		if s, err := d.Device(bg, "alice", "A"); err != nil || s.DeviceID != "A" {
			t.Errorf("got %+v, %v", s, err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestEndDevices(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	if err := d.CreateUser(bg, User{Localpart: "bob", PasswordHash: "hash", Created: t0}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.StartSession(bg,
		Login{ID: "bobs", Localpart: "bob", PasswordHash: "hash", DeviceID: "D", At: t0}); err != nil {
		t.Fatal(err)
	}
	for id, device := range map[string]string{"a": "A", "b": "B", "c": "C"} {
		login(t, d, id, device)
	}
	if n, err := d.EndDevices(bg, "alice", []string{"A", "nowhere", "C", "D", "A"}); n != 2 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	gone(t, d, "a", "c")
	d.session(t, "b")
	d.session(t, "bobs")
	if n, err := d.EndDevices(bg, "alice", nil); n != 0 || err != nil {
		t.Errorf("none: %d, %v", n, err)
	}
}

// TestDeviceName: a name is no longer than a homeserver takes, whoever gives it, and is what every engine stores.
func TestDeviceName(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	long := strings.Repeat("é", MaxDeviceName)
	l := loginOf("one", "A")
	l.DisplayName = long + "!"
	if s, err := d.StartSession(bg, l); err != nil || s.DisplayName != long {
		t.Errorf("%q %v", s.DisplayName, err)
	}
	for name, want := range map[string]string{long + long: long, "a\x00b\xff": "ab", "": ""} {
		if err := d.RenameDevice(bg, "alice", "A", name); err != nil || d.session(t, "one").DisplayName != want {
			t.Errorf("%q: %q %v", name, d.session(t, "one").DisplayName, err)
		}
	}
}
