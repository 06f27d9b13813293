package passkey_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/oauth/passkey"
	"postern/test/rig/authenticator"
)

var (
	challenge = []byte("a challenge of 24 bytes.")
	alice     = passkey.Owner{Handle: []byte("the handle of alice"), Name: "@alice:example.org"}
)

func party(t *testing.T) *passkey.Party {
	t.Helper()
	p, err := passkey.New("https://example.org", "example.org")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// device is an authenticator with a passkey.
func device() *authenticator.Passkey { return authenticator.New("example.org", "https://example.org") }

func made(t *testing.T, p *passkey.Party, a *authenticator.Passkey) passkey.Key {
	t.Helper()
	options, err := p.Creation(alice, challenge)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := a.Make(options)
	if err != nil {
		t.Fatal(err)
	}
	key, err := p.Created(alice, challenge, answer)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func shown(t *testing.T, p *passkey.Party, owner *passkey.Owner, a *authenticator.Passkey) passkey.Answer {
	t.Helper()
	options, err := p.Request(owner, challenge)
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.Show(options)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := passkey.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestAddresses: browsers make passkeys for domains, and for the host itself.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{
		"https://example.org": true, "https://example.org:8448": true, "http://localhost:8008": true,
		"http://postern.localhost:8008": true, "https://xn--bcher-kva.example": true, "http://127.0.0.1:8008": false,
		"https://[2001:db8::1]:8448": false, "https://192.0.2.1": false, "https://matrix": false, "": false, "://": false,
	} {
		_, err := passkey.New(address, "example.org")
		if good != (err == nil) || err != nil && !errors.Is(err, passkey.ErrNoDomain) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestKept: a passkey that was made is good alone and after a password, and what is kept of it survives that.
func TestKept(t *testing.T) {
	t.Parallel()
	p := party(t)
	a := device()
	a.Syncs = true
	key := made(t, p, a)
	owner := alice
	owner.Keys = []passkey.Key{key}
	for _, alone := range []bool{true, false} {
		asked := &owner
		if alone {
			asked = nil
		}
		a.Synced = !a.Synced
		got, err := p.Shown(owner, alone, challenge, shown(t, p, asked, a))
		key.Count, key.Synced = a.Count, a.Synced
		if diff := cmp.Diff(key, got); err != nil || diff != "" {
			t.Errorf("alone %v: %v %s", alone, err, diff)
		}
		owner.Keys[0] = got
	}
}

// TestCounter: a counter that has risen before and does not now refuses the passkey; an authenticator without one, as
// those are that sync, is good. WebAuthn L3, section 6.1.1.
func TestCounter(t *testing.T) {
	t.Parallel()
	p := party(t)
	for _, test := range []struct {
		was, is uint32
		good    bool
	}{{0, 0, true}, {0, 1, true}, {1, 2, true}, {1, 1, false}, {2, 1, false}, {1, 0, false}, {1<<32 - 1, 0, false}} {
		a := device()
		a.Count, a.Stands = test.was, true
		owner := alice
		owner.Keys = []passkey.Key{made(t, p, a)}
		a.Count = test.is
		if _, err := p.Shown(owner, true, challenge, shown(t, p, nil, a)); test.good != (err == nil) ||
			err != nil && !errors.Is(err, passkey.ErrCopied) {
			t.Errorf("from %d to %d: %v", test.was, test.is, err)
		}
	}
}

// TestGarbage: whatever a browser sends is an answer or is not good.
func TestGarbage(t *testing.T) {
	t.Parallel()
	p := party(t)
	for _, answer := range []string{"", "{}", "null", "[]", `"x"`, `{"id":"","type":"public-key"}`, `{"id":"AA"}`,
		`{"id":"AA","rawId":"AA","type":"public-key","response":{}}`, strings.Repeat("[", 10_000),
		strings.Repeat(" ", passkey.MaxAnswer+1),
		`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}`} {
		if _, err := passkey.Read(answer); !errors.Is(err, passkey.ErrNotGood) {
			t.Errorf("reading %.40q: %v", answer, err)
		}
		if _, err := p.Created(alice, challenge, answer); !errors.Is(err, passkey.ErrNotGood) {
			t.Errorf("making %.40q: %v", answer, err)
		}
	}
}
