package handlers

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"postern/gen"
	"postern/passwords"
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

// PasswordRules are what a password must be that somebody chooses. One that an account has is never held against them.
type PasswordRules struct {
	Length   int                        // how many characters it must have
	Needs    PasswordNeeds              // which kinds of characters
	Strength int                        // how hard it must be to guess, from 0 (off) to 4; see [passwords.Score]
	Leaked   func(password string) bool // reports whether it has leaked somewhere; nil: nobody knows
}

// WeakPassword is why a new password cannot be taken. One of the fields is set.
type WeakPassword struct {
	Least  int    // it has fewer characters
	Lacks  string // digit, symbol, uppercase or lowercase: it has none of the kind
	Easy   bool   // it is easy to guess
	Leaked bool   // it is in a list of leaked ones
}

// Error implements error.
func (w *WeakPassword) Error() string {
	switch {
	case w.Least > 0:
		return fmt.Sprintf("the password is too short: it must have at least %d characters", w.Least)
	case w.Easy:
		return "the password is easy to guess: use a few uncommon words, or let a password manager make one"
	case w.Leaked:
		return "this password is in a list of leaked passwords, which attackers try first: choose another one"
	}
	return "the password is too weak: it must have " + map[string]string{"digit": "a digit",
		"symbol":    "a character that is no digit and no letter from A to Z",
		"uppercase": "an upper-case letter", "lowercase": "a lower-case letter"}[w.Lacks]
}

// Check says why a new password cannot be taken, as a [WeakPassword], or nil. The user id is that of the account, whose
// parts are easy to guess.
func (r PasswordRules) Check(password string, user UserID) error {
	if utf8.RuneCountInString(password) < r.Length {
		return &WeakPassword{Least: r.Length}
	}
	if kind := r.Needs.missing(password); kind != "" {
		return &WeakPassword{Lacks: kind}
	}
	// An account is stored with the normal form, so who guesses that has guessed it.
	if r.Strength > 0 && passwords.Score(normal(password), string(user)) < r.Strength {
		return &WeakPassword{Easy: true}
	}
	if r.Leaked != nil && (r.Leaked(password) || r.Leaked(normal(password))) {
		return &WeakPassword{Leaked: true}
	}
	return nil
}

// missing is a kind of character that a password lacks; empty: none.
func (n PasswordNeeds) missing(password string) string {
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
			return rule.what
		}
	}
	return ""
}

// CheckNewPassword is [PasswordRules.Check] for a client: it says why an account cannot have a new password, or nil.
// One is judged at a time: whoever sends many gets no more of the processor than that, and of the memory. Client-Server
// API v1.19, "Password management", M_WEAK_PASSWORD.
func (s *Server) CheckNewPassword(password, localpart string) error {
	s.judging.Lock()
	defer s.judging.Unlock()
	if err := s.Passwords.Check(password, NewUserID(localpart, s.ServerName)); err != nil {
		return badRequest("M_WEAK_PASSWORD", "This password cannot be taken: "+err.Error()+".").because(err)
	}
	return nil
}

var _ = struct{}(gen.GetPasswordPolicyRequestObject{}) // see logout.go

// GetPasswordPolicy implements GET /password_policy (MSC2000), by which a client tells a person what is wanted before
// the password is refused.
func (s *Server) GetPasswordPolicy(context.Context, gen.GetPasswordPolicyRequestObject) (
	gen.GetPasswordPolicyResponseObject, error) {
	n := s.Passwords.Needs
	return gen.GetPasswordPolicy200JSONResponse{
		MMinimumLength: s.Passwords.Length, MRequireDigit: n.Digit, MRequireSymbol: n.Symbol,
		MRequireUppercase: n.Uppercase, MRequireLowercase: n.Lowercase,
	}, nil
}
