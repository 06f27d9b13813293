package tokens

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	macaroon "gopkg.in/macaroon.v2"
)

// Token is a decoded token. Nothing in it is authenticated: it says what a stranger wrote. Use it to
// look a token over; to believe it, call [Token.Authenticate]. A Token is safe for concurrent use.
type Token struct {
	identifier // as claimed
	macaroon   *macaroon.Macaroon
}

// macaroonV2 is the first byte of a macaroon in binary format 2. A macaroon in format 1 begins with a
// hexadecimal digit, one in JSON with a brace.
const macaroonV2 = 0x02

// Decode reads a token without believing it. It accepts what [Mint] and [Restrict] write, byte for
// byte, and refuses all else with [ErrMalformed].
func Decode(s string) (*Token, error) {
	if len(s) > MaxTokenLength {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxTokenLength)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	// Even when strict, package base64 skips line breaks; then the length differs.
	if err != nil || base64.RawURLEncoding.EncodedLen(len(raw)) != len(s) {
		return nil, fmt.Errorf("%w: not base64url without padding", ErrMalformed)
	}
	if len(raw) == 0 || raw[0] != macaroonV2 {
		return nil, fmt.Errorf("%w: not a macaroon in binary format 2", ErrMalformed)
	}
	m := new(macaroon.Macaroon)
	if err := m.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("%w: not a macaroon in binary format 2", ErrMalformed)
	}
	if err := wellFormed(m, len(raw)); err != nil {
		return nil, err
	}
	id, err := decodeIdentifier(m.Id())
	if err != nil {
		return nil, err
	}
	return &Token{id, m}, nil
}

// wellFormed reports what no token of Postern's has, though package macaroon could read it from a text
// of that length.
func wellFormed(m *macaroon.Macaroon, length int) error {
	caveats := m.Caveats()
	switch {
	case m.Location() == "":
		return fmt.Errorf("%w: no location", ErrMalformed)
	case len(caveats) > MaxCaveats:
		return fmt.Errorf("%w: more than %d caveats", ErrMalformed, MaxCaveats)
	}
	for i := range caveats {
		if len(caveats[i].VerificationId) > 0 {
			return fmt.Errorf("%w: third-party caveat", ErrMalformed)
		}
	}
	if canonicalLength(m) != length {
		return fmt.Errorf("%w: not a canonical macaroon", ErrMalformed)
	}
	return nil
}

// canonicalLength returns the length of m in binary format 2, written without waste. Package macaroon
// also reads over-long integers, empty packets and bytes after the end. Each of these makes the text
// longer and none makes it shorter, so of all the ways to write m just the canonical one has this
// length. First-party caveats consist of their identifier alone.
func canonicalLength(m *macaroon.Macaroon) int {
	const version, end = 1, 1
	n := version + packetLength(len(m.Location())) + packetLength(len(m.Id())) + end
	for _, c := range m.Caveats() {
		n += packetLength(len(c.Id)) + end
	}
	return n + end + packetLength(sha256.Size)
}

// packetLength returns the length of a packet with a payload of n bytes: type, length, payload.
func packetLength(n int) int {
	length := 1
	for v := n; v >= 0x80; v >>= 7 {
		length++
	}
	return 1 + length + n
}

// Location returns the name of the server that the token claims to be for. It is not authenticated.
func (t *Token) Location() string { return t.macaroon.Location() }

// Caveats returns the caveats as written. They are not authenticated.
func (t *Token) Caveats() []string {
	caveats := t.macaroon.Caveats()
	texts := make([]string, len(caveats))
	for i, c := range caveats {
		texts[i] = string(c.Id)
	}
	return texts
}

// String says what the token claims to be, for logs. It leaves out what would make the token usable.
func (t *Token) String() string {
	return fmt.Sprintf("token for %q: root key %d, session %q, generation %d", t.Location(), t.keyID, t.session,
		t.generation)
}

// Format prints String, whatever the verb: some would print the signature.
func (t *Token) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

// Authenticate proves that the token was minted by the server named location with a key of the ring,
// and that whatever holders did to it since was to append caveats. It evaluates no caveat. It fails
// with [ErrUnknownKey] or [ErrSignature]; a token for another server is one of the latter.
func (t *Token) Authenticate(location string, ring *Keyring) (*Authentic, error) {
	// The chain of HMACs does not cover the location (Macaroons paper, figure 7). Without this
	// comparison, two servers that share a key by accident would take each other's tokens.
	if t.Location() != location {
		return nil, fmt.Errorf("%w: minted for another server", ErrSignature)
	}
	key, ok := ring.Key(t.keyID)
	if !ok {
		return nil, ErrUnknownKey
	}
	list := t.macaroon.Caveats()
	caveats := make([]string, len(list))
	signature := newChain(&key.Secret, t.macaroon.Id())
	for i, c := range list { // first-party ones only: see wellFormed
		caveats[i] = string(c.Id)
		signature = signature.link(c.Id)
	}
	if !signature.equal(t.macaroon.Signature()) {
		return nil, ErrSignature
	}
	return &Authentic{t.identifier, caveats}, nil
}

// identifier is the macaroon's identifier: the part that tells the minter which root key made a token
// and for which generation of which session. The holder can read it and can't change it.
//
// Its bytes are the format version, then key id, session id (its length first) and generation.
// Integers are unsigned varints as in encoding/binary:
//
//	0x01 | key id | length | session … | generation
//
// The version lets a later Postern change the rest and still read the tokens of today.
type identifier struct {
	keyID      int64
	session    string
	generation int64
}

const (
	identifierVersion = 0x01
	maxSession        = 255 // bytes; a session id is short, and tokens travel with each request
)

// KeyID returns the id of the root key.
func (id identifier) KeyID() int64 { return id.keyID }

// Session returns the id of the session.
func (id identifier) Session() string { return id.session }

// Generation returns the generation of the session.
func (id identifier) Generation() int64 { return id.generation }

// encode writes the identifier. Its numbers are not negative and its session id is 1 to 255 bytes
// long: Mint has seen to that.
func (id identifier) encode() []byte {
	b := make([]byte, 0, 1+3*binary.MaxVarintLen64+len(id.session))
	b = append(b, identifierVersion)
	b = binary.AppendUvarint(b, uint64(id.keyID))
	b = binary.AppendUvarint(b, uint64(len(id.session)))
	b = append(b, id.session...)
	return binary.AppendUvarint(b, uint64(id.generation))
}

// decodeIdentifier is the inverse of encode and accepts nothing that encode does not write.
func decodeIdentifier(b []byte) (identifier, error) {
	id, ok := parseIdentifier(b)
	if !ok || !bytes.Equal(id.encode(), b) { // over-long integers, trailing bytes
		return identifier{}, fmt.Errorf("%w: identifier", ErrMalformed)
	}
	return id, nil
}

func parseIdentifier(b []byte) (id identifier, ok bool) {
	if len(b) == 0 || b[0] != identifierVersion {
		return identifier{}, false
	}
	keyID, b, ok := cutUvarint(b[1:], math.MaxInt64)
	if !ok {
		return identifier{}, false
	}
	length, b, ok := cutUvarint(b, maxSession)
	if !ok || length == 0 || int(length) > len(b) {
		return identifier{}, false
	}
	generation, _, ok := cutUvarint(b[length:], math.MaxInt64)
	return identifier{int64(keyID), string(b[:length]), int64(generation)}, ok
}

// cutUvarint cuts an integer up to limit off the front of b.
func cutUvarint(b []byte, limit uint64) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > limit {
		return 0, nil, false
	}
	return v, b[n:], true
}
