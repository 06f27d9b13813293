package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
)

// A browser in which somebody has signed in is a row, so that its owner can see it and end it, and so that a new
// password ends it. What its cookie holds is nowhere stored, but a hash of it.

// browserLife is how long a browser stays signed in.
const browserLife = 14 * 24 * time.Hour

const cookieBytes = 24

// cookieName is the name of a cookie. With the prefix no other host below the same domain can set it, which browsers
// grant over https alone. RFC 6265bis, section 4.1.3.2.
func (a *API) cookieName(name string) string {
	if a.secure() {
		return "__Host-" + name
	}
	return name
}

func (a *API) secure() bool { return strings.HasPrefix(a.base, "https://") }

const (
	browserCookie = "postern-browser"
	formCookie    = "postern-form"
)

// setCookie sets a cookie for as long as the browser is open or, with a life, for that long.
func (v *visit) setCookie(name, text string, life time.Duration) {
	http.SetCookie(v.w, &http.Cookie{Name: v.cookieName(name), Value: text, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: v.secure(), MaxAge: int(life.Seconds())})
}

// randomText is what a cookie holds.
func (v *visit) randomText() (string, error) {
	var random [cookieBytes]byte
	_, err := io.ReadFull(v.server.Random, random[:])
	return base64.RawURLEncoding.EncodeToString(random[:]), err
}

func browserID(cookie string) string {
	sum := sha256.Sum256([]byte("browser " + cookie))
	return hex.EncodeToString(sum[:])
}

// recognise finds out who is signed in. An account that is locked or deactivated is not.
func (v *visit) recognise() error {
	cookie, err := v.r.Cookie(v.cookieName(browserCookie))
	if err != nil {
		return nil
	}
	browser, err := v.server.DB.Browser(v.ctx, browserID(cookie.Value))
	if errors.Is(err, db.ErrNotFound) || err == nil && !v.server.Now().Before(browser.Expires) {
		return nil
	}
	if err != nil {
		return err
	}
	account, err := v.server.DB.User(v.ctx, browser.Localpart)
	if err != nil || !account.Locked.IsZero() || !account.Deactivated.IsZero() {
		return err
	}
	v.account, v.browser = &account, browser
	return nil
}

// keep signs the browser in, to an account whose second factor, if it is said to have one, was shown. Its cookie is a
// new one each time: one that somebody else has put there is worth nothing. Again says that nobody has just signed in:
// the browser was, and gets another cookie.
func (v *visit) keep(account db.User, again bool) error {
	secret, err := v.randomText()
	if err != nil {
		return err
	}
	if v.browser.ID != "" {
		if err := v.endBrowser(); err != nil {
			return err
		}
	}
	who := handlers.CallerOf(v.ctx)
	var letIn []string
	if v.browser.Localpart == account.Localpart {
		letIn = v.browser.LetIn
	}
	v.browser = db.Browser{ID: browserID(secret), Localpart: account.Localpart, Since: who.Seen(), Proved: who.Now,
		Expires: who.Now.Add(browserLife), LetIn: letIn, Again: again}
	if err := v.server.DB.AddBrowser(v.ctx, v.browser, account.PasswordHash, account.SecondFactor); err != nil {
		return err
	}
	v.setCookie(browserCookie, secret, browserLife)
	return nil
}

// endBrowser ends the row of the browser.
func (v *visit) endBrowser() error {
	err := v.server.DB.EndBrowser(v.ctx, v.browser.Localpart, v.browser.ID)
	if errors.Is(err, db.ErrNotFound) {
		return nil // it has ended meanwhile
	}
	return err
}

// signOut ends the browser's row, and shows the page again.
func (v *visit) signOut() error {
	if v.account != nil {
		if err := v.endBrowser(); err != nil {
			return err
		}
	}
	v.setCookie(browserCookie, "", -time.Second)
	return v.again()
}

// proofLife is how long a password that was typed counts for what cannot be taken back.
const proofLife = 5 * time.Minute

// proven reports whether the account's owner has shown the password in this browser a moment ago.
func (v *visit) proven() bool { return v.server.Now().Sub(v.browser.Proved) < proofLife }
