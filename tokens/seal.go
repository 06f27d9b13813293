package tokens

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// sealVersion is the first byte of what is sealed: AES-256-GCM under a key of its own, with the additional data
	// below.
	sealVersion = 0x01

	// sealLabel begins the HKDF info string, so that the key is none that anything else is encrypted with.
	sealLabel = "postern sealed for a while"
)

// Seal encrypts what has to lie in a database for a while and must not be read there, such as a password that somebody
// wants to register with. It is bound to the id that it is kept under and to the time until which it is good, in whole
// milliseconds: who can write to the database can neither swap two of them nor prolong one. They can put back what was
// there under the same id before.
//
// The result is a version byte, a nonce, the ciphertext and its tag. The key is HKDF-SHA256 (RFC 5869) of the master
// key and the id, so that random nonces stay safe however many are sealed: the bound of 2^32 (NIST SP 800-38D, section
// 8.3) is one of each id.
func (mk MasterKey) Seal(random io.Reader, id string, expires time.Time, plain []byte) ([]byte, error) {
	aead, err := mk.sealer(id)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(plain)+aead.Overhead())
	sealed[0] = sealVersion
	if _, err := io.ReadFull(random, sealed[1:]); err != nil {
		return nil, fmt.Errorf("tokens: seal: %w", err)
	}
	return aead.Seal(sealed, sealed[1:], plain, sealData(id, expires)), nil
}

// Open decrypts what was sealed under that id until that time, or fails with [ErrSealed].
func (mk MasterKey) Open(id string, expires time.Time, sealed []byte) ([]byte, error) {
	aead, err := mk.sealer(id)
	if err != nil {
		return nil, err
	}
	if len(sealed) < 1+aead.NonceSize() || sealed[0] != sealVersion {
		return nil, fmt.Errorf("%w: not in a known format", ErrSealed)
	}
	nonce, text := sealed[1:1+aead.NonceSize()], sealed[1+aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, text, sealData(id, expires))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// sealer returns AES-256-GCM under the key of an id.
func (mk MasterKey) sealer(id string) (cipher.AEAD, error) {
	if mk == (MasterKey{}) {
		return nil, errors.New("tokens: seal: master key is empty")
	}
	key, err := hkdf.Key(sha256.New, mk[:], nil, sealLabel+string(rune(sealVersion))+id, len(mk))
	if err != nil {
		return nil, fmt.Errorf("tokens: seal: %w", err) // unreachable: 32 bytes are one block of SHA-256
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("tokens: seal: %w", err) // unreachable: the key has 32 bytes
	}
	return cipher.NewGCM(block)
}

// sealData returns the additional data: the time has eight bytes, so what follows is the id and nothing else.
func sealData(id string, expires time.Time) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{sealVersion}, uint64(expires.UnixMilli())), id...)
}
