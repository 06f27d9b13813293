package oauth

import (
	"errors"
	"time"

	"postern/db"
	"postern/web"
)

// An account with a second factor is signed in to in two steps. Between them nothing is kept: the page of the second
// step carries a half, which is sealed like a code and says whose password was shown. It is good in the browser that
// has shown it, and a new password is its end.

const (
	half     = "oauth half "
	halfLife = 5 * time.Minute
)

// secondPage asks for the second factor of an account whose password was just shown.
func (v *visit) secondPage(account db.User, wrong web.Wrong) error {
	text, _, err := v.sealCode(half+v.formProof(), halfLife, code{}.agreed(account))
	if err != nil {
		return err
	}
	return v.secondAgain(account, text, wrong)
}

// secondAgain shows the page with a half. After a wrong code it is the old one: its time does not begin anew.
func (v *visit) secondAgain(account db.User, text string, wrong web.Wrong) error {
	factors, err := v.server.DB.Factors(v.ctx, account.Localpart)
	if err != nil {
		return err
	}
	page := web.SecondFactor{Ask: v.errand.ask(), Server: v.server.ServerName, UserID: v.userID(account), Half: text,
		Wrong: wrong, Form: v.formProof()}
	for _, f := range factors {
		page.Codes = page.Codes || f.Kind == db.FactorCodes
		page.Recovery = page.Recovery || f.Kind == db.FactorRecovery
	}
	if page.Passkey, err = v.askSecond(account, factors, page.Form); err != nil {
		return err
	}
	return v.render(status(wrong), page)
}

// halfway is the account whose password was shown in the first step; nil if that was too long ago.
func (v *visit) halfway() (*db.User, error) {
	c, ok := v.openCode(half+v.typed("form"), v.typed("half"))
	return v.halfOf(c, ok)
}

// halfOf is the account of something that was sealed once its password was shown.
func (v *visit) halfOf(c code, ok bool) (*db.User, error) {
	if !ok || !v.server.Now().Before(c.expires) {
		return nil, nil
	}
	account, err := v.server.DB.User(v.ctx, c.Localpart)
	if errors.Is(err, db.ErrNotFound) || err == nil &&
		(!c.of(account) || !account.Deactivated.IsZero()) {
		return nil, nil
	}
	return &account, err
}

// second takes a code that somebody has typed in the second step.
func (v *visit) second() error {
	account, err := v.halfway()
	if err != nil {
		return err
	}
	if account == nil {
		return v.signInPage(web.Wrong{Text: "signInAgain"})
	}
	if !account.Locked.IsZero() { // before a code is spent
		return v.refuse(db.ErrLocked)
	}
	wrong, err := v.takeCode(*account, v.typed("code"))
	if err == nil && wrong.Text != "slowDown" { // which was logged
		v.server.NoteSecondStep(v.ctx, account.Localpart, wrong.Text == "")
	}
	switch {
	case err != nil:
		return err
	case wrong.Text != "":
		return v.secondAgain(*account, v.typed("half"), wrong)
	}
	return v.signedIn(*account, nil)
}

// takeCode spends a one-time code or a recovery code of an account, or says what is wrong with it. It counts as a
// guess.
func (v *visit) takeCode(account db.User, typed string) (web.Wrong, error) {
	// By address alone: who knows the password must not use up what the owner needs for another way in. One-time codes
	// are bounded for each account in the database, and recovery codes are too long to be guessed.
	if err := v.server.CountGuess(v.ctx, ""); err != nil {
		return limitedOr(err)
	}
	if plain, ok := recoveryCode(typed); ok {
		return v.takeRecovery(account, plain)
	}
	f, has, err := v.oneTime(account)
	if err != nil || !has {
		return web.Wrong{Text: "wrongSecond"}, err
	}
	return v.takeOneTime(f, typed)
}

// mustSignIn reports whether the owner of an account has to sign in again before they do something that cannot be taken
// back: with a second factor the password alone proves nothing.
func (v *visit) mustSignIn(account db.User) bool { return account.SecondFactor && !v.proven() }

// signInAgain asks who is signed in to do so again, at the same address.
func (v *visit) signInAgain(account db.User) error {
	return v.renderSignIn(web.SignIn{Server: v.server.ServerName, User: v.userID(account), Again: true})
}
