package protocol

import (
	"io"
	"strings"
	"unicode"
)

// UserCode is the code that a device shows and a person types: eight letters. RFC 8628, section 6.1.
type UserCode string

const (
	// userCodeLetters spell no word, and none looks like another: 20^8 codes, 34 bits.
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
)

// NewUserCode makes one.
func NewUserCode(random io.Reader) (UserCode, error) {
	const fair = 256 - 256%len(userCodeLetters) // a byte above would favour the first letters
	code := make([]byte, 0, userCodeLength)
	var b [1]byte
	for len(code) < userCodeLength {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", err
		}
		if int(b[0]) < fair {
			code = append(code, userCodeLetters[int(b[0])%len(userCodeLetters)])
		}
	}
	return UserCode(code), nil
}

// ParseUserCode reads what a person has typed: in whatever case, with dashes and spaces wherever. It reports whether
// it can be a code.
func ParseUserCode(typed string) (UserCode, bool) {
	code := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r):
			return -1
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		}
		return r
	}, typed)
	return UserCode(code), len(code) == userCodeLength && strings.Trim(code, userCodeLetters) == ""
}

// String is how a code is shown: BCDF-GHJK.
func (c UserCode) String() string {
	if len(c) != userCodeLength {
		return string(c)
	}
	return string(c[:userCodeLength/2]) + "-" + string(c[userCodeLength/2:])
}
