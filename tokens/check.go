package tokens

import (
	"errors"
	"fmt"
	"time"
)

// Bearer is a token that was proved: an [Authentic] macaroon, or what a program takes for as good, such as a token of
// the server that it has replaced. The methods mean what those of Authentic do.
type Bearer interface {
	Session() string
	Generation() int64
	Check(want Type, table Table, r Request) (Claims, error)
	Appended(minted Claims) []string
}

var _ Bearer = (*Authentic)(nil)

// Authentic is a token whose signature holds. Its identifier and first caveats were written by the
// minter, the others were appended by holders. Nothing is evaluated yet: it may have expired, or be
// for something else.
type Authentic struct {
	identifier
	caveats []string
}

// Minted returns what the minter wrote, unchecked and whether it holds or not. Of a token that was minted without
// expiry a holder's first "time <" is taken for one, see [Authentic.Check].
func (a *Authentic) Minted() Claims {
	c := Claims{KeyID: a.keyID, Session: a.session, Generation: a.generation}
	if len(a.caveats) < expiryPlace {
		return c
	}
	user, _ := ParseCaveat(a.caveats[1]) // of what is no caveat the value is empty
	kind, _ := ParseCaveat(a.caveats[2])
	c.UserID, c.Type = user.Value, Type(kind.Value)
	c.Expires, _ = Before(a.caveats[expiryPlace:min(expiryPlace+1, len(a.caveats))])
	return c
}

// expiryPlace is the index of the caveat that says when a token expires, if [Mint] wrote one.
const expiryPlace = 3

// mintedKey returns the key of the caveat that Mint writes at index i, before expiryPlace. These say
// who and what for, and that must be the minter's word: on a token that lacks a user_id, the first one
// is a grant and no restriction, so a holder must not be the one to write it.
func mintedKey(i int) string {
	switch i {
	case 0:
		return genKey
	case 1:
		return userIDKey
	default:
		return typeKey
	}
}

// CaveatError says which caveat refused a token, and why.
type CaveatError struct {
	Caveat string // as written, or the key of a caveat that is missing
	Reason error
}

// Error names the caveat, shortened: a holder may have written anything there.
func (e *CaveatError) Error() string { return fmt.Sprintf("caveat %.64q: %v", e.Caveat, e.Reason) }

// OfRequest reports whether another request may satisfy the caveat: it is about the method, the path or the client's
// address, and is understood. With another operator, or a value that says nothing, no request ever does.
func (e *CaveatError) OfRequest() bool {
	caveat, err := ParseCaveat(e.Caveat)
	return err == nil && (caveat.Key == "method" || caveat.Key == "path" || caveat.Key == "addr") &&
		(errors.Is(e.Reason, errDiffers) || errors.Is(e.Reason, errUnknown))
}

// There is no Unwrap: a program's predicate may fail with any error, one of this package's sentinels
// included, and that must not turn one kind of refusal into another.

// refuse makes the error for a caveat that does not hold.
func refuse(caveat string, reason error) error {
	return fmt.Errorf("%w: %w", ErrRefused, &CaveatError{caveat, reason})
}

// Check evaluates every caveat against r and returns what the token says. The token must be of type
// want. Keys other than gen, user_id, type and time are looked up in table.
//
// It fails with [ErrRefused], and the claims are empty, if any caveat does not hold. It fails with
// [ErrExpired] if every caveat holds save one, the expiry that the minter set; then the claims are
// returned too, for the few requests that are granted even so, such as a logout.
//
// A token that was minted without expiry carries no sign of it. If the first caveat that a holder appends
// is a "time <", it stands where Mint would have put one and counts as the minter's. So a caller that
// grants something upon ErrExpired must know from elsewhere that the token was minted with an expiry.
func (a *Authentic) Check(want Type, table Table, r Request) (Claims, error) {
	c := checker{
		claims:  Claims{KeyID: a.keyID, Session: a.session, Generation: a.generation},
		want:    want,
		table:   table,
		request: r,
	}
	if n := len(a.caveats); n < expiryPlace {
		return Claims{}, refuse(mintedKey(n), errMissing)
	}
	for i, text := range a.caveats {
		if err := c.evaluate(i, text); err != nil {
			return Claims{}, refuse(text, err)
		}
	}
	if c.expired {
		return c.claims, ErrExpired
	}
	return c.claims, nil
}

// The reasons for which a caveat that this package defines does not hold.
var (
	errMissing  = errors.New("missing")
	errKey      = errors.New("unknown key")
	errOperator = errors.New("unknown operator")
	errValue    = errors.New("malformed value")
	errDiffers  = errors.New("does not hold")
	errUnknown  = errors.New("the request does not say")
	errMinters  = errors.New("is the server's to say")
)

// checker is one run of Check.
type checker struct {
	claims  Claims
	want    Type
	table   Table
	request Request
	expired bool // the minter's expiry has come
}

// evaluate returns nil if the caveat at index i holds, or is the minter's expiry and merely past.
func (c *checker) evaluate(i int, text string) error {
	cav, err := ParseCaveat(text)
	if err != nil {
		return err
	}
	if i < expiryPlace && cav.Key != mintedKey(i) {
		return fmt.Errorf("stands in the place of %s", mintedKey(i))
	}
	switch cav.Key {
	case genKey:
		return equal(cav, genValue)
	case userIDKey:
		if i < expiryPlace {
			c.claims.UserID = cav.Value
		}
		return equal(cav, c.claims.UserID)
	case typeKey:
		c.claims.Type = c.want
		return equal(cav, string(c.want))
	case timeKey:
		return c.time(i, cav)
	}
	holds := c.table[cav.Key]
	if holds == nil {
		return errKey
	}
	return holds(cav.Operator, cav.Value, c.request)
}

// equal evaluates a caveat whose key knows the operator "=" alone.
func equal(cav Caveat, value string) error {
	switch {
	case cav.Operator != "=":
		return errOperator
	case cav.Value != value:
		return errDiffers
	}
	return nil
}

// time evaluates a time caveat, in whole milliseconds as the draft has it.
func (c *checker) time(i int, cav Caveat) error {
	limit, err := parseMillis(cav.Value)
	if err != nil {
		return err
	}
	if c.request.Now.IsZero() { // else a forgotten clock would stand before every expiry
		return errUnknown
	}
	now, holds := c.request.Now.UnixMilli(), false
	switch cav.Operator {
	case "<":
		if t := time.UnixMilli(limit).UTC(); c.claims.Expires.IsZero() || t.Before(c.claims.Expires) {
			c.claims.Expires = t
		}
		holds = now < limit
		if !holds && i == expiryPlace {
			c.expired, holds = true, true
		}
	case ">":
		holds = now > limit
	case "==":
		holds = now == limit
	default:
		return errOperator
	}
	if !holds {
		return errDiffers
	}
	return nil
}

// Appended returns what holders have appended: the caveats after those that Mint wrote for minted. A
// server that exchanges the token for others passes them to [Carry], so that an exchange never widens.
//
// Pass the claims that were minted, not those that Check returned: there a holder's "time <" counts as
// the expiry of a token that had none, and would be lost. A repeated type is left out. It adds
// nothing to this token, but carried onto one of another type it would be the end of that one.
func (a *Authentic) Appended(minted Claims) []string {
	from := expiryPlace
	if !minted.Expires.IsZero() && len(a.caveats) > from && isBefore(a.caveats[from]) {
		from++
	}
	var appended []string
	for _, text := range a.caveats[min(from, len(a.caveats)):] {
		if text != (Caveat{typeKey, "=", string(minted.Type)}).String() {
			appended = append(appended, text)
		}
	}
	return appended
}
