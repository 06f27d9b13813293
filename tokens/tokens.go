// Package tokens mints, restricts and verifies Postern's tokens, which are macaroons.
//
// It knows no HTTP, no SQL, no configuration, no wall clock and no global randomness: time and
// randomness are arguments, and minting twice gives the same bytes twice. That is what lets the
// rest of Postern compute tokens instead of storing them.
//
// # Format
//
// A token is one macaroon ("Macaroons: Cookies with Contextual Caveats for Decentralized
// Authorization in the Cloud", Birgisson et al., NDSS 2014) in binary format version 2, written as
// base64url without padding. Its parts:
//
//   - the location is the server name;
//   - the identifier is a format version, the id of the root key, the session id and the
//     generation of the session (see token.go for the bytes);
//   - the first-party caveats that [Mint] writes are, in this order, "gen = 1", "user_id = @a:b",
//     "type = access" (or refresh, or login) and, if the token expires, "time < 1445853600000";
//   - after these come the caveats that holders have appended with [Restrict].
//
// The caveat language is that of Matrix's draft "Macaroon Caveats" of 2015: a key, an operator and
// a value, joined by single spaces. Package tokens evaluates gen, user_id, type and time itself. All
// other keys come from a [Table], which starts as Postern's own (see [Caveats]) and which a program
// extends with caveats of its own.
//
// # Laws
//
//   - Signature first. No caveat is evaluated before the signature holds: a [Token] can't be
//     checked, only the [Authentic] that it becomes can.
//   - A caveat only takes away. Every caveat must hold; one that can't be parsed, has an unknown key
//     or an operator that its key does not define refuses the token ("Servers are required to reject
//     any macaroon with a caveat that they do not understand", says the draft).
//   - Who and what for is said by the minter. The caveats gen, user_id and type must stand where Mint
//     writes them; a holder may repeat them but not alter them.
//   - One token, one text. Whatever Mint and Restrict would not have written is refused: other
//     macaroon formats, padding, line breaks, over-long integers, bytes after the end.
//   - Everything is bounded: [MaxTokenLength], [MaxCaveats].
//   - What is not known refuses. An empty method, a zero address, a zero time never satisfy a caveat
//     that asks for them.
//
// # Threats
//
// Someone who holds a token can make a narrower one, and can't make a wider one or one for another
// user, type, session or generation: each caveat is a link in a chain of HMACs, of which a token shows
// the last link only (Macaroons paper, figure 7). The location is the one part that
// the chain does not cover, therefore [Token.Authenticate] compares it. Discharge macaroons and
// third-party caveats are refused, and with them the code that would decrypt what strangers sent.
//
// Someone who reads the database finds root keys only as [MasterKey.Wrap] left them. Someone who
// writes to it can't swap two wrapped keys either: the wrapping binds the key's id.
// What else has to lie there for a while, [MasterKey.Seal] seals under keys of its own.
//
// # What it does not defend against
//
//   - A stolen token is good until it expires or its caller refuses it. Whether a session still lives,
//     which generation is in force and whether a login token has been used is the caller's to know.
//   - A token is not encrypted. Who sees one can read user, session and caveats.
//   - The facts of a [Request] are as true as the caller makes them. Behind a proxy, the address of
//     the client is what the proxy says it is.
//   - A restricted token guards against its holder, not against who restricted it: the wider token
//     lives on.
//   - Who has a root key can mint anything that verifies under it.
//
// # The library
//
// gopkg.in/macaroon.v2 reads tokens ([Decode]) and appends a holder's caveats ([Restrict]). Minting and the signature
// are written out (mint.go), because they are most of what the server does; property tests hold both to the library's
// bytes. The library's Verify is not used: it calls back with caveats before their signature is known to hold.
//
// # Usage
//
//   - Keys: [NewMasterKey], [ParseMasterKey], [NewKey], [MasterKey.Wrap], [MasterKey.Unwrap],
//     [NewKeyring].
//   - Keep a secret in a database for a while: [MasterKey.Seal], [MasterKey.Open].
//   - Make a token: [Mint].
//   - Judge one that came with a request: [Verify], or its three steps [Decode],
//     [Token.Authenticate] and [Authentic.Check] if a decision lies between them.
//   - Narrow one, without any key: [Restrict].
//   - Exchange one without widening it: [Authentic.Appended], then [Carry] and [Before].
package tokens

import (
	"encoding/base64"
	"errors"
	"fmt"

	macaroon "gopkg.in/macaroon.v2"
)

const (
	// MaxTokenLength is the length in bytes of the longest token that is minted or decoded. A token
	// of Postern's has about 250; the rest is room for caveats, within what proxies let pass as one
	// header line (8 KiB is a usual limit).
	MaxTokenLength = 8 << 10

	// MaxCaveats is the largest number of caveats on a token. Each one costs the verifier an HMAC,
	// and any stranger may ask for that work.
	MaxCaveats = 64
)

// The reasons for which a token, or something that should become one, is turned down. Errors of this
// package wrap one of them; none contains a token or a key.
var (
	// ErrMalformed means that the text is no token, or a caveat or claim can't be written into one.
	ErrMalformed = errors.New("tokens: malformed")

	// ErrUnknownKey means that the token names a root key that the keyring does not hold: it was
	// retired, or never existed.
	ErrUnknownKey = errors.New("tokens: unknown root key")

	// ErrSignature means that the token was not minted by this server, or altered on its way.
	ErrSignature = errors.New("tokens: signature does not hold")

	// ErrRefused means that a caveat does not hold. The error also wraps a [*CaveatError].
	ErrRefused = errors.New("tokens: refused")

	// ErrExpired means that the time which the minter set has come, and that nothing else is amiss.
	ErrExpired = errors.New("tokens: expired")

	// ErrMasterKey means that a wrapped root key does not open: it was wrapped by another master key,
	// for another id, or altered.
	ErrMasterKey = errors.New("tokens: master key does not fit")

	// ErrSealed means that something sealed does not open: it was sealed by another master key, under another id or
	// until another time, or altered.
	ErrSealed = errors.New("tokens: what is sealed does not open")
)

// Type is what a token is for: the value of its type caveat.
type Type string

// The types of the draft of 2015, and Login, which the specification added later.
const (
	Access  Type = "access"  // authorizes any request except a refresh
	Refresh Type = "refresh" // authorizes a refresh and nothing else
	Login   Type = "login"   // proof for "m.login.token" (Client-Server API v1.19, "Token-based")
)

// known reports whether t is a type that Postern mints.
func (t Type) known() bool { return t == Access || t == Refresh || t == Login }

// Verify judges a token that came with a request, in three steps: [Decode], [Token.Authenticate],
// [Authentic.Check]. With [ErrExpired] it returns the claims as well, see there.
func Verify(s, location string, ring *Keyring, want Type, table Table, r Request) (Claims, error) {
	t, err := Decode(s)
	if err != nil {
		return Claims{}, err
	}
	a, err := t.Authenticate(location, ring)
	if err != nil {
		return Claims{}, err
	}
	return a.Check(want, table, r)
}

// Restrict appends caveats to a token. It needs no key: anyone who holds a token can narrow it before
// handing it on, which the Macaroons paper calls attenuation. The caveats are not evaluated here; one
// that the server does not understand makes the token useless there.
func Restrict(token string, caveats ...Caveat) (string, error) {
	t, err := Decode(token)
	if err != nil {
		return "", err
	}
	return extend(t.macaroon, caveats)
}

// Carry appends caveats in their written form, as [Authentic.Appended] returns them, to a token. So a
// token never widens when it is exchanged for another.
func Carry(token string, caveats []string) (string, error) {
	parsed := make([]Caveat, len(caveats))
	for i, s := range caveats {
		var err error
		if parsed[i], err = ParseCaveat(s); err != nil {
			return "", err
		}
	}
	return Restrict(token, parsed...)
}

// extend adds caveats to m and writes it as text. It is the only writer of tokens, and refuses what
// [Decode] or [ParseCaveat] would not read back.
func extend(m *macaroon.Macaroon, caveats []Caveat) (string, error) {
	if len(m.Caveats())+len(caveats) > MaxCaveats {
		return "", fmt.Errorf("%w: more than %d caveats", ErrMalformed, MaxCaveats)
	}
	for _, c := range caveats {
		s := c.String()
		// A field with a space in it would read back as another caveat.
		if back, err := ParseCaveat(s); err != nil || back != c {
			return "", fmt.Errorf("%w: %.64q can't be written as a caveat", ErrMalformed, s)
		}
		if err := m.AddFirstPartyCaveat([]byte(s)); err != nil {
			return "", fmt.Errorf("%w: %w", ErrMalformed, err) // unreachable: V2 takes any bytes
		}
	}
	raw, err := m.MarshalBinary()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err) // unreachable: V2 writes any macaroon
	}
	if base64.RawURLEncoding.EncodedLen(len(raw)) > MaxTokenLength {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxTokenLength)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}
