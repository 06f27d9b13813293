package tokens

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

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
