package oauth

import (
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// One-time codes by an app: RFC 6238 as every app knows it, six digits each thirty seconds.

const (
	codePeriod = 30 * time.Second

	// secretBytes are as many as RFC 4226, section 4, recommends: 160 bits.
	secretBytes = 20

	// codeDrift is how many periods the clock of a phone may be early or late.
	codeDrift = 1

	setUp     = "oauth one-time codes " // what a new secret is sealed as, until its owner has shown a code
	setUpLife = 15 * time.Minute
)

// newSecret is a secret that waits for its first code. It is good for the browser that it was shown in.
type newSecret struct{ Localpart, Browser, Secret string }

// factorID is what a secret is sealed under, as long as it is a factor.
func factorID(id string) string { return "factor " + id }

// stepAt is the time step of a time.
func stepAt(t time.Time) int64 { return t.Unix() / int64(codePeriod/time.Second) }

// stepOf finds the time step around now whose code this is, without telling by its time how much of it is right.
func stepOf(secret, typed string, now time.Time) (step int64, found bool) {
	plain := strings.ReplaceAll(typed, " ", "")
	for at := stepAt(now) - codeDrift; at <= stepAt(now)+codeDrift; at++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(at), hotp.ValidateOpts{Digits: otp.DigitsSix})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(plain)) == 1 {
			step, found = at, true
		}
	}
	return step, found
}

// takeOneTime takes a code of an account's app, once, or says what is wrong with it.
func (v *visit) takeOneTime(f db.Factor, typed string) (web.Wrong, error) {
	now := v.server.Now()
	switch err := v.server.DB.GuessCode(v.ctx, f.ID, now); {
	case errors.Is(err, db.ErrConflict):
		minutes := int((f.Blocked.Sub(now) + time.Minute - 1) / time.Minute)
		return web.Wrong{Text: "codesBlocked", Values: []any{max(minutes, 1)}}, nil
	case err != nil:
		return web.Wrong{}, err
	}
	secret, err := v.server.Master.Open(factorID(f.ID), time.Time{}, f.Sealed)
	if err != nil {
		return web.Wrong{}, err
	}
	step, found := stepOf(string(secret), typed, now)
	if !found {
		return web.Wrong{Text: "wrongSecond"}, nil
	}
	if err := v.server.DB.TakeCode(v.ctx, f.ID, step, now); errors.Is(err, db.ErrConflict) {
		return web.Wrong{Text: "codeUsed"}, nil
	} else if err != nil {
		return web.Wrong{}, err
	}
	return web.Wrong{}, nil
}

// oneTime finds the account's app; false if it has none.
func (v *visit) oneTime(account db.User) (f db.Factor, has bool, err error) {
	factors, err := v.server.DB.Factors(v.ctx, account.Localpart)
	f, has = oneTimeOf(factors)
	return f, has, err
}

func oneTimeOf(factors []db.Factor) (f db.Factor, has bool) {
	for _, f := range factors {
		if f.Kind == db.FactorCodes {
			return f, true
		}
	}
	return db.Factor{}, false
}

// codesPart fills the part of the account page about one-time codes.
func (e accountPages) codesPart(has owned, page *web.Account) error {
	f, set := oneTimeOf(has.factors)
	page.Codes = web.CodesPart{Action: part(actionCodes, e.next()), Has: set, Added: e.moment(f.Created),
		Used: e.moment(f.Used)}
	return nil
}

// codes sets one-time codes up, or removes them.
func (e accountPages) codes(account db.User) error {
	f, has, err := e.oneTime(account)
	switch {
	case err != nil:
		return err
	case e.did == "set up" && !has:
		if sure, err := e.sure(account, web.Prove{Text: "setUpCodes", Do: e.did}); !sure {
			return err
		}
		return e.newCodes(account, web.Wrong{})
	case e.did == "confirm" && !has:
		return e.confirmCodes(account)
	case e.did == "confirm":
		return e.codesThere()
	case e.did == "remove" && has:
		if sure, err := e.meant(account, web.Prove{Text: "removeCodes", Means: "removeCodesMean", Do: e.did}); !sure {
			return err
		}
		return e.removeFactor(account, f.ID, web.Done{Text: "codesRemoved", Then: "backToAccount"})
	}
	return e.overview(account)
}

// removeFactor removes a second factor. The browser stays signed in: its owner has shown the factor a moment ago.
func (e accountPages) removeFactor(account db.User, id string, done web.Done) error {
	err := e.server.DB.RemoveFactor(e.ctx, account.Localpart, id)
	if err != nil && !errors.Is(err, db.ErrNotFound) { // gone already
		return err
	}
	done.Back = handlers.AccountPath
	return e.render(http.StatusOK, done)
}

// codesThere answers a form that was sent twice: its first answer, with the recovery codes, may be lost.
func (e accountPages) codesThere() error {
	return e.render(http.StatusOK, web.Done{Text: "codesThere", Then: "codesThereThen", Back: handlers.AccountPath})
}

// newCodes shows a new secret.
func (e accountPages) newCodes(account db.User, wrong web.Wrong) error {
	var random [secretBytes]byte
	if _, err := io.ReadFull(e.server.Random, random[:]); err != nil {
		return err
	}
	secret := base32.StdEncoding.EncodeToString(random[:])
	sealed, _, err := e.seal(setUp, e.server.Now().Add(setUpLife), newSecret{account.Localpart, e.browser.ID, secret})
	if err != nil {
		return err
	}
	return e.setUpPage(account, secret, sealed, wrong)
}

func (e accountPages) setUpPage(account db.User, secret, sealed string, wrong web.Wrong) error {
	address := keyAddress(e.server.ServerName, account.Localpart, secret)
	picture, err := web.NewQR(address)
	if err != nil {
		return err
	}
	return e.render(status(wrong), web.SetUpCodes{UserID: e.userID(account), QR: picture, URL: address, Secret: secret,
		Sealed: sealed, Action: part(actionCodes, e.next()), Deed: e.deed(account, wrong, false)})
}

// keyAddress is how an app is told of a secret, by the key URI format that all of them know. A colon ends the issuer
// there, so it has no port.
func keyAddress(server, name, secret string) string {
	issuer, _, _ := strings.Cut(server, ":")
	q := url.Values{"secret": {secret}, "issuer": {issuer}}
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + name, RawQuery: q.Encode()}
	return u.String()
}

// confirmCodes adds one-time codes once somebody has typed the first one: so their app has the secret.
func (e accountPages) confirmCodes(account db.User) error {
	var s newSecret
	_, expires, ok := e.open(setUp, e.typed("secret"), &s)
	if !ok || s.Localpart != account.Localpart || s.Browser != e.browser.ID || !e.server.Now().Before(expires) {
		if sure, err := e.sure(account, web.Prove{Text: "setUpCodes", Do: "set up"}); !sure {
			return err
		}
		return e.newCodes(account, web.Wrong{Text: "setUpLate"})
	}
	step, found := stepOf(s.Secret, e.typed("code"), e.server.Now())
	if !found {
		return e.setUpPage(account, s.Secret, e.typed("secret"), web.Wrong{Text: "wrongFirstCode"})
	}
	id, err := e.randomText()
	if err != nil {
		return err
	}
	sealed, err := e.server.Master.Seal(e.server.Random, factorID(id), time.Time{}, []byte(s.Secret))
	if err != nil {
		return err
	}
	err = e.addFactor(account, db.Factor{ID: id, Localpart: account.Localpart, Kind: db.FactorCodes, Sealed: sealed,
		Created: e.server.Now(), Step: step}, web.Done{Text: "codesAdded", Then: "backToAccount"})
	if !errors.Is(err, db.ErrConflict) {
		return err
	}
	switch _, has, err := e.oneTime(account); {
	case err != nil:
		return err
	case has: // sent twice at once
		return e.codesThere()
	}
	return e.render(http.StatusForbidden, web.Done{Text: "passkeysFull", Then: "backToAccount",
		Back: handlers.AccountPath})
}
