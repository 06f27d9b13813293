package tokens_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/tokens"
)

func TestMintVerify(t *testing.T) {
	t.Parallel()
	want := accessClaims()
	got, err := verify(mint(t, want), tokens.Request{Now: now()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-minted +verified):\n%s", diff)
	}
}

// TestMintedCaveats pins the order that the documentation promises.
func TestMintedCaveats(t *testing.T) {
	t.Parallel()
	token, err := tokens.Decode(mint(t, accessClaims()))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"gen = 1", "user_id = @ana:example.org", "type = access", "time < 1782907500000"}
	if diff := cmp.Diff(want, token.Caveats()); diff != "" {
		t.Errorf("caveats (-want +got):\n%s", diff)
	}
	if token.Location() != serverName || token.KeyID() != 2 || token.Session() != "s1" || token.Generation() != 7 {
		t.Errorf("token is for %s, %d, %s, %d", token.Location(), token.KeyID(), token.Session(), token.Generation())
	}
}

func TestMintIsPure(t *testing.T) {
	t.Parallel()
	once, again := mint(t, accessClaims()), mint(t, accessClaims())
	if once != again {
		t.Error("two tokens for the same claims")
	}
}

func TestMintTruncatesToMilliseconds(t *testing.T) {
	t.Parallel()
	c := accessClaims()
	c.Expires = c.Expires.Add(999 * time.Microsecond).In(time.FixedZone("", 3600))
	if mint(t, c) != mint(t, accessClaims()) {
		t.Error("the expiry is not cut to milliseconds of UTC")
	}
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(location *string, k *tokens.Key, c *tokens.Claims){
		"no location":     func(l *string, _ *tokens.Key, _ *tokens.Claims) { *l = "" },
		"unset key":       func(_ *string, k *tokens.Key, _ *tokens.Claims) { k.Secret = [32]byte{} },
		"negative key id": func(_ *string, k *tokens.Key, _ *tokens.Claims) { k.ID = -1 },
		"no session":      func(_ *string, _ *tokens.Key, c *tokens.Claims) { c.Session = "" },
		"long session": func(_ *string, _ *tokens.Key,
			c *tokens.Claims) {
			c.Session = strings.Repeat("s", 256)
		},
		"negative generation":  func(_ *string, _ *tokens.Key, c *tokens.Claims) { c.Generation = -1 },
		"no user id":           func(_ *string, _ *tokens.Key, c *tokens.Claims) { c.UserID = "" },
		"user id with a space": func(_ *string, _ *tokens.Key, c *tokens.Claims) { c.UserID = " @ana:example.org" },
		"user id not UTF-8":    func(_ *string, _ *tokens.Key, c *tokens.Claims) { c.UserID = "@\xff:example.org" },
		"endless user id": func(_ *string, _ *tokens.Key,
			c *tokens.Claims) {
			c.UserID = strings.Repeat("a", 6200)
		},
		"no type":            func(_ *string, _ *tokens.Key, c *tokens.Claims) { c.Type = "" },
		"unknown type":       func(_ *string, _ *tokens.Key, c *tokens.Claims) { c.Type = "admin" },
		"expiry before 1970": func(_ *string, _ *tokens.Key, c *tokens.Claims) { c.Expires = time.UnixMilli(-1) },
		"expiry beyond 9999": func(_ *string, _ *tokens.Key, c *tokens.Claims) { c.Expires = time.Unix(1<<60, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			location, key, c := serverName, rootKey(2), accessClaims()
			spoil(&location, &key, &c)
			token, err := tokens.Mint(location, key, c)
			wantErr(t, err, tokens.ErrMalformed)
			if token != "" {
				t.Error("a token came with the error")
			}
		})
	}
}

func TestRestrict(t *testing.T) {
	t.Parallel()
	token := mint(t, accessClaims())
	get := tokens.Caveat{Key: "method", Operator: "in", Value: "GET"}
	narrow, err := tokens.Restrict(token, get, tokens.Caveat{Key: "device_id", Operator: "=", Value: "A B"})
	if err != nil {
		t.Fatal(err)
	}
	if want := appendRaw(t, token, "method in GET", "device_id = A B"); narrow != want {
		t.Errorf("Restrict wrote\n%s, want\n%s", narrow, want)
	}
	if again, err := tokens.Restrict(token); err != nil || again != token {
		t.Errorf("Restrict to nothing wrote %s, %v", again, err)
	}
	_, err = verify(narrow, tokens.Request{Now: now(), Method: "GET", DeviceID: "A B"})
	wantErr(t, err, nil)
	_, err = verify(narrow, tokens.Request{Now: now(), Method: "PUT", DeviceID: "A B"})
	wantErr(t, err, tokens.ErrRefused)
}

func TestRestrictRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]tokens.Caveat{
		"nothing":             {},
		"no key":              {Operator: "=", Value: "1"},
		"no operator":         {Key: "k", Value: "1"},
		"no value":            {Key: "k", Operator: "="},
		"space in key":        {Key: "k = 1", Operator: "=", Value: "1"},
		"space in operator":   {Key: "k", Operator: "= 1", Value: "1"},
		"value from a space":  {Key: "k", Operator: "=", Value: " 1"},
		"value not UTF-8":     {Key: "k", Operator: "=", Value: "\xff"},
		"value without bound": {Key: "k", Operator: "=", Value: strings.Repeat("1", tokens.MaxTokenLength)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tokens.Restrict(mint(t, accessClaims()), c)
			wantErr(t, err, tokens.ErrMalformed)
		})
	}
	_, err := tokens.Restrict("no token", tokens.Caveat{Key: "k", Operator: "=", Value: "1"})
	wantErr(t, err, tokens.ErrMalformed)
}

func TestMaxCaveats(t *testing.T) {
	t.Parallel()
	token := mint(t, accessClaims())
	caveats := make([]tokens.Caveat, tokens.MaxCaveats-4)
	for i := range caveats {
		caveats[i] = tokens.Caveat{Key: "gen", Operator: "=", Value: "1"}
	}
	full, err := tokens.Restrict(token, caveats...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = verify(full, allowed())
	wantErr(t, err, nil)
	_, err = tokens.Restrict(full, caveats[0])
	wantErr(t, err, tokens.ErrMalformed)
}

func TestMaxTokenLength(t *testing.T) {
	t.Parallel()
	c := forever(accessClaims())
	length := func(n int) int {
		c.UserID = strings.Repeat("a", n)
		token, err := tokens.Mint(serverName, rootKey(2), c)
		if err != nil {
			wantErr(t, err, tokens.ErrMalformed)
			return 0
		}
		_, err = verify(token, allowed())
		wantErr(t, err, nil)
		return len(token)
	}
	n := 6000
	for length(n+1) != 0 {
		n++
	}
	if got := length(n); got > tokens.MaxTokenLength || got < tokens.MaxTokenLength-2 {
		t.Errorf("the longest token has %d characters", got)
	}
}

// TestExchange walks a restriction through a refresh: what the holder appended stays on, and what the
// server wrote for the old token does not.
func TestExchange(t *testing.T) {
	t.Parallel()
	old := accessClaims()
	old.Type = tokens.Refresh
	next := accessClaims()
	next.Generation, next.Expires = 8, now().Add(time.Hour)

	tight := "time < " + millis(now().Add(time.Minute))
	for name, c := range map[string]struct {
		minted            tokens.Claims
		appended, carried []string
	}{
		"nothing":            {old, nil, nil},
		"nothing, forever":   {forever(old), nil, nil},
		"a path":             {old, []string{"path under /a"}, []string{"path under /a"}},
		"a path, forever":    {forever(old), []string{"path under /a"}, []string{"path under /a"}},
		"a time":             {old, []string{tight}, []string{tight}},
		"a time, forever":    {forever(old), []string{tight}, []string{tight}},
		"the minter's own":   {old, []string{"time < 1782907500000"}, []string{"time < 1782907500000"}},
		"the type once more": {old, []string{"type = refresh", "gen = 1"}, []string{"gen = 1"}},
		"garbage":            {old, []string{"", "x"}, []string{"", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := authenticate(t, appendRaw(t, mint(t, c.minted), c.appended...))
			got := a.Appended(c.minted)
			if diff := cmp.Diff(c.carried, got); diff != "" {
				t.Fatalf("appended (-want +got):\n%s", diff)
			}
			token, err := tokens.Carry(mint(t, next), got)
			if name == "garbage" {
				wantErr(t, err, tokens.ErrMalformed)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := next
			if before, ok := tokens.Before(got); ok {
				want.Expires = before
			}
			claims, err := verify(token, tokens.Request{Now: now(), Path: "/a/b"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, claims); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAppendedWithWrongClaims: claims that don't fit the token carry more rather than less.
func TestAppendedWithWrongClaims(t *testing.T) {
	t.Parallel()
	a := authenticate(t, appendRaw(t, mint(t, forever(accessClaims())), "path under /a"))
	if diff := cmp.Diff([]string{"path under /a"}, a.Appended(accessClaims())); diff != "" {
		t.Errorf("appended (-want +got):\n%s", diff)
	}
	if got := authenticate(t, forge(t, identifier(2, "s1", 7))).Appended(accessClaims()); got != nil {
		t.Errorf("appended to a token without caveats: %q", got)
	}
}

// TestErrorsKeepSecrets looks for the token in what Verify says about it.
func TestErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	token := mint(t, accessClaims())
	raw := decode64(t, token)
	raw[len(raw)-1] ^= 1
	for _, text := range []string{
		token + "\n", token[1:], encode64(raw), appendRaw(t, token, "path under /"), appendRaw(t, token, ""),
	} {
		_, err := verify(text, tokens.Request{Now: now()})
		if err == nil {
			t.Fatal("accepted")
		}
		if s := err.Error(); strings.Contains(s, token[20:40]) || strings.Contains(s, token[len(token)-20:]) {
			t.Errorf("error shows the token: %s", s)
		}
	}
	_, err := verify(token, tokens.Request{Now: now().Add(time.Hour)})
	if !errors.Is(err, tokens.ErrExpired) {
		t.Error(err)
	}
}
