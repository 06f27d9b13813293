package tokens

import (
	"bytes"
	"testing"

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
		want, err := extend(theirs, c.caveats())
		if err != nil || token != want {
			t.Fatalf("Mint writes %s, the library %s, %v", token, want, err)
		}
	})
}
