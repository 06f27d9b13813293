package tokens_test

import (
	"encoding/base64"
	"strings"
	"testing"

	macaroon "gopkg.in/macaroon.v2"

	"postern/tokens"
)

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := mint(t, accessClaims())
	raw := decode64(t, good)
	for name, text := range map[string]string{
		"nothing":              "",
		"spaces":               "   ",
		"padding":              base64.URLEncoding.EncodeToString(append(raw, 0)[:len(raw)+len(raw)%3+1]),
		"line break":           good[:40] + "\n" + good[40:],
		"carriage return":      good[:40] + "\r" + good[40:],
		"line break at end":    good + "\n",
		"space at end":         good + " ",
		"standard alphabet":    base64.RawStdEncoding.EncodeToString([]byte{2, 0xfb, 0xff, 0xfe}),
		"loose last bits":      good[:len(good)-1] + string(good[len(good)-1]+1),
		"truncated":            encode64(raw[:len(raw)-1]),
		"bytes after the end":  encode64(append(raw, 0)),
		"a second macaroon":    encode64(append(raw, raw...)),
		"binary format 1":      formatV1(t),
		"JSON":                 encode64([]byte(`{"v":2,"i":"AQIBcwc","s":""}`)),
		"JSON, bare":           `{"v":2,"i":"AQIBcwc","s":""}`,
		"no location":          withoutLocation(t),
		"empty location":       encode64(append([]byte{2, 1, 0}, raw[2+1+len(serverName):]...)),
		"over-long length":     encode64(append([]byte{2, 1, byte(len(serverName)) | 0x80, 0}, raw[3:]...)),
		"over-long field type": encode64(append([]byte{2, 0x81, 0}, raw[2:]...)),
		"third-party caveat":   thirdParty(t),
		"too many caveats":     appendRaw(t, good, make([]string, tokens.MaxCaveats-3)...),
		"too long":             appendRaw(t, good, strings.Repeat("x", tokens.MaxTokenLength)),
		"endless":              strings.Repeat("A", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tokens.Decode(text)
			wantErr(t, err, tokens.ErrMalformed)
		})
	}
}

func formatV1(t *testing.T) string {
	t.Helper()
	key := rootKey(2)
	m, err := macaroon.New(key.Secret[:], identifier(2, "s1", 7), serverName, macaroon.V1)
	if err != nil {
		t.Fatal(err)
	}
	return appendRaw(t, marshal(t, m), "gen = 1", "user_id = @ana:example.org", "type = access")
}

func withoutLocation(t *testing.T) string {
	t.Helper()
	m := unmarshal(t, mint(t, accessClaims()))
	m.SetLocation("")
	return marshal(t, m)
}

func thirdParty(t *testing.T) string {
	t.Helper()
	m := unmarshal(t, mint(t, accessClaims()))
	if err := m.AddThirdPartyCaveat([]byte("key"), []byte("gen = 1"), "https://example.com"); err != nil {
		t.Fatal(err)
	}
	return marshal(t, m)
}

func TestDecodeRefusesIdentifier(t *testing.T) {
	t.Parallel()
	for name, id := range map[string][]byte{
		"empty":                {},
		"version 0":            append([]byte{0}, identifier(2, "s1", 7)[1:]...),
		"version 2":            append([]byte{2}, identifier(2, "s1", 7)[1:]...),
		"version only":         {1},
		"key id only":          {1, 2},
		"no session":           {1, 2, 0, 7},
		"session cut off":      {1, 2, 3, 's', '1'},
		"no generation":        {1, 2, 2, 's', '1'},
		"trailing byte":        append(identifier(2, "s1", 7), 0),
		"over-long key id":     {1, 0x82, 0, 2, 's', '1', 7},
		"over-long length":     {1, 2, 0x82, 0, 's', '1', 7},
		"over-long generation": {1, 2, 2, 's', '1', 0x87, 0},
		"huge key id":          identifier(1<<63, "s1", 7),
		"huge generation":      identifier(2, "s1", 1<<63),
		"huge length":          {1, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 's', 7},
		"long session":         identifier(2, strings.Repeat("s", 256), 7),
		"overflow":             {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 's', 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tokens.Decode(forge(t, id, "gen = 1", "user_id = @ana:example.org", "type = access"))
			wantErr(t, err, tokens.ErrMalformed)
		})
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	otherSecret := rootKey(3)
	otherSecret.ID = 2
	for name, c := range map[string]struct {
		location string
		ring     *tokens.Keyring
		want     error
	}{
		"good":              {serverName, keyring(), nil},
		"other server":      {"example.com", keyring(), tokens.ErrSignature},
		"server in capital": {"EXAMPLE.ORG", keyring(), tokens.ErrSignature},
		"no server":         {"", keyring(), tokens.ErrSignature},
		"retired key":       {serverName, tokens.NewKeyring(rootKey(1)), tokens.ErrUnknownKey},
		"other secret":      {serverName, tokens.NewKeyring(otherSecret), tokens.ErrSignature},
		"no keys":           {serverName, tokens.NewKeyring(), tokens.ErrUnknownKey},
		"nil keyring":       {serverName, nil, tokens.ErrUnknownKey},
		"unset key":         {serverName, tokens.NewKeyring(tokens.Key{ID: 2}), tokens.ErrUnknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := tokens.Decode(mint(t, accessClaims()))
			if err != nil {
				t.Fatal(err)
			}
			authentic, err := token.Authenticate(c.location, c.ring)
			wantErr(t, err, c.want)
			if (authentic == nil) != (c.want != nil) {
				t.Errorf("Authenticate = %v, %v", authentic, err)
			}
		})
	}
}

// TestMovedLocation changes the one part of a macaroon that its signature does not cover.
func TestMovedLocation(t *testing.T) {
	t.Parallel()
	m := unmarshal(t, mint(t, accessClaims()))
	m.SetLocation("example.com")
	_, err := verify(marshal(t, m), allowed())
	wantErr(t, err, tokens.ErrSignature)
}

// TestNothingIsEvaluatedBeforeTheSignature watches for a predicate that is called for a forgery.
func TestNothingIsEvaluatedBeforeTheSignature(t *testing.T) {
	t.Parallel()
	raw := decode64(t, appendRaw(t, mint(t, accessClaims()), "spy = 1"))
	raw[len(raw)-1] ^= 1
	table := tokens.Table{"spy": func(string, string, tokens.Request) error {
		t.Error("evaluated")
		return nil
	}}
	_, err := tokens.Verify(encode64(raw), serverName, keyring(), tokens.Access, table, allowed())
	wantErr(t, err, tokens.ErrSignature)
}

func authenticate(t *testing.T, text string) *tokens.Authentic {
	t.Helper()
	token, err := tokens.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	a, err := token.Authenticate(serverName, keyring())
	if err != nil {
		t.Fatal(err)
	}
	return a
}
