package db

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func tokenLogin(id, token string) Login {
	return Login{ID: id, Localpart: "alice", DeviceID: id, At: t0, LoginToken: token,
		LoginTokenExpires: t0.Add(2 * time.Minute)}
}

func TestLoginToken(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	if s, err := d.StartSession(bg, tokenLogin("one", "t")); err != nil || s.ID != "one" {
		t.Fatalf("got %+v, %v", s, err)
	}
	late, never := tokenLogin("x", "u"), tokenLogin("x", "u")
	late.At = late.LoginTokenExpires
	never.LoginTokenExpires = time.Time{}
	stranger := tokenLogin("x", "u")
	stranger.Localpart = "nobody"
	for _, tt := range []struct {
		name string
		l    Login
		want error
	}{
		{"again", tokenLogin("x", "t"), ErrTokenSpent},
		{"over", late, ErrTokenSpent},
		{"without an end", never, errNoTime},
		{"of a stranger", stranger, ErrConflict},
	} {
		if _, err := d.StartSession(bg, tt.l); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := d.Deactivate(bg, "alice", t0, false); err != nil {
		t.Fatal(err)
	}
	if _, err := d.StartSession(bg, tokenLogin("x", "u")); !errors.Is(err, ErrConflict) {
		t.Errorf("of a deactivated account: %v", err)
	}
	gone(t, d, "x")
}

// What a session vouched for is worth nothing once it is gone.
func TestLoginTokenNeedsItsIssuer(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	if err := d.CreateUser(bg, User{Localpart: "bob", PasswordHash: "hash", Created: t0}); err != nil {
		t.Fatal(err)
	}
	for _, l := range []Login{
		{ID: "live", Localpart: "alice", PasswordHash: "hash", DeviceID: "A", At: t0},
		{ID: "soft", Localpart: "alice", PasswordHash: "hash", DeviceID: "B", At: t0},
		{ID: "ended", Localpart: "alice", PasswordHash: "hash", DeviceID: "C", At: t0, Expires: t0.Add(time.Second)},
		{ID: "bobs", Localpart: "bob", PasswordHash: "hash", DeviceID: "A", At: t0},
	} {
		if _, err := d.StartSession(bg, l); err != nil {
			t.Fatal(err)
		}
	}
	d.advance(t, "soft", 3)
	if _, err := d.AdvanceGeneration(bg, refresh("soft", 1)); !errors.Is(err, ErrReplay) {
		t.Fatal(err)
	}
	for issuer, want := range map[string]error{"live": nil, "soft": ErrTokenSpent, "ended": ErrTokenSpent,
		"bobs": ErrTokenSpent, "gone": ErrTokenSpent} {
		l := tokenLogin("by "+issuer, "token of "+issuer)
		l.At, l.Issuer = t0.Add(time.Second), issuer
		if _, err := d.StartSession(bg, l); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", issuer, err, want)
		}
	}
	// It may log its own device in again.
	l := tokenLogin("again", "another")
	l.Issuer, l.DeviceID = "live", "A"
	if _, err := d.StartSession(bg, l); err != nil {
		t.Error(err)
	}
	gone(t, d, "live")
}

// A token whose login fails as a whole is not spent.
func TestLoginTokenSurvivesFailure(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "taken", "A")
	l := tokenLogin("taken", "t")
	if _, err := d.StartSession(bg, l); !errors.Is(err, ErrConflict) {
		t.Errorf("a taken id: %v", err)
	}
	l.ID = "free"
	if _, err := d.StartSession(bg, l); err != nil {
		t.Error(err)
	}
}

// 64 racers with one login token, at two processes: one session.
func TestRacersRedeemOneLoginToken(t *testing.T) {
	t.Parallel()
	path := dsn(t)
	d := freshAt(t, Config{DSN: path})
	other := open(t, Config{DSN: path})
	for round := range 10 {
		errs := racers(func(i int) error {
			_, err := []*DB{d, other}[i%2].StartSession(bg,
				tokenLogin(fmt.Sprint(round, "-", i), fmt.Sprint("token", round)))
			return err
		})
		if won := winners(t, errs, ErrTokenSpent); won != 1 {
			t.Fatalf("%d sessions of one token", won)
		}
	}
	if all, err := d.Sessions(bg, ""); len(all) != 10 || err != nil {
		t.Errorf("%d sessions, %v", len(all), err)
	}
}

// TestSpendOnce: of many who spend one id one does, and nobody does later.
func TestSpendOnce(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	spend := func(int) error { return d.Spend(bg, "nonce", t0, t0.Add(time.Minute)) }
	if won := winners(t, racers(spend), ErrTokenSpent); won != 1 {
		t.Errorf("%d spent it", won)
	}
	if err := d.Spend(bg, "nonce", t0.Add(time.Hour), t0.Add(2*time.Hour)); !errors.Is(err, ErrTokenSpent) {
		t.Errorf("later: %v", err)
	}
	if err := d.Spend(bg, "another", t0, t0.Add(time.Minute)); err != nil {
		t.Errorf("another: %v", err)
	}
}

// Spent tokens are forgotten a day after their end, so the table stays small and a clock that steps back revives none.
func TestLoginTokensAreForgotten(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.hasten(t)
	const tokens = 150
	for i := range tokens {
		if _, err := d.StartSession(bg, tokenLogin("s", fmt.Sprint("t", i))); err != nil {
			t.Fatal(err)
		}
	}
	l := tokenLogin("s", "late")
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{24 * time.Hour, tokens + 1}, {25 * time.Hour, tokens - forgetLoginTokens + 2}, {25 * time.Hour, 3}} {
		l.At, l.LoginToken = t0.Add(tt.after), l.LoginToken+"r"
		l.LoginTokenExpires = l.At.Add(time.Minute)
		if _, err := d.StartSession(bg, l); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := d.reads.QueryRowContext(bg, `SELECT COUNT(*) FROM used_login_tokens`).Scan(&n); err != nil ||
			n != tt.want {
			t.Errorf("%v later: %d remembered, want %d, %v", tt.after, n, tt.want, err)
		}
	}
}

func racers(run func(i int) error) []error {
	errs := make([]error, 64)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range errs {
		wg.Go(func() {
			<-start
			errs[i] = run(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func winners(t *testing.T, errs []error, lost error) (won int) {
	t.Helper()
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, lost):
			t.Fatal(err)
		}
	}
	return won
}
