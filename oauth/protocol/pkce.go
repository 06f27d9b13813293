package protocol

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// Challenge is a PKCE code challenge by the method S256: 43 characters. RFC 7636, section 4.2. The method `plain` is
// not served: whoever reads the authorization request could redeem the code.
type Challenge string

const challengeLength = 43

// unreserved is the alphabet of verifiers, and of base64url with two characters more. RFC 7636, section 4.1.
const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// well reports whether the challenge can be the SHA-256 of something.
func (c Challenge) well() bool {
	digest, err := base64.RawURLEncoding.Strict().DecodeString(string(c))
	return err == nil && len(c) == challengeLength && len(digest) == sha256.Size
}

// Fits reports whether a verifier of 43 to 128 unreserved characters is the one that the challenge was made from.
func (c Challenge) Fits(verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, unreserved) != "" {
		return false
	}
	digest := sha256.Sum256([]byte(verifier))
	made := base64.RawURLEncoding.EncodeToString(digest[:])
	return subtle.ConstantTimeCompare([]byte(made), []byte(c)) == 1
}
