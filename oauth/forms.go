package oauth

import (
	"crypto/subtle"
	"encoding/base64"
)

// A form is ours if it brings what the browser's cookie has: another page can make a browser send a form here, and
// cannot read the cookie. Without that somebody could sign a person in to an account that is not theirs.

// formProof is what a form brings along; the browser keeps the same for as long as it is open.
func (v *visit) formProof() string {
	if kept, err := v.r.Cookie(v.cookieName(formCookie)); err == nil &&
		len(kept.Value) == base64.RawURLEncoding.EncodedLen(cookieBytes) {
		return kept.Value
	}
	proof, err := v.randomText()
	if err != nil {
		return "" // the form is refused then, and the person sends it again
	}
	v.setCookie(formCookie, proof, 0)
	return proof
}

// formIsOurs reads the form that was sent, and compares them.
func (v *visit) formIsOurs() bool {
	if v.r.ParseForm() != nil {
		return false
	}
	kept, err := v.r.Cookie(v.cookieName(formCookie))
	return err == nil && kept.Value != "" &&
		subtle.ConstantTimeCompare([]byte(kept.Value), []byte(v.typed("form"))) == 1
}
