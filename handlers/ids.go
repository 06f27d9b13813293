package handlers

import (
	"encoding/base32"
	"io"
)

// sessionIDBytes makes session ids of 128 random bits: they are looked up by the token's own word, and nobody
// may guess another's.
const sessionIDBytes = 16

// sessionID spells random bytes so that an operator can type them after a command: nothing that looks like a flag.
func sessionID(random []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random)
}

// SessionIDOf makes a session's id from a secret: who knows the secret finds the session.
func SessionIDOf(secret []byte) string { return sessionID(secret) }

// NewSessionID makes a session's id, for sessions that do not begin at a login.
func NewSessionID(random io.Reader) (string, error) {
	return unguessable(random, sessionIDBytes)
}

// unguessable spells as many random bytes.
func unguessable(random io.Reader, bytes int) (string, error) {
	b := make([]byte, bytes)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", err
	}
	return sessionID(b), nil
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
