package tokens

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The keys that the caveat draft of 2015 specifies, and the one generation of it that there is. A
// [Table] can't redefine them.
const (
	genKey    = "gen"
	userIDKey = "user_id"
	typeKey   = "type"
	timeKey   = "time"

	genValue = "1"
)

// Caveat is a caveat taken apart: `key operator value`.
type Caveat struct {
	Key      string // letters, digits and underscores, not empty
	Operator string // anything without white space, not empty
	Value    string // anything that does not begin with a space, not empty
}

// String writes the caveat in the draft's form, joined by single spaces. It is the one writer of
// caveats, as [ParseCaveat] is the one parser.
func (c Caveat) String() string { return c.Key + " " + c.Operator + " " + c.Value }

// ParseCaveat reads a caveat in the draft's form, or fails with [ErrMalformed]. What it accepts, String
// writes back the same.
//
// The draft leaves open whether a value may begin with a space. It may not here: "time <  5" is a
// doubled separator to every human reader. Nor may a caveat be other than UTF-8.
func ParseCaveat(s string) (Caveat, error) {
	key, rest, _ := strings.Cut(s, " ")
	operator, value, _ := strings.Cut(rest, " ")
	switch {
	case !utf8.ValidString(s):
		return Caveat{}, fmt.Errorf("%w: caveat is not UTF-8", ErrMalformed)
	case key == "" || strings.TrimFunc(key, inKey) != "":
		return Caveat{}, fmt.Errorf("%w: caveat key", ErrMalformed)
	case operator == "" || strings.ContainsFunc(operator, unicode.IsSpace):
		return Caveat{}, fmt.Errorf("%w: caveat operator", ErrMalformed)
	case value == "" || value[0] == ' ':
		return Caveat{}, fmt.Errorf("%w: caveat value", ErrMalformed)
	}
	return Caveat{key, operator, value}, nil
}

// inKey reports whether the draft allows r in a key: [A-Za-z0-9_].
func inKey(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
}

// Request holds the facts that caveats are evaluated against. A fact that is left out satisfies no
// caveat.
type Request struct {
	Now      time.Time         // for "time"
	Method   string            // for "method"
	Path     string            // for "path": as sent, percent-encoded, without the query
	Addr     netip.Addr        // for "addr": the client's
	DeviceID string            // for "device_id": the session's device
	Extra    map[string]string // facts for a program's own caveats
}

// Predicate evaluates the caveats of one key: it returns nil if the caveat holds for r, else why not.
// It must return an error for an operator that it does not define.
type Predicate func(operator, value string, r Request) error

// Table maps the keys of caveats to their predicates: the non-standard caveats of which the draft
// says "use is allowed". An entry for gen, user_id, type or time is without effect.
type Table map[string]Predicate

// Caveats returns a new table of Postern's own caveats, for a program to extend:
//
//	method in GET,HEAD            the request's method is listed
//	path under /_matrix/media     the path is that one or lies below it; a segment * is any one
//	addr in 192.0.2.0/24,::1      the client's address is listed, or in a network that is
//	device_id = ABC               the session's device is that one
func Caveats() Table {
	return Table{
		"method":    methodIn,
		"path":      pathUnder,
		"addr":      addrIn,
		"device_id": deviceIs,
	}
}

// Sound returns nil if some request may satisfy a caveat that is appended to a token, else why none
// can: nobody knows its key, its key has no such operator, its value is malformed. Of gen, user_id and
// type none is sound. They are the minter's to say, and appending them changes nothing or ends the
// token.
func (t Table) Sound(c Caveat) error {
	var err error
	switch c.Key {
	case genKey, userIDKey, typeKey:
		return errMinters
	case timeKey:
		judge := checker{request: Request{Now: time.UnixMilli(0)}}
		err = judge.time(expiryPlace+1, c)
	default:
		holds := t[c.Key]
		if holds == nil {
			return errKey
		}
		err = holds(c.Operator, c.Value, Request{})
	}
	if errors.Is(err, errDiffers) || errors.Is(err, errUnknown) {
		return nil
	}
	return err
}

// Before returns the earliest time among "time <" caveats, and whether there is one. It passes over
// everything else.
func Before(caveats []string) (time.Time, bool) {
	earliest, found := int64(0), false
	for _, text := range caveats {
		if !isBefore(text) {
			continue
		}
		cav, _ := ParseCaveat(text)
		if ms, err := parseMillis(cav.Value); err == nil && (!found || ms < earliest) {
			earliest, found = ms, true
		}
	}
	if !found {
		return time.Time{}, false
	}
	return time.UnixMilli(earliest).UTC(), true
}

// isBefore reports whether text is a caveat of the form "time < …".
func isBefore(text string) bool {
	cav, err := ParseCaveat(text)
	return err == nil && cav.Key == timeKey && cav.Operator == "<"
}

// formatMillis writes the value of a time caveat: POSIX time in milliseconds.
func formatMillis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// parseMillis reads the value of a time caveat, as formatMillis writes it: no sign, no leading zeros.
func parseMillis(s string) (int64, error) {
	ms, err := strconv.ParseUint(s, 10, 63)
	if err != nil || len(s) > 1 && s[0] == '0' {
		return 0, errValue
	}
	return int64(ms), nil
}
