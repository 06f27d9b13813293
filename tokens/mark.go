package tokens

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// markLabel begins the HKDF info string, so that a mark is no key of anything.
const markLabel = "postern mark "

// Mark is what a secret is known by that somebody has to type, such as a recovery code: whoever reads the database
// without the master key cannot try which text leads to it, however short that is. It is HKDF-SHA256 (RFC 5869) of the
// master key, in hexadecimal.
func (mk MasterKey) Mark(text string) (string, error) {
	if mk == (MasterKey{}) {
		return "", errors.New("tokens: mark: master key is empty")
	}
	mark, err := hkdf.Key(sha256.New, mk[:], nil, markLabel+text, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("tokens: mark: %w", err) // unreachable: 32 bytes are one block of SHA-256
	}
	return hex.EncodeToString(mark), nil
}
