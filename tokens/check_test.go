package tokens_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/tokens"
)

// TestForgedByTheKey: even with the right signature a token needs its first three caveats in place.
func TestForgedByTheKey(t *testing.T) {
	t.Parallel()
	for name, caveats := range map[string][]string{
		"nothing":            {},
		"no user_id or type": {"gen = 1"},
		"no type":            {"gen = 1", "user_id = @ana:example.org"},
		"no gen":             {"user_id = @ana:example.org", "type = access"},
		"no user_id":         {"gen = 1", "type = access"},
		"user_id appended":   {"gen = 1", "type = access", "user_id = @ana:example.org"},
		"type after time":    {"gen = 1", "user_id = @ana:example.org", "time < 9999999999999", "type = access"},
		"generation 2":       {"gen = 2", "user_id = @ana:example.org", "type = access"},
		"generation 01":      {"gen = 01", "user_id = @ana:example.org", "type = access"},
		"gen ==":             {"gen == 1", "user_id = @ana:example.org", "type = access"},
		"user_id !=":         {"gen = 1", "user_id != @ana:example.org", "type = access"},
		"type of another":    {"gen = 1", "user_id = @ana:example.org", "type = refresh"},
		"unknown type":       {"gen = 1", "user_id = @ana:example.org", "type = admin"},
		"empty user_id":      {"gen = 1", "user_id = ", "type = access"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims, err := verify(forge(t, identifier(2, "s1", 7), caveats...), allowed())
			wantErr(t, err, tokens.ErrRefused)
			if claims != (tokens.Claims{}) {
				t.Errorf("claims %+v came with the refusal", claims)
			}
		})
	}
	_, err := new(tokens.Authentic).Check(tokens.Access, tokens.Caveats(), allowed())
	wantErr(t, err, tokens.ErrRefused)
}

func TestTypes(t *testing.T) {
	t.Parallel()
	types := []tokens.Type{tokens.Access, tokens.Refresh, tokens.Login}
	for _, minted := range types {
		for _, want := range append(types, "", "access ", "ACCESS", "admin") {
			c := accessClaims()
			c.Type = minted
			got, err := tokens.Verify(mint(t, c), serverName, keyring(), want, tokens.Caveats(), allowed())
			if minted != want {
				wantErr(t, err, tokens.ErrRefused)
				continue
			}
			wantErr(t, err, nil)
			if got.Type != want {
				t.Errorf("type is %q, want %q", got.Type, want)
			}
		}
	}
}

// TestAppendedCaveat evaluates one caveat that a holder appended to a token that is good.
func TestAppendedCaveat(t *testing.T) {
	t.Parallel()
	n := millis(now())
	for caveat, holds := range map[string]bool{
		"gen = 1":  true,
		"gen = 2":  false,
		"gen = 01": false,
		"gen < 2":  false,

		"user_id = @ana:example.org":  true,
		"user_id = @ANA:example.org":  false,
		"user_id = @ana:example.org ": false,
		"user_id = @eve:example.org":  false,
		"user_id in @ana:example.org": false,

		"type = access":     true,
		"type = refresh":    false,
		"type = login":      false,
		"type in access":    false,
		"type = access,any": false,

		"time < " + millis(now().Add(time.Millisecond)): true,
		"time < " + n: false,
		"time < " + millis(now().Add(-time.Millisecond)): false,
		"time > " + millis(now().Add(-time.Millisecond)): true,
		"time > " + n: false,
		"time > " + millis(now().Add(time.Millisecond)): false,
		"time > 0":                    true,
		"time == " + n:                true,
		"time == 0":                   false,
		"time = " + n:                 false,
		"time <= " + n:                false,
		"time >= " + n:                false,
		"time != 0":                   false,
		"time > 00":                   false,
		"time > -1":                   false,
		"time > +1":                   false,
		"time > 1e3":                  false,
		"time > 0x1":                  false,
		"time > 1_000":                false,
		"time > 1.0":                  false,
		"time > 1 ":                   false,
		"time > ١":                    false,
		"time < 9223372036854775807":  true,
		"time < 9223372036854775808":  false,
		"time > 18446744073709551615": false, // -1, if it wrapped around
		"time < 0" + n + "0":          false,
		"time < never":                false,

		"":                false,
		" ":               false,
		"time":            false,
		"time <":          false,
		"time < ":         false,
		"time  < 1":       false,
		"time\t<\t1":      false,
		"Time > 0":        false,
		"GEN = 1":         false,
		"unknown = 1":     false,
		"method = GET":    false,
		"device_id = ABC": true,
		"path under /":    true,
		"\xff = 1":        false,
	} {
		t.Run(caveat, func(t *testing.T) {
			t.Parallel()
			_, err := verify(appendRaw(t, mint(t, accessClaims()), caveat), allowed())
			if holds {
				wantErr(t, err, nil)
				return
			}
			wantErr(t, err, tokens.ErrRefused)
			var ce *tokens.CaveatError
			if !errors.As(err, &ce) || ce.Caveat != caveat {
				t.Errorf("error %v does not name the caveat", err)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	c := accessClaims()
	for name, tc := range map[string]struct {
		minted   tokens.Claims
		appended []string
		now      time.Time
		want     error
		expires  time.Time
	}{
		"fresh":            {c, nil, now(), nil, c.Expires},
		"last millisecond": {c, nil, c.Expires.Add(-1), nil, c.Expires},
		"expired":          {c, nil, c.Expires, tokens.ErrExpired, c.Expires},
		"never expires":    {forever(c), nil, now().AddDate(5000, 0, 0), nil, time.Time{}},
		"looser appended":  {c, []string{"time < 1782907600000"}, now(), nil, c.Expires},
		"tighter appended": {c, []string{"time < 1782907400000"}, now(), nil, time.UnixMilli(1782907400000).UTC()},
		"tighter has come": {c, []string{"time < 1782907400000"}, time.UnixMilli(1782907400000), tokens.ErrRefused,
			time.Time{}},
		"both have come":        {c, []string{"time < 1782907400000"}, c.Expires, tokens.ErrRefused, time.Time{}},
		"equal appended, come":  {c, []string{"time < 1782907500000"}, c.Expires, tokens.ErrRefused, time.Time{}},
		"expired, others hold":  {c, []string{"gen = 1", "time > 0"}, c.Expires, tokens.ErrExpired, c.Expires},
		"expired and refused":   {c, []string{"unknown = 1"}, c.Expires, tokens.ErrRefused, time.Time{}},
		"expired, other path":   {c, []string{"path under /a"}, c.Expires, tokens.ErrRefused, time.Time{}},
		"expired and malformed": {c, []string{""}, c.Expires, tokens.ErrRefused, time.Time{}},
		"no clock":              {c, nil, time.Time{}, tokens.ErrRefused, time.Time{}},
		"no clock, no expiry":   {forever(c), nil, time.Time{}, nil, time.Time{}},
		"before 1970":           {c, nil, time.UnixMilli(-1), nil, c.Expires},
		"not yet, forever":      {forever(c), []string{"time > 1782907600000"}, now(), tokens.ErrRefused, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := appendRaw(t, mint(t, tc.minted), tc.appended...)
			got, err := verify(token, tokens.Request{Now: tc.now})
			wantErr(t, err, tc.want)
			want := tokens.Claims{}
			if tc.want != tokens.ErrRefused {
				want = tc.minted
				want.Expires = tc.expires
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExpiredOfAnotherType: an expired refresh token is no access token, expired or not.
func TestExpiredOfAnotherType(t *testing.T) {
	t.Parallel()
	c := accessClaims()
	c.Type = tokens.Refresh
	_, err := verify(mint(t, c), tokens.Request{Now: c.Expires})
	wantErr(t, err, tokens.ErrRefused)
}

// TestTableCannotRedefine: a program's table does not reach the caveats of the draft.
func TestTableCannotRedefine(t *testing.T) {
	t.Parallel()
	yes := func(string, string, tokens.Request) error { return nil }
	table := tokens.Table{"gen": yes, "user_id": yes, "type": yes, "time": yes, "nil": nil}
	for _, caveat := range []string{"gen = 2", "user_id = @eve:example.org", "type = refresh", "time < 1", "nil = 1"} {
		token := appendRaw(t, mint(t, accessClaims()), caveat)
		_, err := tokens.Verify(token, serverName, keyring(), tokens.Access, table, allowed())
		wantErr(t, err, tokens.ErrRefused)
	}
	_, err := tokens.Verify(mint(t, accessClaims()), serverName, keyring(), tokens.Access, nil, allowed())
	wantErr(t, err, nil)
}

// TestPredicateCannotRename: whatever a predicate fails with, the token is refused and nothing else.
func TestPredicateCannotRename(t *testing.T) {
	t.Parallel()
	table := tokens.Table{"nested": func(string, string, tokens.Request) error { return tokens.ErrExpired }}
	token := appendRaw(t, mint(t, accessClaims()), "nested = 1")
	_, err := tokens.Verify(token, serverName, keyring(), tokens.Access, table, allowed())
	wantErr(t, err, tokens.ErrRefused)
	var ce *tokens.CaveatError
	if !errors.As(err, &ce) || ce.Reason != tokens.ErrExpired {
		t.Errorf("the reason is lost: %v", err)
	}
}

// TestCaveatErrorIsShort: a holder does not get to fill the log, nor to write lines of it.
func TestCaveatErrorIsShort(t *testing.T) {
	t.Parallel()
	_, err := verify(appendRaw(t, mint(t, accessClaims()), "a = \n"+strings.Repeat("x", 5000)), allowed())
	wantErr(t, err, tokens.ErrRefused)
	if s := err.Error(); len(s) > 200 || strings.Contains(s, "\n") {
		t.Errorf("error is %q", s)
	}
}
