package tokens_test

import (
	"bytes"
	"testing"

	"postern/tokens"
)

// TestInspect: the caveats of the minter are told from those of holders, and the signature is the token's last bytes.
func TestInspect(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		claims   tokens.Claims
		appended []string
		minted   int
	}{
		{"expires", accessClaims(), nil, 4},
		{"expires, restricted", accessClaims(), []string{"time < 1"}, 4},
		{"does not expire", forever(accessClaims()), nil, 3},
		{"does not expire, restricted", forever(accessClaims()), []string{"method in GET"}, 3},
		{"does not expire, a holder's expiry", forever(accessClaims()), []string{"time < 1"}, 4},
	} {
		text := appendRaw(t, mint(t, test.claims), test.appended...)
		token, err := tokens.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		seen, raw := token.Inspect(), decode64(t, text)
		if seen.Version != 1 || seen.Minted != test.minted || !bytes.Equal(seen.Signature, raw[len(raw)-32:]) {
			t.Errorf("%s: %+v", test.name, seen)
		}
	}
}
