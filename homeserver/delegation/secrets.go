package delegation

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ReadSecret reads the shared secret as Synapse reads its secret_path: without the white space around it. White space
// inside could not be sent in a header as it is.
func ReadSecret(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	switch {
	case secret == "":
		return "", fmt.Errorf("%s is empty; remove it, and `postern synapse setup --write` makes a new one", file)
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("the secret in %s must be printable ASCII without white space", file)
	}
	return secret, nil
}

// leastRegistrationSecret is how many bytes such a secret must have: whoever guesses it makes administrators.
const leastRegistrationSecret = 16

// ReadRegistrationSecret reads Synapse's registration_shared_secret as Synapse reads a file of
// registration_shared_secret_path: without the white space around it.
func ReadRegistrationSecret(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if len(secret) < leastRegistrationSecret {
		return "", fmt.Errorf("the secret in %s has fewer than %d bytes, so that it could be guessed", file,
			leastRegistrationSecret)
	}
	return secret, nil
}

// ReadPepper reads Synapse's pepper. A newline at the end is the editor's.
func ReadPepper(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	pepper := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if pepper == "" {
		return "", fmt.Errorf("%s is empty; leave the flag out if Synapse had no pepper", file)
	}
	return pepper, nil
}

// newSecret is 256 random bits in letters that a header can carry.
func newSecret() string {
	var bytes [32]byte
	_, _ = rand.Read(bytes[:]) // crypto/rand never fails
	return hex.EncodeToString(bytes[:])
}

// sameSecret refuses a file that an earlier setup has left, if it is not what Synapse's configuration has, should that
// have anything: with it Synapse would refuse Postern, or Postern everybody's password.
func sameSecret(file, found, configured string) error {
	if configured == "" || subtle.ConstantTimeCompare([]byte(found), []byte(configured)) == 1 {
		return nil
	}
	return fmt.Errorf("%s is there, and is not what stands in Synapse's configuration; nothing was changed; remove "+
		"it, and run this again", file)
}

// ownerFile is a file whose owner and group the secrets of both sides get: one that Synapse's user owns, or reads while
// strangers do not. That is the configuration, unless everybody may read it, as in Debian, where it is root's: then it
// is the signing key, or the database.
func (c *Config) ownerFile() string {
	files := c.Paths()
	// a relative path begins in Synapse's working folder, which the configuration does not name
	if key := c.text("signing_key_path"); filepath.IsAbs(key) {
		files = append(files, key)
	}
	for _, path := range files {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o004 == 0 {
			return path
		}
	}
	if d, err := c.Database(); err == nil && filepath.IsAbs(d.Args["database"]) {
		if _, err := os.Stat(d.Args["database"]); err == nil {
			return d.Args["database"]
		}
	}
	return c.Paths()[0]
}
