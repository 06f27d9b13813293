package tokens_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"

	"postern/tokens"
)

// random is a source of bytes that are not random.
func random() io.Reader {
	return strings.NewReader("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

func masterKey(t *testing.T) tokens.MasterKey {
	t.Helper()
	mk, err := tokens.NewMasterKey(random())
	if err != nil {
		t.Fatal(err)
	}
	return mk
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	if _, ok := tokens.NewKeyring().Newest(); ok {
		t.Error("an empty keyring has a newest key")
	}
	if _, ok := (*tokens.Keyring)(nil).Newest(); ok {
		t.Error("a nil keyring has a newest key")
	}
	replaced := rootKey(9)
	replaced.ID = 3
	negative := rootKey(7)
	negative.ID = -1
	ring := tokens.NewKeyring(replaced, rootKey(1), rootKey(3), rootKey(2), negative, tokens.Key{ID: 8})
	if k, ok := ring.Newest(); !ok || k != rootKey(3) {
		t.Errorf("newest key is %d, %v", k.ID, ok)
	}
	for id, want := range map[int64]bool{-1: false, 0: false, 1: true, 2: true, 3: true, 4: false, 8: false} {
		if k, ok := ring.Key(id); ok != want || ok && k.ID != id {
			t.Errorf("key %d is %d, %v", id, k.ID, ok)
		}
	}
	zero := tokens.NewKeyring(tokens.Key{ID: 0, Secret: [32]byte{1}})
	if k, ok := zero.Newest(); !ok || k.ID != 0 {
		t.Errorf("key 0 is lost")
	}
}

func TestNewKey(t *testing.T) {
	t.Parallel()
	k, err := tokens.NewKey(4, random())
	if err != nil || k.ID != 4 || string(k.Secret[:]) != "0123456789abcdefghijklmnopqrstuv" {
		t.Errorf("NewKey = %v, %v", k, err)
	}
	for name, tc := range map[string]struct {
		id     int64
		random io.Reader
	}{
		"negative id":     {-1, random()},
		"short read":      {4, strings.NewReader("0123456789")},
		"broken reader":   {4, iotest.ErrReader(errors.New("broken"))},
		"only zeros read": {4, bytes.NewReader(make([]byte, 99))},
	} {
		if k, err := tokens.NewKey(tc.id, tc.random); err == nil || k != (tokens.Key{}) {
			t.Errorf("%s: NewKey = %v, %v", name, k, err)
		}
		if _, err := tokens.NewMasterKey(tc.random); err == nil && tc.id >= 0 {
			t.Errorf("%s: NewMasterKey succeeds", name)
		}
	}
}

func TestMasterKeyText(t *testing.T) {
	t.Parallel()
	mk := masterKey(t)
	text := mk.Text()
	for _, s := range []string{text, text + "\n", "\t " + text + " \r\n"} {
		if got, err := tokens.ParseMasterKey(s); err != nil || got != mk {
			t.Errorf("ParseMasterKey(%q): %v", s, err)
		}
	}
	last := len(text) - 1
	for name, s := range map[string]string{
		"nothing":         "",
		"white space":     " \n",
		"short":           text[1:],
		"long":            text + "A",
		"padded":          text + "=",
		"hexadecimal":     hex.EncodeToString(mk[:]),
		"not base64":      "!" + text[1:],
		"standard base64": "+/" + text[2:],
		"line break":      text[:20] + "\n" + text[21:],
		"loose last bits": text[:last] + string(text[last]+1),
		"zeros":           base64.RawURLEncoding.EncodeToString(make([]byte, 32)),
	} {
		got, err := tokens.ParseMasterKey(s)
		if err == nil || got != (tokens.MasterKey{}) {
			t.Errorf("%s: ParseMasterKey succeeds", name)
			continue
		}
		if strings.Contains(err.Error(), text[5:15]) {
			t.Errorf("%s: error shows the key: %v", name, err)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	mk, key := masterKey(t), rootKey(5)
	wrapped, err := mk.Wrap(random(), key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := mk.Unwrap(5, wrapped); err != nil || got != key {
		t.Errorf("Unwrap = %v, %v", got, err)
	}
	if bytes.Contains(wrapped, key.Secret[:4]) {
		t.Error("the secret shows")
	}
	_, err = mk.Unwrap(6, wrapped)
	wantErr(t, err, tokens.ErrMasterKey)

	other := mk
	other[0] ^= 1
	_, err = other.Unwrap(5, wrapped)
	wantErr(t, err, tokens.ErrMasterKey)

	for i := range len(wrapped) * 8 {
		wrapped[i/8] ^= 1 << (i % 8)
		_, err := mk.Unwrap(5, wrapped)
		wantErr(t, err, tokens.ErrMasterKey)
		wrapped[i/8] ^= 1 << (i % 8)
	}
	for i := range wrapped {
		_, err := mk.Unwrap(5, wrapped[:i])
		wantErr(t, err, tokens.ErrMasterKey)
	}
	_, err = mk.Unwrap(5, append(wrapped, 0))
	wantErr(t, err, tokens.ErrMasterKey)
}

func TestWrapRefuses(t *testing.T) {
	t.Parallel()
	mk := masterKey(t)
	if _, err := mk.Wrap(random(), tokens.Key{ID: 5}); err == nil {
		t.Error("wraps an unset key")
	}
	if _, err := (tokens.MasterKey{}).Wrap(random(), rootKey(5)); err == nil {
		t.Error("wraps with an unset master key")
	}
	if _, err := mk.Wrap(strings.NewReader("short"), rootKey(5)); err == nil {
		t.Error("wraps without a nonce")
	}
}

// TestSecretsDoNotPrint prints keys in every way that a log line or a panic might.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	key, mk := rootKey('K'), masterKey(t)
	secrets := [][]byte{key.Secret[:], mk[:]}
	for _, v := range []any{
		key, &key, mk, &mk, []tokens.Key{key}, map[string]tokens.MasterKey{"": mk}, tokens.NewKeyring(key),
		struct {
			Key    tokens.Key
			Master tokens.MasterKey
		}{key, mk},
		struct{ ring *tokens.Keyring }{tokens.NewKeyring(key)},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%c", "%U", "%o",
			"%b", "%T", "%z"} {
			refuseSecrets(t, verb, fmt.Sprintf(verb, v), secrets)
		}
		refuseSecrets(t, "Sprint", fmt.Sprint(v), secrets)
		var text, object bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&object, nil)).Info("x", "v", v)
		refuseSecrets(t, "slog text", text.String(), secrets)
		refuseSecrets(t, "slog JSON", object.String(), secrets)
		if data, err := json.Marshal(v); err == nil {
			refuseSecrets(t, "JSON", string(data), secrets)
		}
	}
	for _, s := range []string{
		key.String(), key.GoString(), mk.String(), mk.GoString(),
		tokens.NewKeyring(key).String(), tokens.NewKeyring(key).GoString(), (*tokens.Keyring)(nil).String(),
		key.LogValue().String(), mk.LogValue().String(), tokens.NewKeyring(key).LogValue().String(),
	} {
		refuseSecrets(t, "method", s, secrets)
	}
}

// TestTokenDoesNotPrint: a decoded token can't be put together again from a log.
func TestTokenDoesNotPrint(t *testing.T) {
	t.Parallel()
	text := mint(t, accessClaims())
	token, err := tokens.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	secrets := [][]byte{unmarshal(t, text).Signature()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		refuseSecrets(t, verb, fmt.Sprintf(verb, token), secrets)
		refuseSecrets(t, verb, fmt.Sprintf(verb, authenticate(t, text)), secrets)
	}
	const want = `token for "example.org": root key 2, session "s1", generation 7`
	if got := fmt.Sprint(token); got != want {
		t.Errorf("token prints %s", got)
	}
}

// refuseSecrets fails the test if s shows four bytes in a row of a secret, in any of the usual ways.
func refuseSecrets(t *testing.T, how, s string, secrets [][]byte) {
	t.Helper()
	for _, secret := range secrets {
		b := secret[4:8]
		for _, form := range []string{
			string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), fmt.Sprintf("% x", b),
			strings.Trim(fmt.Sprint(b), "[]"), fmt.Sprintf("%d, %d, %d", b[0], b[1], b[2]),
			fmt.Sprintf("%d,%d,%d", b[0], b[1], b[2]), fmt.Sprintf("%#x, %#x", b[0], b[1]),
			strings.Trim(fmt.Sprintf("%o", b), "[]"), strings.Trim(fmt.Sprintf("%b", b), "[]"),
			base64.RawURLEncoding.EncodeToString(secret[3:9]), base64.StdEncoding.EncodeToString(secret[3:9]),
			strings.Trim(fmt.Sprintf("%c", b), "[]"), strings.Trim(fmt.Sprintf("%U", b), "[]"),
		} {
			if strings.Contains(s, form) {
				t.Errorf("%s shows a secret: %s", how, s)
				return
			}
		}
	}
}
