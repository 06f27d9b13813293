package oauth

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/oauth/passkey"
	"postern/web"
)

// A passkey lets its owner in alone, or after the password. What the browser was asked for is kept nowhere: the form
// carries it, sealed like a code, for the browser that it was shown in. The challenge is the id of that, which is
// remembered once a passkey has answered it.

// What somebody is asked for. Each is sealed as a kind of its own.
const (
	showAlone  = "oauth passkey alone "  // any passkey, which has to verify who shows it
	showSecond = "oauth passkey second " // one of the account whose password was shown
	makeKey    = "oauth passkey new "    // a new one of the account that is signed in

	ceremonyLife = 5 * time.Minute
)

// ceremony is what a form asks for, and what it carries. The form is the one of the browser.
func (v *visit) ceremony(kind, form string, about code, options func(challenge []byte) (string, error)) (web.Ceremony,
	error) {
	state, about, err := v.sealCode(kind+form, ceremonyLife, about)
	if err != nil {
		return web.Ceremony{}, err
	}
	text, err := options(about.id[:])
	return web.Ceremony{Options: text, State: state, Form: form}, err
}

// asked is what the form that was sent had asked for; false if that was too long ago, or in another browser.
func (v *visit) asked(kind string) (code, bool) {
	c, ok := v.openCode(kind+v.typed("form"), v.typed("state"))
	return c, ok && v.party != nil && v.server.Now().Before(c.expires)
}

// askAlone asks for a passkey that lets its owner in without a password. Where there can be none it asks for nothing.
func (v *visit) askAlone(form string) (web.Ceremony, error) {
	if v.party == nil {
		return web.Ceremony{}, nil
	}
	return v.ceremony(showAlone, form, code{}, func(challenge []byte) (string, error) {
		return v.party.Request(nil, challenge)
	})
}

// askSecond asks for one of an account's passkeys after its password was shown. Of an account that has none it asks for
// nothing.
func (v *visit) askSecond(account db.User, factors []db.Factor, form string) (web.Ceremony, error) {
	owner, err := v.owner(account, factors)
	if err != nil || v.party == nil || len(owner.Keys) == 0 {
		return web.Ceremony{}, err
	}
	c, err := v.ceremony(showSecond, form, code{}.agreed(account), func(challenge []byte) (string, error) {
		return v.party.Request(&owner, challenge)
	})
	c.Main = true
	return c, err
}

// owner is an account as authenticators know it, with those of the factors that are passkeys.
func (v *visit) owner(account db.User, factors []db.Factor) (passkey.Owner, error) {
	// A mark tells nobody whose it is, whatever names they try. WebAuthn L3, section 14.6.1.
	mark, err := v.server.Master.Mark("passkey handle of " + v.userID(account))
	if err != nil {
		return passkey.Owner{}, err
	}
	handle, err := hex.DecodeString(mark)
	owner := passkey.Owner{Handle: handle, Name: v.userID(account)}
	for _, f := range factors {
		if f.Kind != db.FactorPasskey {
			continue
		}
		if key, ok := v.unsealKey(f); ok {
			owner.Keys = append(owner.Keys, key)
		}
	}
	return owner, err
}

// keyID is what an account's passkey is sealed under: in the row of another account it does not open.
func keyID(id, localpart string) string { return factorID(id) + " of " + localpart }

func (v *visit) sealKey(key passkey.Key, localpart string) ([]byte, error) {
	plain, err := json.Marshal(key)
	if err != nil {
		return nil, err // unreachable: strings, numbers and booleans
	}
	return v.server.Master.Seal(v.server.Random, keyID(key.Text(), localpart), time.Time{}, plain)
}

// unsealKey reads a passkey. One that cannot be opened counts as absent: its owner has another way in, or an operator.
func (v *visit) unsealKey(f db.Factor) (key passkey.Key, ok bool) {
	plain, err := v.server.Master.Open(keyID(f.ID, f.Localpart), time.Time{}, f.Sealed)
	if err == nil {
		err = json.Unmarshal(plain, &key)
	}
	if err != nil {
		v.server.Log.Warn("a passkey cannot be opened and counts as absent; is the master key the one that it was "+
			"added with?", "user", f.Localpart, "error", err)
	}
	return key, err == nil
}

// showPasskey takes the passkey that somebody shows, alone or after the password.
func (v *visit) showPasskey() error {
	if c, ok := v.asked(showAlone); ok {
		account, err := v.takePasskey(c, nil)
		return v.passkeyShown(account, err, v.signInPage)
	}
	c, ok := v.asked(showSecond)
	half, err := v.halfOf(c, ok)
	switch {
	case err != nil:
		return err
	case half == nil:
		return v.signInPage(web.Wrong{Text: "passkeyLate"})
	}
	account, err := v.takePasskey(c, half)
	return v.passkeyShown(account, err, func(wrong web.Wrong) error { return v.secondPage(*half, wrong) })
}

// passkeyShown goes on with somebody who has shown a passkey, or shows the page again and says what was wrong.
func (v *visit) passkeyShown(account db.User, err error, again func(web.Wrong) error) error {
	switch {
	case err == nil && !account.Deactivated.IsZero():
		return again(web.Wrong{Text: "deactivated"})
	case err == nil:
		return v.signedIn(account, nil)
	case errors.Is(err, db.ErrTokenSpent), errors.Is(err, db.ErrConflict):
		return again(web.Wrong{Text: "passkeyLate"})
	}
	wrong, err := wrongOr(err, web.Wrong{Text: "passkeyWrong"})
	if err != nil {
		return err
	}
	return again(wrong)
}

// takePasskey finds the account whose passkey is shown, and takes the passkey. Half is the one whose password was
// shown; nil: nobody's. It counts as a login.
func (v *visit) takePasskey(c code, half *db.User) (db.User, error) {
	if err := v.server.CountGuess(v.ctx, ""); err != nil { // nobody guesses a passkey
		return db.User{}, err
	}
	account, err := v.judgePasskey(c, half)
	if errors.Is(err, passkey.ErrNotGood) {
		// Not which of them there are: all that is wrong looks alike.
		err = &handlers.Error{Status: http.StatusForbidden, Code: "M_FORBIDDEN",
			Message: db.Clip(handlers.Printable(err.Error()), maxWhy), Cause: err}
	}
	return account, v.server.NoteLogin(v.ctx, account.Localpart, err)
}

// maxWhy bounds what the log says of a passkey that is not good, of which some comes from the browser.
const maxWhy = 300

func (v *visit) judgePasskey(c code, half *db.User) (db.User, error) {
	answer, err := passkey.Read(v.typed("answer"))
	if err != nil {
		return db.User{}, err
	}
	f, err := v.server.DB.Factor(v.ctx, answer.ID)
	switch {
	case errors.Is(err, db.ErrNotFound), err == nil && f.Kind != db.FactorPasskey:
		return db.User{}, fmt.Errorf("%w: nobody has it", passkey.ErrNotGood)
	case err != nil:
		return db.User{}, err
	case half != nil && half.Localpart != f.Localpart:
		return *half, fmt.Errorf("%w: it is another account's", passkey.ErrNotGood)
	}
	account, err := v.server.DB.User(v.ctx, f.Localpart)
	if err != nil {
		return db.User{}, err
	}
	owner, err := v.owner(account, []db.Factor{f})
	if err != nil {
		return account, err
	}
	key, err := v.party.Shown(owner, half == nil, c.id[:], answer)
	if errors.Is(err, passkey.ErrCopied) {
		err = errors.Join(err, v.server.DB.Record(v.ctx, db.Event{Kind: db.EventPasskeyCopied, Localpart: f.Localpart}))
	}
	if err != nil {
		return account, err
	}
	return account, v.keepShown(c, f, key)
}

// keepShown keeps a passkey as it is after it was shown, and spends what it has answered.
func (v *visit) keepShown(c code, f db.Factor, key passkey.Key) error {
	sealed, err := v.sealKey(key, f.Localpart)
	if err != nil {
		return err
	}
	return v.server.DB.TakePasskey(v.ctx, db.ShownPasskey{Factor: f, Sealed: sealed, At: v.server.Now(),
		Challenge: c.spent(), Ends: c.expires})
}
