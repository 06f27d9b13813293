package db

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func factor(id, kind string) Factor {
	return Factor{ID: id, Localpart: "alice", Kind: kind, Name: id, Sealed: []byte("sealed"), Created: t0}
}

// TestSecondFactor: with it the password alone starts no session and signs no browser in, whenever it was added.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	alone := loginOf("one", "A")
	if _, err := d.StartSession(bg, alone); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"this", "other"} {
		b := Browser{ID: id, Localpart: "alice", Expires: time.UnixMilli(9)}
		if err := d.AddBrowser(bg, b, "hash", false); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.AddFactor(bg, factor("app", FactorCodes), "this", []Factor{factor("r", FactorRecovery)}); err != nil {
		t.Fatal(err)
	}
	if left, err := d.Browsers(bg, "alice"); err != nil || len(left) != 1 || left[0].ID != "this" {
		t.Errorf("signed in are %v, %v", left, err)
	}
	if _, _, err := d.Session(bg, "one"); err != nil {
		t.Errorf("the session from before: %v", err)
	}
	alone.ID = "two"
	if _, err := d.StartSession(bg, alone); !errors.Is(err, ErrSecondFactor) {
		t.Errorf("the password alone: %v", err)
	}
	err := d.AddBrowser(bg, Browser{ID: "late", Localpart: "alice"}, "hash", false)
	if !errors.Is(err, ErrConflict) {
		t.Errorf("a browser by the password alone: %v", err)
	}
	alone.SecondFactor = true
	if _, err := d.StartSession(bg, alone); err != nil {
		t.Errorf("with the second factor: %v", err)
	}
	if u, err := d.User(bg, "alice"); err != nil || !u.SecondFactor {
		t.Errorf("the account is %+v, %v", u, err)
	}
}

// TestFactorBounds: there is one app for codes and a bounded number of passkeys; the last second factor takes the
// recovery codes with it, and a deactivated account has none.
func TestFactorBounds(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	add := func(f Factor) error { return d.AddFactor(bg, f, "", []Factor{factor("r", FactorRecovery)}) }
	for i := range MaxFactors {
		if err := add(factor(fmt.Sprint(i), FactorPasskey)); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := add(factor("more", FactorPasskey)); !errors.Is(err, ErrConflict) {
		t.Errorf("one more: %v", err)
	}
	for i := range MaxFactors {
		if err := d.RemoveFactor(bg, "bob", fmt.Sprint(i)); !errors.Is(err, ErrNotFound) {
			t.Errorf("a factor of another account: %v", err)
		}
		if err := d.RemoveFactor(bg, "alice", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := d.Factors(bg, "alice"); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	if err := errors.Join(add(factor("app", FactorCodes)), add(factor("key", FactorPasskey))); err != nil {
		t.Fatal(err)
	}
	if err := add(factor("app2", FactorCodes)); !errors.Is(err, ErrConflict) {
		t.Errorf("a second app: %v", err)
	}
	if n, err := d.ClearFactors(bg, "alice"); n != 2 || err != nil {
		t.Errorf("cleared are %d, %v", n, err)
	}
	if err := add(factor("app", FactorCodes)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Deactivate(bg, "alice", time.UnixMilli(1), false); err != nil {
		t.Fatal(err)
	}
	if err := add(factor("late", FactorPasskey)); !errors.Is(err, ErrConflict) {
		t.Errorf("a factor for a deactivated account: %v", err)
	}
	if left, err := d.Factors(bg, "alice"); err != nil || len(left) != 0 {
		t.Errorf("a deactivated account has %v, %v", left, err)
	}
}

// TestCodesAreGuessed: of many who guess at once few are looked at; the wait grows to an hour, no further; each step is
// taken once, and recovery codes too.
func TestCodesAreGuessed(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	recovery := []Factor{factor("r", FactorRecovery)}
	if err := d.AddFactor(bg, factor("app", FactorCodes), "", recovery); err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_000_000_000)
	if n := succeed(64, func() error { return d.GuessCode(bg, "app", now) }); n != freeGuesses+1 {
		t.Errorf("%d of 64 guesses were looked at", n)
	}
	looked := 0
	for range 24 * 60 {
		now = now.Add(time.Minute)
		if d.GuessCode(bg, "app", now) == nil {
			looked++
		}
	}
	if looked < 24 || looked > 30 {
		t.Errorf("%d guesses were looked at in a day", looked)
	}
	if err := d.GuessCode(bg, "app", now.Add(-2*time.Hour)); err != nil {
		t.Errorf("a clock that was set back: %v", err)
	}
	if n := succeed(64, func() error { return d.TakeCode(bg, "app", 7, now) }); n != 1 {
		t.Errorf("%d took one code", n)
	}
	if err := d.TakeCode(bg, "app", 6, now); !errors.Is(err, ErrConflict) {
		t.Errorf("an earlier code: %v", err)
	}
	if err := d.GuessCode(bg, "app", now); err != nil {
		t.Errorf("after a right one: %v", err)
	}
	if n := succeed(64, func() error { return d.UseRecovery(bg, "alice", "r") }); n != 1 {
		t.Errorf("%d used one recovery code", n)
	}
}

// succeed counts those of n at once that succeed.
func succeed(n int, do func() error) (good int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if do() == nil {
				mu.Lock()
				good++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return good
}
