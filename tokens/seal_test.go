package tokens_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"postern/tokens"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	mk, until, plain := masterKey(t), now(), []byte(`{"password":"correct horse"}`)
	sealed, err := mk.Seal(random(), "id", until, plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := mk.Open("id", until.Add(time.Millisecond-1), sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("Open = %q, %v", got, err)
	}
	if bytes.Contains(sealed, []byte("horse")) {
		t.Error("the secret shows")
	}
	other := mk
	other[31] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another id":         func() ([]byte, error) { return mk.Open("di", until, sealed) },
		"no id":              func() ([]byte, error) { return mk.Open("", until, sealed) },
		"a longer life":      func() ([]byte, error) { return mk.Open("id", until.Add(time.Millisecond), sealed) },
		"another master key": func() ([]byte, error) { return other.Open("id", until, sealed) },
		"one byte more":      func() ([]byte, error) { return mk.Open("id", until, append(bytes.Clone(sealed), 0)) },
	} {
		if got, err := open(); got != nil {
			t.Errorf("%s opens", name)
		} else {
			wantErr(t, err, tokens.ErrSealed)
		}
	}
	for i := range len(sealed) * 8 {
		altered := bytes.Clone(sealed)
		altered[i/8] ^= 1 << (i % 8)
		_, err := mk.Open("id", until, altered)
		wantErr(t, err, tokens.ErrSealed)
	}
	for i := range sealed {
		_, err := mk.Open("id", until, sealed[:i])
		wantErr(t, err, tokens.ErrSealed)
	}
}

// TestSealStands: replicas of two releases read each other's. The bytes were computed with Python's hmac, hashlib and
// cryptography.
func TestSealStands(t *testing.T) {
	t.Parallel()
	const want = "016162636465666768696a6b6cb9ecf3c1743ec64035dcec5e23dc888103c30b22fc"
	sealed, err := masterKey(t).Seal(strings.NewReader("abcdefghijkl"), "id", now(), []byte("plain"))
	if got := hex.EncodeToString(sealed); err != nil || got != want {
		t.Errorf("sealed is\n%s, want\n%s (%v)", got, want, err)
	}
}

// TestSealIsNoWrap: a root key does not open as something sealed, nor the other way round.
func TestSealIsNoWrap(t *testing.T) {
	t.Parallel()
	mk, key := masterKey(t), rootKey(5)
	wrapped, err := mk.Wrap(random(), key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = mk.Open("5", time.UnixMilli(5), wrapped)
	wantErr(t, err, tokens.ErrSealed)
	sealed, err := mk.Seal(random(), "5", time.UnixMilli(5), key.Secret[:])
	if err != nil {
		t.Fatal(err)
	}
	_, err = mk.Unwrap(5, sealed)
	wantErr(t, err, tokens.ErrMasterKey)
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	if _, err := (tokens.MasterKey{}).Seal(random(), "id", now(), nil); err == nil {
		t.Error("seals with an unset master key")
	}
	if _, err := (tokens.MasterKey{}).Open("id", now(), make([]byte, 99)); err == nil {
		t.Error("opens with an unset master key")
	}
	if _, err := masterKey(t).Seal(strings.NewReader("short"), "id", now(), nil); err == nil {
		t.Error("seals without a nonce")
	}
}
