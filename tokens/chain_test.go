package tokens

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"gopkg.in/macaroon.v2"
	"pgregory.net/rapid"
)

// TestChainAgreesWithTheLibrary: the signature is the one that package macaroon computes, whatever is signed.
func TestChainAgreesWithTheLibrary(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var key [32]byte
		copy(key[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		id := rapid.SliceOfN(rapid.Byte(), 1, 400).Draw(t, "identifier")
		theirs, err := macaroon.New(key[:], id, "example.org", macaroon.V2)
		if err != nil {
			t.Fatal(err)
		}
		ours := newChain(&key, id)
		for range rapid.IntRange(0, 6).Draw(t, "caveats") {
			caveat := rapid.SliceOfN(rapid.Byte(), 1, 400).Draw(t, "caveat")
			if err := theirs.AddFirstPartyCaveat(caveat); err != nil {
				t.Fatal(err)
			}
			ours = ours.link(caveat)
		}
		if !bytes.Equal(ours[:], theirs.Signature()) || !ours.equal(theirs.Signature()) {
			t.Fatalf("ours is %x, the library's %x", ours, theirs.Signature())
		}
		other := theirs.Signature()
		other[0] ^= 1
		if ours.equal(other) {
			t.Fatal("another signature is equal")
		}
	})
}

// TestMintAgreesWithTheLibrary: what Mint writes is what package macaroon would.
func TestMintAgreesWithTheLibrary(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := Key{ID: rapid.Int64Range(1, 1<<40).Draw(t, "key id")}
		copy(key.Secret[:], rapid.SliceOfN(rapid.ByteRange(1, 255), 32, 32).Draw(t, "secret"))
		c := Claims{
			Session:    rapid.StringMatching(`[A-Z2-7]{1,200}`).Draw(t, "session"),
			Generation: rapid.Int64Range(0, 1<<40).Draw(t, "generation"),
			UserID:     "@" + rapid.StringMatching(`[a-z]{1,200}`).Draw(t, "user") + ":example.org", Type: Access,
		}
		token, err := Mint("example.org", key, c)
		if err != nil {
			t.Fatal(err)
		}
		id := identifier{key.ID, c.Session, c.Generation}
		theirs, err := macaroon.New(key.Secret[:], id.encode(), "example.org", macaroon.V2)
		if err != nil {
			t.Fatal(err)
		}
		want, err := extend(theirs, append([]Caveat{{genKey, "=", genValue}, {userIDKey, "=", c.UserID}},
			c.special()...))
		if err != nil || token != want {
			t.Fatalf("Mint writes %s, the library %s, %v", token, want, err)
		}
		pairOf(t, key, c)
	})
}

// pairOf checks that MintPair writes what Mint does.
func pairOf(t *rapid.T, key Key, one Claims) {
	two := one
	two.Type, two.Expires = Refresh, time.UnixMilli(rapid.Int64Range(1, 1<<40).Draw(t, "expires"))
	want, err := Mint("example.org", key, two)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a, b, err := MintPair("example.org", key, one, two)
		first, mintErr := Mint("example.org", key, one)
		if err := errors.Join(err, mintErr); err != nil || a != first || b != want {
			t.Fatalf("a pair is %s and %s, but its tokens %s and %s, %v", a, b, first, want, err)
		}
		one, two, want = two, one, first
	}
	for _, other := range []Claims{
		{Session: one.Session + "x", Generation: one.Generation, UserID: one.UserID, Type: Refresh},
		{Session: one.Session, Generation: one.Generation + 1, UserID: one.UserID, Type: Refresh},
		{Session: one.Session, Generation: one.Generation, UserID: one.UserID + "x", Type: Refresh},
		{Session: one.Session, Generation: one.Generation, UserID: one.UserID, Type: "other"},
	} {
		if _, _, err := MintPair("example.org", key, one, other); !errors.Is(err, ErrMalformed) {
			t.Fatalf("a pair with %+v: %v", other, err)
		}
	}
}
