package tokens

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Key is a root key, from which macaroons are minted and by which they verify. Its secret never prints:
// not through package fmt, not through log/slog, not as JSON. It would as a field that is not
// exported, because fmt can't call methods there; hold a [Keyring] instead.
type Key struct {
	ID     int64 // not negative; a newer key has a higher id
	Secret [32]byte
}

// NewKey makes a root key. Give it crypto/rand.Reader.
func NewKey(id int64, random io.Reader) (Key, error) {
	k := Key{ID: id}
	if _, err := io.ReadFull(random, k.Secret[:]); err != nil {
		return Key{}, fmt.Errorf("tokens: root key: %w", err)
	}
	if !k.valid() {
		return Key{}, errors.New("tokens: root key: id is negative or randomness broken")
	}
	return k, nil
}

// valid reports whether k is a key and not an unset variable, with which anyone could mint.
func (k Key) valid() bool { return k.ID >= 0 && k.Secret != [32]byte{} }

// String names the key and keeps its secret.
func (k Key) String() string { return fmt.Sprintf("root key %d", k.ID) }

// GoString is String.
func (k Key) GoString() string { return k.String() }

// Format prints String, whatever the verb: %x would otherwise print the secret.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue logs String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText fails, and so does marshalling to JSON: a key leaves the process wrapped or not at all.
func (k Key) MarshalText() ([]byte, error) { return nil, errSecret }

var errSecret = errors.New("tokens: a key is not for writing")

// Keyring is a set of root keys. It does not change, so it is safe for concurrent use; to rotate, make
// another one. The nil Keyring is empty.
type Keyring struct {
	// find holds the keys as a closure, the one place that package fmt can't look into. If it were a map,
	// a struct with a keyring in it and a mistaken verb would print them.
	find   func(id int64) (Key, bool)
	size   int
	newest int64
}

// NewKeyring makes a keyring of keys. Of two with the same id the latter counts; one whose secret is all
// zeros or whose id is negative is no key and left out.
func NewKeyring(keys ...Key) *Keyring {
	byID := make(map[int64]Key, len(keys))
	newest := int64(0)
	for _, k := range keys {
		if k.valid() {
			byID[k.ID] = k
			newest = max(newest, k.ID)
		}
	}
	find := func(id int64) (Key, bool) {
		k, ok := byID[id]
		return k, ok
	}
	return &Keyring{find, len(byID), newest}
}

// Newest returns the key with the highest id, with which to mint.
func (r *Keyring) Newest() (Key, bool) {
	if r == nil {
		return Key{}, false
	}
	return r.Key(r.newest)
}

// Key returns the key with that id.
func (r *Keyring) Key(id int64) (Key, bool) {
	if r == nil || r.find == nil {
		return Key{}, false
	}
	return r.find(id)
}

// String tells how many keys there are, and keeps them.
func (r *Keyring) String() string {
	if r == nil {
		return "no root keys"
	}
	return fmt.Sprintf("%d root keys", r.size)
}

// GoString is String.
func (r *Keyring) GoString() string { return r.String() }

// Format prints String, whatever the verb.
func (r *Keyring) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue logs String.
func (r *Keyring) LogValue() slog.Value { return slog.StringValue(r.String()) }
