package db

import (
	"encoding/base32"
	"encoding/binary"
	"time"
)

// A session's id tells when the session was born: its first four bytes are that time in Unix seconds, and the others
// are secret. So a token that is authentic tells of a session that is not here any more how old it was.

// SessionSecret is how many bytes of a session's id nobody may guess: 88 bits.
const SessionSecret = 11

// idBytes are spelled as 24 letters and digits. Sessions that began before ids told of their birth have 26.
const idBytes = 4 + SessionSecret

var spelling = base32.StdEncoding.WithPadding(base32.NoPadding)

// Spell spells the bytes of an id so that an operator can type them after a command: nothing in it looks like a flag.
func Spell(id []byte) string { return spelling.EncodeToString(id) }

// SessionID makes the id of a session that is born at a time, from SessionSecret bytes at least.
func SessionID(born time.Time, secret []byte) string {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, idBytes), uint32(born.Unix()))
	return Spell(append(b, secret[:SessionSecret]...))
}

// parts of a session's id: when it was born, in Unix seconds, and the beginning of its secret.
func parts(id string) (born, secret int64, ok bool) {
	var b [idBytes]byte
	if len(id) != spelling.EncodedLen(idBytes) {
		return 0, 0, false
	}
	if _, err := spelling.Decode(b[:], []byte(id)); err != nil {
		return 0, 0, false
	}
	return int64(binary.BigEndian.Uint32(b[:])), int64(binary.BigEndian.Uint32(b[4:])), true
}
