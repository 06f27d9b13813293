package handlers

import (
	"io"

	"postern/db"
)

// NewID makes an id that nobody can guess, of 128 random bits.
func NewID(random io.Reader) (string, error) { return unguessable(random, 16) }

// unguessable spells as many random bytes.
func unguessable(random io.Reader, bytes int) (string, error) {
	b := make([]byte, bytes)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", err
	}
	return db.Spell(b), nil
}

// NewDeviceID makes a device's id.
func NewDeviceID(random io.Reader) (string, error) {
	b := make([]byte, deviceIDLength)
	_, err := io.ReadFull(random, b)
	return deviceID(b), err
}

// deviceID spells random bytes as capital letters. The slight bias of the modulus does no harm: a device id
// is a name, not a secret.
func deviceID(random []byte) string {
	letters := make([]byte, len(random))
	for i, b := range random {
		letters[i] = 'A' + b%26
	}
	return string(letters)
}

// randomID is a name that nobody can guess, of as many random bytes.
func (s *Server) randomID(bytes int) (string, error) { return unguessable(s.Random, bytes) }
