package tokens

import (
	"crypto/sha256"
	"crypto/subtle"
)

// chain is a signature: the chain of HMACs over a macaroon's identifier and caveats (Macaroons paper, figure 7).
//
// It is what package macaroon computes, bit for bit, and a property test holds the two together. It is written out
// because minting and checking are most of what Postern does: the library makes a new hash object for every link, which
// is seven allocations where this has none, and takes three times as long.
type chain [sha256.Size]byte

// keyGenerator is the key under which every implementation of macaroons derives the first key of a chain.
const keyGenerator = "macaroons-key-generator"

// newChain is the signature of a macaroon that has no caveats yet.
func newChain(rootKey *[32]byte, identifier []byte) chain {
	var generator chain // an HMAC key is filled up with zeros: RFC 2104, section 2
	copy(generator[:], keyGenerator)
	return generator.link(rootKey[:]).link(identifier)
}

// link is HMAC-SHA-256 with the signature so far as the key, RFC 2104: the hash of the outer pad and the hash of the
// inner pad and the message.
func (c chain) link(message []byte) chain {
	const block, short = sha256.BlockSize, 3 * sha256.BlockSize
	var stack [block + short]byte // longer messages go to the heap, and are right all the same
	inner := sha256.Sum256(append(c.pad(stack[:0], 0x36), message...))
	var outer [block + sha256.Size]byte
	return sha256.Sum256(append(c.pad(outer[:0], 0x5c), inner[:]...))
}

// pad appends the key, filled up to the hash's block, with every byte combined with x.
func (c chain) pad(to []byte, x byte) []byte {
	for _, b := range c {
		to = append(to, b^x)
	}
	for range sha256.BlockSize - sha256.Size {
		to = append(to, x)
	}
	return to
}

// equal compares in constant time.
func (c chain) equal(signature []byte) bool { return subtle.ConstantTimeCompare(c[:], signature) == 1 }
