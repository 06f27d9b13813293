package tokens

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"
)

// Claims are what a token says. [Mint] writes them, [Authentic.Check] reads them back.
type Claims struct {
	// KeyID is the id of the root key. Mint takes it from the key and ignores this field.
	KeyID int64

	// Session is the session's id, opaque to this package, 1 to 255 bytes long.
	Session string

	// Generation is the session's generation, not negative.
	Generation int64

	// UserID is the full Matrix user ID.
	UserID string

	// Type is what the token is for.
	Type Type

	// Expires is the first instant at which the token is no longer good, zero for never. Precision is
	// one millisecond, what is finer Mint cuts off. Read back it is UTC, and the earliest of all
	// "time <" caveats, a holder's included.
	Expires time.Time
}

// Mint makes the token that says c, valid at the server named location. It is pure: same input, same
// bytes. Claims that [Verify] would not give back the same are refused with [ErrMalformed].
func Mint(location string, key Key, c Claims) (string, error) {
	if err := c.valid(); err != nil {
		return "", err
	}
	if !key.valid() {
		return "", fmt.Errorf("%w: root key is empty or its id negative", ErrMalformed)
	}
	if location == "" {
		return "", fmt.Errorf("%w: empty location", ErrMalformed)
	}
	d := newDraft(location, key, identifier{key.ID, c.Session, c.Generation})
	for _, caveat := range c.caveats() {
		d.add(caveat)
	}
	return d.encode()
}

// valid reports what Mint could not write.
func (c Claims) valid() error {
	user := Caveat{userIDKey, "=", c.UserID}
	if back, err := ParseCaveat(user.String()); err != nil || back != user {
		return fmt.Errorf("%w: %.64q can't be written as a caveat", ErrMalformed, user.String())
	}
	switch {
	case c.Session == "" || len(c.Session) > maxSession:
		return fmt.Errorf("%w: session id of %d bytes", ErrMalformed, len(c.Session))
	case c.Generation < 0:
		return fmt.Errorf("%w: negative generation", ErrMalformed)
	case !c.Type.known():
		return fmt.Errorf("%w: unknown token type", ErrMalformed)
	case !c.Expires.IsZero() && (c.Expires.Before(time.UnixMilli(0)) || c.Expires.UTC().Year() > 9999):
		// The draft's milliseconds have no sign, and Go's are undefined in the far future.
		return fmt.Errorf("%w: expiry is not between 1970 and 9999", ErrMalformed)
	}
	return nil
}

// caveats are what Mint writes, in the order in which every minter of the draft writes them.
func (c Claims) caveats() []Caveat {
	caveats := []Caveat{{genKey, "=", genValue}, {userIDKey, "=", c.UserID}, {typeKey, "=", string(c.Type)}}
	if c.Expires.IsZero() {
		return caveats
	}
	return append(caveats, Caveat{timeKey, "<", formatMillis(c.Expires)})
}

// The fields of a macaroon in binary format 2 (libmacaroons, "doc/format.txt").
const (
	fieldEnd       = 0
	fieldLocation  = 1
	fieldID        = 2
	fieldSignature = 6
)

// draft is a macaroon that is being written, in binary format 2 as package macaroon would marshal it: a property test
// holds the two together.
type draft struct {
	raw       []byte
	signature chain
}

func newDraft(location string, key Key, id identifier) draft {
	text := id.encode()
	raw := make([]byte, 0, 384) // a token of Postern's has about 160
	raw = append(raw, macaroonV2)
	raw = appendPacket(raw, fieldLocation, location)
	return draft{append(appendPacket(raw, fieldID, text), fieldEnd), newChain(&key.Secret, text)}
}

// add appends and signs a caveat of the minter's own, which is known to be well formed.
func (d *draft) add(c Caveat) {
	text := c.String()
	d.raw = appendPacket(d.raw, fieldID, text)
	d.signature = d.signature.link(d.raw[len(d.raw)-len(text):])
	d.raw = append(d.raw, fieldEnd)
}

// encode is the text of the finished macaroon.
func (d *draft) encode() (string, error) {
	raw := appendPacket(append(d.raw, fieldEnd), fieldSignature, d.signature[:])
	if base64.RawURLEncoding.EncodedLen(len(raw)) > MaxTokenLength {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxTokenLength)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

func appendPacket[T string | []byte](raw []byte, field byte, data T) []byte {
	raw = binary.AppendUvarint(append(raw, field), uint64(len(data)))
	return append(raw, data...)
}

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
