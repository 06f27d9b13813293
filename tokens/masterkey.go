package tokens

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// MasterKey wraps root keys, so that they may lie in a database and the database may be stolen. It lives
// outside of that: in a file or in the environment. It never prints, see [Key]; to write it to
// its file, ask for its [MasterKey.Text].
type MasterKey [32]byte

const (
	// wrapVersion is the first byte of a wrapped key: AES-256-GCM with the additional data below.
	wrapVersion = 0x01

	// wrapLabel begins the additional data. It keeps what else the master key may come to encrypt
	// from being taken for a root key.
	wrapLabel = "postern root key"
)

// NewMasterKey makes a master key. Give it crypto/rand.Reader.
func NewMasterKey(random io.Reader) (MasterKey, error) {
	var mk MasterKey
	if _, err := io.ReadFull(random, mk[:]); err != nil {
		return MasterKey{}, fmt.Errorf("tokens: master key: %w", err)
	}
	if mk == (MasterKey{}) {
		return MasterKey{}, errors.New("tokens: master key: randomness broken")
	}
	return mk, nil
}

// ParseMasterKey reads the form that [MasterKey.Text] writes. White space around it is no matter: key
// files end in a line break.
func ParseMasterKey(text string) (MasterKey, error) {
	text = strings.TrimSpace(text)
	if want := base64.RawURLEncoding.EncodedLen(len(MasterKey{})); len(text) != want {
		return MasterKey{}, fmt.Errorf("tokens: master key has %d characters, not %d", len(text), want)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != len(MasterKey{}) { // a skipped line break makes it shorter
		return MasterKey{}, errors.New("tokens: master key is not base64url without padding")
	}
	mk := MasterKey(raw)
	if mk == (MasterKey{}) {
		return MasterKey{}, errors.New("tokens: master key is all zeros")
	}
	return mk, nil
}

// Text writes the secret: base64url without padding, 43 characters. It is for the key file alone.
func (mk MasterKey) Text() string { return base64.RawURLEncoding.EncodeToString(mk[:]) }

// Wrap encrypts a root key, bound to its id. The result is a version byte, a nonce, the ciphertext and
// its tag.
func (mk MasterKey) Wrap(random io.Reader, k Key) ([]byte, error) {
	if !k.valid() || mk == (MasterKey{}) {
		return nil, errors.New("tokens: wrap: key is empty")
	}
	aead, err := mk.aead()
	if err != nil {
		return nil, err // unreachable: the key has 32 bytes
	}
	wrapped := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(k.Secret)+aead.Overhead())
	wrapped[0] = wrapVersion
	// A random nonce of 96 bits is safe for 2^32 keys (NIST SP 800-38D, section 8.3).
	if _, err := io.ReadFull(random, wrapped[1:]); err != nil {
		return nil, fmt.Errorf("tokens: wrap: %w", err)
	}
	return aead.Seal(wrapped, wrapped[1:], k.Secret[:], wrapData(k.ID)), nil
}

// Unwrap decrypts the root key with that id, or fails with [ErrMasterKey].
func (mk MasterKey) Unwrap(id int64, wrapped []byte) (Key, error) {
	aead, err := mk.aead()
	if err != nil {
		return Key{}, err // unreachable: the key has 32 bytes
	}
	if len(wrapped) < 1+aead.NonceSize() || wrapped[0] != wrapVersion {
		return Key{}, fmt.Errorf("%w: root key %d is not in a known format", ErrMasterKey, id)
	}
	nonce, sealed := wrapped[1:1+aead.NonceSize()], wrapped[1+aead.NonceSize():]
	secret, err := aead.Open(nil, nonce, sealed, wrapData(id))
	if err != nil || len(secret) != len(Key{}.Secret) {
		return Key{}, fmt.Errorf("%w: root key %d", ErrMasterKey, id)
	}
	k := Key{id, [32]byte(secret)}
	if !k.valid() {
		return Key{}, fmt.Errorf("%w: root key %d is empty", ErrMasterKey, id)
	}
	return k, nil
}

// aead returns AES-256-GCM under the master key.
func (mk MasterKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(mk[:])
	if err != nil {
		return nil, fmt.Errorf("tokens: master key: %w", err)
	}
	return cipher.NewGCM(block)
}

// wrapData returns the additional data that binds a wrapped key to its format and id, so that who can
// write to the database can't pass an old key off as a new one.
func wrapData(id int64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(wrapLabel), wrapVersion), uint64(id))
}

// String keeps the secret.
func (mk MasterKey) String() string { return "master key" }

// GoString is String.
func (mk MasterKey) GoString() string { return mk.String() }

// Format prints String, whatever the verb: %x would otherwise print the secret.
func (mk MasterKey) Format(f fmt.State, _ rune) { io.WriteString(f, mk.String()) }

// LogValue logs String.
func (mk MasterKey) LogValue() slog.Value { return slog.StringValue(mk.String()) }

// MarshalText fails, and so does marshalling to JSON; Text is the one way out.
func (mk MasterKey) MarshalText() ([]byte, error) { return nil, errSecret }
