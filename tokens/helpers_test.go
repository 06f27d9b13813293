package tokens_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"time"

	macaroon "gopkg.in/macaroon.v2"
	"pgregory.net/rapid"

	"postern/tokens"
)

const serverName = "example.org"

// now is the time in every test that does not say otherwise.
func now() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }

// rootKey returns a key whose secret is its id, repeated.
func rootKey(id byte) tokens.Key {
	return tokens.Key{ID: int64(id), Secret: [32]byte(bytes.Repeat([]byte{id}, 32))}
}

func keyring() *tokens.Keyring { return tokens.NewKeyring(rootKey(1), rootKey(2)) }

// accessClaims are the claims of an access token that is good for five minutes.
func accessClaims() tokens.Claims {
	return tokens.Claims{
		KeyID: 2, Session: "s1", Generation: 7, UserID: "@ana:example.org",
		Type: tokens.Access, Expires: now().Add(5 * time.Minute),
	}
}

// forever returns c without an expiry.
func forever(c tokens.Claims) tokens.Claims {
	c.Expires = time.Time{}
	return c
}

func mint(tb rapid.TB, c tokens.Claims) string {
	tb.Helper()
	token, err := tokens.Mint(serverName, rootKey(2), c)
	if err != nil {
		tb.Fatalf("Mint(%+v): %v", c, err)
	}
	return token
}

// verify checks an access token at the given time with Postern's own caveats.
func verify(token string, r tokens.Request) (tokens.Claims, error) {
	return tokens.Verify(token, serverName, keyring(), tokens.Access, tokens.Caveats(), r)
}

// appendRaw appends also what Restrict would refuse: a hostile holder needs no Restrict.
func appendRaw(tb rapid.TB, token string, caveats ...string) string {
	tb.Helper()
	m := unmarshal(tb, token)
	for _, c := range caveats {
		if err := m.AddFirstPartyCaveat([]byte(c)); err != nil {
			tb.Fatal(err)
		}
	}
	return marshal(tb, m)
}

// forge mints with the right key what Mint would not.
func forge(tb rapid.TB, id []byte, caveats ...string) string {
	tb.Helper()
	key := rootKey(2)
	m, err := macaroon.New(key.Secret[:], id, serverName, macaroon.V2)
	if err != nil {
		tb.Fatal(err)
	}
	return appendRaw(tb, marshal(tb, m), caveats...)
}

// identifier writes an identifier as Mint does.
func identifier(keyID uint64, session string, generation uint64) []byte {
	b := binary.AppendUvarint([]byte{1}, keyID)
	b = binary.AppendUvarint(b, uint64(len(session)))
	return binary.AppendUvarint(append(b, session...), generation)
}

func unmarshal(tb rapid.TB, token string) *macaroon.Macaroon {
	tb.Helper()
	m := new(macaroon.Macaroon)
	if err := m.UnmarshalBinary(decode64(tb, token)); err != nil {
		tb.Fatal(err)
	}
	return m
}

func marshal(tb rapid.TB, m *macaroon.Macaroon) string {
	tb.Helper()
	raw, err := m.MarshalBinary()
	if err != nil {
		tb.Fatal(err)
	}
	return encode64(raw)
}

func decode64(tb rapid.TB, s string) []byte {
	tb.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func encode64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// wantErr fails the test unless err is, or wraps, want and none of the other sentinels.
func wantErr(tb rapid.TB, err, want error) {
	tb.Helper()
	for _, sentinel := range []error{
		tokens.ErrMalformed, tokens.ErrUnknownKey, tokens.ErrSignature,
		tokens.ErrRefused, tokens.ErrExpired, tokens.ErrMasterKey,
	} {
		if got := errors.Is(err, sentinel); got != (sentinel == want) {
			tb.Errorf("error is %v, want %v", err, want)
			return
		}
	}
}

// allowed is a request that satisfies each of the caveats in grants.
func allowed() tokens.Request {
	return tokens.Request{
		Now: now(), Method: "GET", Path: "/_matrix/client/v3/devices/ABC",
		Addr: netip.MustParseAddr("192.0.2.7"), DeviceID: "ABC",
	}
}

// grants are caveats that hold for the request allowed, each alone and all together.
func grants() []string {
	return []string{
		"gen = 1", "user_id = @ana:example.org", "type = access",
		"time < " + millis(now().Add(time.Minute)), "time > 0", "time == " + millis(now()),
		"method in GET,HEAD", "path under /_matrix/client/v3/devices",
		"addr in 198.51.100.1,192.0.2.0/24", "device_id = ABC",
	}
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
