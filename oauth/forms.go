package oauth

import (
	"crypto/subtle"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
)

// A form is ours if it brings what the browser's cookie has: another page can make a browser send a form here, and
// cannot read the cookie. Without that somebody could sign a person in to an account that is not theirs.

const formBytes = 18

// formCookie is the cookie's name. With the prefix no other host below the same domain can set it, which browsers grant
// over https alone. RFC 6265bis, section 4.1.3.2.
func (a *API) formCookie() string {
	if strings.HasPrefix(a.base, "https://") {
		return "__Host-postern-form"
	}
	return "postern-form"
}

// formProof is what a form brings along; the browser keeps the same for as long as it is open.
func (v *visit) formProof() string {
	if kept, err := v.r.Cookie(v.formCookie()); err == nil &&
		len(kept.Value) == base64.RawURLEncoding.EncodedLen(formBytes) {
		return kept.Value
	}
	var random [formBytes]byte
	if _, err := io.ReadFull(v.server.Random, random[:]); err != nil {
		return "" // the form is refused then, and the person sends it again
	}
	proof := base64.RawURLEncoding.EncodeToString(random[:])
	http.SetCookie(v.w, &http.Cookie{Name: v.formCookie(), Value: proof, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(v.base, "https://")})
	return proof
}

// formIsOurs compares them.
func (v *visit) formIsOurs() bool {
	kept, err := v.r.Cookie(v.formCookie())
	return err == nil && kept.Value != "" &&
		subtle.ConstantTimeCompare([]byte(kept.Value), []byte(v.typed("form"))) == 1
}
