package handlers

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"postern/gen"
)

// PasswordNeeds are kinds of characters, in ASCII, of which a new password must have one each (MSC2000).
type PasswordNeeds struct{ Digit, Symbol, Uppercase, Lowercase bool }

// ParsePasswordNeeds reads the names of kinds.
func ParsePasswordNeeds(names []string) (n PasswordNeeds, err error) {
	for _, name := range names {
		switch strings.TrimSpace(name) {
		case "digit":
			n.Digit = true
		case "symbol":
			n.Symbol = true
		case "uppercase":
			n.Uppercase = true
		case "lowercase":
			n.Lowercase = true
		default:
			return n, fmt.Errorf("%q is none of digit, symbol, uppercase, lowercase", name)
		}
	}
	return n, nil
}

// strong says whether a new password is as the policy wants it. Client-Server API v1.19, "Password management",
// M_WEAK_PASSWORD.
func (s *Server) strong(password string) error {
	if utf8.RuneCountInString(password) < s.MinPassword {
		return badRequest("M_WEAK_PASSWORD",
			fmt.Sprintf("The password is too short: it must have at least %d characters.", s.MinPassword))
	}
	const upper, lower, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
	symbol := func(r rune) bool { return !strings.ContainsRune(upper+lower+digits, r) }
	n := s.PasswordNeeds
	for _, rule := range []struct {
		needed, has bool
		what        string
	}{
		{n.Digit, strings.ContainsAny(password, digits), "a digit"},
		{n.Symbol, strings.ContainsFunc(password, symbol), "a character that is no digit and no letter from A to Z"},
		{n.Uppercase, strings.ContainsAny(password, upper), "an upper-case letter"},
		{n.Lowercase, strings.ContainsAny(password, lower), "a lower-case letter"},
	} {
		if rule.needed && !rule.has {
			return badRequest("M_WEAK_PASSWORD", "The password is too weak: it must have "+rule.what+".")
		}
	}
	return nil
}

var _ = struct{}(gen.GetPasswordPolicyRequestObject{}) // see logout.go

// GetPasswordPolicy implements GET /password_policy (MSC2000), by which a client tells a person what is wanted before
// the password is refused.
func (s *Server) GetPasswordPolicy(context.Context, gen.GetPasswordPolicyRequestObject) (
	gen.GetPasswordPolicyResponseObject, error) {
	n := s.PasswordNeeds
	return gen.GetPasswordPolicy200JSONResponse{
		MMinimumLength: s.MinPassword, MRequireDigit: n.Digit, MRequireSymbol: n.Symbol,
		MRequireUppercase: n.Uppercase, MRequireLowercase: n.Lowercase,
	}, nil
}
