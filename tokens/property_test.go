package tokens_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"postern/tokens"
)

// genClaims draws anything that can be minted.
func genClaims() *rapid.Generator[tokens.Claims] {
	return rapid.Custom(func(t *rapid.T) tokens.Claims {
		c := tokens.Claims{
			KeyID:      2,
			Session:    string(rapid.SliceOfN(rapid.Byte(), 1, 255).Draw(t, "session")),
			Generation: rapid.Int64Min(0).Draw(t, "generation"),
			UserID:     "@" + rapid.String().Draw(t, "user"),
			Type:       rapid.SampledFrom([]tokens.Type{tokens.Access, tokens.Refresh, tokens.Login}).Draw(t, "type"),
		}
		if rapid.Bool().Draw(t, "expires") {
			c.Expires = time.UnixMilli(rapid.Int64Range(0, 253402300799999).Draw(t, "ms")).UTC()
		}
		return c
	})
}

// genCaveat draws caveats that hold for some of the requests that genRequest draws, and garbage.
func genCaveat() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom(grants()),
		rapid.SampledFrom([]string{
			"user_id = @eve:example.org", "type = refresh", "gen = 2", "time < 0", "time < " + millis(now()),
			"method in PUT", "path under /", "path under /_matrix/../x", "addr in ::/0", "device_id = X", "unknown = 1",
		}),
		rapid.StringMatching(`(gen|user_id|type|time|method|path|addr|device_id) (=|==|<|>|in|under) [ -~]{0,9}`),
		rapid.String(),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
}

func genRequest() *rapid.Generator[tokens.Request] {
	return rapid.Custom(func(t *rapid.T) tokens.Request {
		r := allowed()
		r.Now = rapid.SampledFrom([]time.Time{r.Now, r.Now, r.Now.Add(time.Hour), time.UnixMilli(0), {}}).Draw(t, "now")
		r.Method = rapid.SampledFrom([]string{"GET", "GET", "PUT", ""}).Draw(t, "method")
		r.Path = rapid.SampledFrom([]string{r.Path, r.Path, "/", "/a/../b", ""}).Draw(t, "path")
		r.Addr = rapid.SampledFrom([]netip.Addr{r.Addr, r.Addr, netip.IPv6Loopback(), {}}).Draw(t, "addr")
		r.DeviceID = rapid.SampledFrom([]string{"ABC", "ABC", "X", ""}).Draw(t, "device")
		return r
	})
}

func TestPropertyRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := genClaims().Draw(t, "claims")
		token, err := tokens.Mint(serverName, rootKey(2), want)
		if err != nil {
			t.Fatal(err)
		}
		r := tokens.Request{Now: want.Expires.Add(-1)}
		got, err := tokens.Verify(token, serverName, keyring(), want.Type, nil, r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("claims (-minted +verified):\n%s", diff)
		}
	})
}

// TestPropertyNarrowing: whatever a holder appends, nothing that was refused is accepted, what is
// accepted says the same as before, and an expired token is at best an expired token.
func TestPropertyNarrowing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := accessClaims()
		if rapid.Bool().Draw(t, "forever") {
			c = forever(c)
		}
		r := genRequest().Draw(t, "request")
		token := mint(t, c)
		before, errBefore := verify(token, r)
		for _, caveat := range rapid.SliceOfN(genCaveat(), 1, 5).Draw(t, "caveats") {
			token = appendRaw(t, token, caveat)
			after, errAfter := verify(token, r)
			narrower(t, c, before, errBefore, after, errAfter)
			before, errBefore = after, errAfter
		}
	})
}

// narrower fails the test if the second verdict allows anything that the first does not.
func narrower(tb rapid.TB, minted, before tokens.Claims, errBefore error, after tokens.Claims, errAfter error) {
	tb.Helper()
	switch {
	case errors.Is(errAfter, tokens.ErrExpired):
		// On a token without expiry, the first "time <" counts as one: see Authentic.Check.
		if !errors.Is(errBefore, tokens.ErrExpired) && !(errBefore == nil && minted.Expires.IsZero()) {
			tb.Fatalf("a caveat turned %v into %v", errBefore, errAfter)
		}
	case errAfter != nil:
		if after != (tokens.Claims{}) {
			tb.Fatalf("claims %+v with %v", after, errAfter)
		}
		return
	case errBefore != nil:
		tb.Fatalf("a caveat turned a refusal into an acceptance: %v", errBefore)
	}
	if !before.Expires.IsZero() && (after.Expires.IsZero() || after.Expires.After(before.Expires)) {
		tb.Fatalf("expiry moved from %v to %v", before.Expires, after.Expires)
	}
	after.Expires = before.Expires
	if after != before {
		tb.Fatalf("claims changed from %+v to %+v", before, after)
	}
}

// TestPropertyRestrict: Restrict writes what a holder's own macaroon library would, or refuses.
func TestPropertyRestrict(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := genCaveat().Draw(t, "caveat")
		token := mint(t, accessClaims())
		c, errParse := tokens.ParseCaveat(text)
		narrow, err := tokens.Carry(token, []string{text})
		if (err == nil) != (errParse == nil) {
			t.Fatalf("ParseCaveat: %v, Carry: %v", errParse, err)
		}
		if err != nil {
			return
		}
		if narrow != appendRaw(t, token, text) {
			t.Fatal("Carry and a macaroon library differ")
		}
		if again, err := tokens.Restrict(token, c); err != nil || again != narrow {
			t.Fatalf("Restrict and Carry differ: %v", err)
		}
	})
}

// TestEveryFlippedBit flips each bit of a token's bytes, location and signature included.
func TestEveryFlippedBit(t *testing.T) {
	t.Parallel()
	raw := decode64(t, mint(t, accessClaims()))
	for i := range len(raw) * 8 {
		raw[i/8] ^= 1 << (i % 8)
		if _, err := verify(encode64(raw), allowed()); err == nil {
			t.Errorf("accepted with bit %d flipped", i)
		}
		raw[i/8] ^= 1 << (i % 8)
	}
}

// TestEveryChangedCharacter replaces, inserts and deletes at each place of a token's text.
func TestEveryChangedCharacter(t *testing.T) {
	t.Parallel()
	const others = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \r\n\x00\xff"
	token := mint(t, accessClaims())
	refused := func(text string) {
		if _, err := verify(text, allowed()); err == nil {
			t.Errorf("accepted %q", text)
		}
	}
	for i := range token {
		for _, c := range []byte(others) {
			if token[i] != c {
				refused(token[:i] + string(rune(c)) + token[i+1:])
			}
			refused(token[:i] + string(rune(c)) + token[i:])
		}
		refused(token[:i] + token[i+1:])
		refused(token[:i])
	}
	refused(token + "=")
	refused(token + "\n")
	refused(strings.ToUpper(token))
}
