package tokens_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/tokens"
)

// The seeds are in testdata/fuzz, and so is whatever a run has found.

// FuzzDecode: what is accepted has one text only, and no text is accepted as authentic that was not
// minted with a key.
func FuzzDecode(f *testing.F) {
	ring := tokens.NewKeyring(tokens.Key{ID: 2, Secret: [32]byte{31: 0xff}}) // no seed is minted with it
	f.Fuzz(func(t *testing.T, s string) {
		token, err := tokens.Decode(s)
		if err != nil {
			wantErr(t, err, tokens.ErrMalformed)
			return
		}
		if again := marshal(t, unmarshal(t, s)); again != s {
			t.Errorf("read\n%q, written\n%q", s, again)
		}
		if again, err := tokens.Restrict(s); err != nil || again != s {
			t.Errorf("Restrict to nothing: %q, %v", again, err)
		}
		if len(token.Caveats()) > tokens.MaxCaveats || len(s) > tokens.MaxTokenLength {
			t.Error("beyond the limits")
		}
		if token.Session() == "" || token.KeyID() < 0 || token.Generation() < 0 || token.Location() == "" {
			t.Errorf("decoded to %+v", token)
		}
		if _, err := token.Authenticate(token.Location(), ring); err == nil {
			t.Error("forged")
		}
	})
}

// FuzzParseCaveat: one writer, one parser.
func FuzzParseCaveat(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		c, err := tokens.ParseCaveat(s)
		if err != nil {
			wantErr(t, err, tokens.ErrMalformed)
			return
		}
		if c.String() != s {
			t.Errorf("read %q, written %q", s, c)
		}
		if strings.Contains(c.Key+c.Operator, " ") || c.Value[0] == ' ' {
			t.Errorf("separators in %+v", c)
		}
	})
}

// FuzzVerify appends lines to a token as caveats: no request panics, and none is granted that would not
// be without them.
func FuzzVerify(f *testing.F) {
	f.Fuzz(func(t *testing.T, caveats, method, path, addr, device string, ms int64) {
		r := tokens.Request{Now: time.UnixMilli(ms), Method: method, Path: path, DeviceID: device}
		r.Addr, _ = netip.ParseAddr(addr)
		c := accessClaims()
		token := mint(t, c)
		before, errBefore := verify(token, r)
		for line := range strings.SplitSeq(caveats, "\n") {
			if token = appendRaw(t, token, line); len(token) > tokens.MaxTokenLength {
				return
			}
		}
		after, errAfter := verify(token, r)
		if errors.Is(errAfter, tokens.ErrMalformed) && strings.Count(caveats, "\n") < tokens.MaxCaveats-4 {
			t.Errorf("%q made the token malformed", caveats)
		}
		narrower(t, c, before, errBefore, after, errAfter)
	})
}
