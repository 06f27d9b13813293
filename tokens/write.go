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

// draft is a macaroon that is being written, in binary format 2 as package macaroon would marshal it: a property test holds the
// two together.
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
