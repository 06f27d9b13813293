package db

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// bot starts a session that is a token for a bot.
func bot(d *DB, id, device string, change ...func(*Login)) (Session, error) {
	l := Login{ID: id, Localpart: "alice", PasswordHash: "hash", DeviceID: device, DisplayName: "Bell", At: t0,
		KeyID: 1, Expires: t0.Add(time.Hour), Bot: true, Restrictions: "method in GET\npath under /_matrix"}
	for _, f := range change {
		f(&l)
	}
	return d.StartSession(bg, l)
}

// TestBot: what a token for a bot is restricted to is kept with its session, wherever that goes; and its event is one
// of its own.
func TestBot(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "person", "A")
	got, err := bot(d, "bell", "B")
	if err != nil || !got.Bot || got.Restrictions != "method in GET\npath under /_matrix" || got.Refreshable ||
		!got.AccessExpires.Equal(t0.Add(time.Hour)) || !got.Seen.At.IsZero() {
		t.Fatalf("%+v, %v", got, err)
	}
	d.cache.flush()
	if s := d.session(t, "bell"); s != got {
		t.Errorf("from the database: %+v", s)
	}
	if s := d.session(t, "person"); s.Bot || s.Restrictions != "" {
		t.Errorf("a person's: %+v", s)
	}
	if err := d.RenameDevice(bg, "alice", "B", "Other"); err != nil || d.session(t, "bell").Restrictions == "" {
		t.Errorf("renamed: %v", err)
	}
	events, err := d.Events(bg, "alice", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Session == "bell" && e.Kind != EventTokenIssued {
			t.Errorf("event %+v", e)
		}
	}
	if _, err := bot(d, "nul", "C", func(l *Login) { l.Restrictions = "a\x00b" }); !errors.Is(err, ErrText) {
		t.Errorf("with NUL: %v", err)
	}
}

// TestBotsDevice: neither does a token for a bot take the place of a session, nor a login that of a bot's token, while
// that is good.
func TestBotsDevice(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "person", "A")
	if _, err := bot(d, "thief", "A"); !errors.Is(err, ErrDeviceTaken) {
		t.Errorf("on a person's device: %v", err)
	}
	if _, err := bot(d, "bell", "B"); err != nil {
		t.Fatal(err)
	}
	if _, err := bot(d, "again", "B"); !errors.Is(err, ErrDeviceTaken) {
		t.Errorf("on a bot's device: %v", err)
	}
	on := func(at time.Time) error {
		_, err := d.StartSession(bg, Login{ID: "login", Localpart: "alice", PasswordHash: "hash", DeviceID: "B", At: at,
			KeyID: 1})
		return err
	}
	if err := on(t0); !errors.Is(err, ErrDeviceTaken) {
		t.Errorf("a login: %v", err)
	}
	d.session(t, "person")
	d.session(t, "bell")
	if err := on(t0.Add(time.Hour)); err != nil || d.session(t, "login").Bot {
		t.Errorf("a login once the token's time is over: %v", err)
	}
}

// TestTooManyBots: an account has a bounded number of tokens, and another one its own.
func TestTooManyBots(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.hasten(t)
	for i := range maxBots {
		if _, err := bot(d, fmt.Sprint("s", i), fmt.Sprint("D", i)); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, err := bot(d, "more", "MORE"); !errors.Is(err, ErrFull) {
		t.Errorf("one more: %v", err)
	}
	login(t, d, "person", "A")
	if err := d.EndSession(bg, "s7"); err != nil {
		t.Fatal(err)
	}
	if _, err := bot(d, "more", "MORE"); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}
