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

// WeakPassword is why a new password cannot be taken.
type WeakPassword struct {
	Least int    // it has fewer characters; 0: it has enough
	Lacks string // digit, symbol, uppercase or lowercase: it has none of the kind; empty: it has one of each
}

// Error implements error.
func (w *WeakPassword) Error() string {
	if w.Least > 0 {
		return fmt.Sprintf("the password is too short: it must have at least %d characters", w.Least)
	}
	return "the password is too weak: it must have " + map[string]string{"digit": "a digit",
		"symbol":    "a character that is no digit and no letter from A to Z",
		"uppercase": "an upper-case letter", "lowercase": "a lower-case letter"}[w.Lacks]
}

// CheckPassword says why a new password cannot be taken of which so many characters are asked, and such kinds, as a
// [WeakPassword], or nil.
func CheckPassword(password string, least int, n PasswordNeeds) error {
	if utf8.RuneCountInString(password) < least {
		return &WeakPassword{Least: least}
	}
	const upper, lower, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
	symbol := func(r rune) bool { return !strings.ContainsRune(upper+lower+digits, r) }
	for _, rule := range []struct {
		needed, has bool
		what        string
	}{
		{n.Digit, strings.ContainsAny(password, digits), "digit"},
		{n.Symbol, strings.ContainsFunc(password, symbol), "symbol"},
		{n.Uppercase, strings.ContainsAny(password, upper), "uppercase"},
		{n.Lowercase, strings.ContainsAny(password, lower), "lowercase"},
	} {
		if rule.needed && !rule.has {
			return &WeakPassword{Lacks: rule.what}
		}
	}
	return nil
}

// strong is [CheckPassword] for a client. Client-Server API v1.19, "Password management", M_WEAK_PASSWORD.
func (s *Server) strong(password string) error {
	if err := CheckPassword(password, s.MinPassword, s.PasswordNeeds); err != nil {
		return badRequest("M_WEAK_PASSWORD", "This password cannot be taken: "+err.Error()+".").because(err)
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
