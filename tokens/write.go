package tokens

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// The fields of a macaroon in binary format 2 (libmacaroons, "doc/format.txt").
const (
	fieldEnd       = 0
	fieldLocation  = 1
	fieldID        = 2
	fieldSignature = 6
)

// write makes the text of a new macaroon, in binary format 2 as package macaroon would marshal it: a property test
// holds the two together. The caveats are the minter's own, which are known to be well formed.
func write(location string, key Key, id []byte, caveats []Caveat) (string, error) {
	raw := make([]byte, 0, 384) // a pair's token has about 160
	raw = append(raw, macaroonV2)
	raw = appendPacket(raw, fieldLocation, []byte(location))
	raw = append(appendPacket(raw, fieldID, id), fieldEnd)
	signature := newChain(&key.Secret, id)
	for _, c := range caveats {
		text := []byte(c.String())
		raw = append(appendPacket(raw, fieldID, text), fieldEnd)
		signature = signature.link(text)
	}
	raw = appendPacket(append(raw, fieldEnd), fieldSignature, signature[:])
	if base64.RawURLEncoding.EncodedLen(len(raw)) > MaxTokenLength {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxTokenLength)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

func appendPacket(raw []byte, field byte, data []byte) []byte {
	raw = binary.AppendUvarint(append(raw, field), uint64(len(data)))
	return append(raw, data...)
}
