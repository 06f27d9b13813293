package handlers

import (
	"errors"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// What a mail address may be. RFC 5321, section 4.5.3.1, and RFC 5322, section 3.2.3.
const (
	maxAddress   = 254
	maxLocalMail = 64
	maxDomain    = 253
)

var (
	dotAtom = regexp.MustCompile(`^[a-z0-9!#$%&'*+/=?^_{|}~` + "`" + `-]+(\.[a-z0-9!#$%&'*+/=?^_{|}~` + "`" + `-]+)*$`)
	domain  = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

	errAddress = errors.New("it is not a mail address; write it like name@example.org")
)

// Address is a mail address as it is compared, kept and sent to: in lower case (Client-Server API v1.19, Appendices,
// "3PID Types"), its domain in ASCII (RFC 5891). It is a plain mailbox: no name, no comment, no quotes, no address
// literal, and nothing that could end a line of a mail's header or of SMTP. What stands before the @ is ASCII, since
// few servers deliver anything else (RFC 6531), and since two names that look the same must not be two addresses.
func Address(text string) (string, error) {
	text = strings.Trim(text, " ")
	local, host, found := strings.Cut(text, "@")
	if !found || len(text) > maxAddress {
		return "", errAddress
	}
	// Some letters become ASCII in lower case.
	if strings.ContainsFunc(local, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", errAddress
	}
	host, err := idna.Lookup.ToASCII(strings.ToLower(host))
	local = strings.ToLower(local)
	if err != nil || len(host) > maxDomain || len(local) > maxLocalMail || len(local)+1+len(host) > maxAddress ||
		!dotAtom.MatchString(local) || !domain.MatchString(host) {
		return "", errAddress
	}
	return local + "@" + host, nil
}
