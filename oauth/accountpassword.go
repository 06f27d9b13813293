package oauth

import (
	"errors"
	"net/http"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// passwordPart fills the part of the account page that changes the password.
func (e accountPages) passwordPart(has owned, page *web.Account) error {
	page.Password = e.passwordForm(has.account, web.Wrong{})
	return nil
}

func (e accountPages) passwordForm(account db.User, wrong web.Wrong) web.PasswordPart {
	hash := account.PasswordHash
	return web.PasswordPart{Action: action(actionPassword, ""), Has: hash != handlers.NoPassword,
		Rules: passwordRules(e.server.Passwords), Wrong: wrong, EndOthers: e.did != "save" || e.typed("others") != ""}
}

// passwordRules are what is said of a password before it is typed.
func passwordRules(r handlers.PasswordRules) web.PasswordRules {
	return web.PasswordRules{Least: r.Length, Digit: r.Needs.Digit, Symbol: r.Needs.Symbol, Upper: r.Needs.Uppercase,
		Lower: r.Needs.Lowercase, Hard: r.Strength > 0}
}

// password changes the password. The current one is a proof in any case; with a second factor it is not all of it.
func (e accountPages) password(account db.User) error {
	if e.mustSignIn(account) {
		return e.signInAgain(account)
	}
	wrong := web.Wrong{}
	if e.did == "save" {
		changed, err := e.server.ReplacePassword(e.ctx, account, handlers.NewPassword{Browser: e.browser.ID,
			Current: e.typed("current"), New: e.typed("new"), EndSessions: e.typed("others") != ""})
		if err == nil {
			return e.passwordChanged(changed)
		}
		if wrong = notChanged(err); wrong.Text == "" {
			return err
		}
	}
	return e.render(status(wrong), web.Password{UserID: e.userID(account), Account: account.Localpart,
		Password: e.passwordForm(account, wrong), Form: e.formProof(), Back: handlers.AccountPath})
}

// passwordChanged signs this browser in again, by another cookie: whoever has the old one is signed out. It is no proof
// of a second factor, and stays signed out if the account has got its first one meanwhile.
func (e accountPages) passwordChanged(account db.User) error {
	proved := e.browser.Proved
	if err := e.keep(account, true); err != nil && !errors.Is(err, db.ErrConflict) {
		return err
	}
	if account.SecondFactor {
		if err := e.server.DB.NoteProof(e.ctx, e.browser.ID, proved); err != nil {
			return err
		}
	}
	done := web.Done{Text: "passwordChanged", Then: "devicesEnded", Back: handlers.AccountPath}
	if e.typed("others") == "" {
		done = web.Done{Text: "passwordChanged", Then: "devicesStay", Back: handlers.AccountPath}
	}
	return e.render(http.StatusOK, done)
}

// notChanged is why a password could not be changed, in the person's own language; empty: for a reason that is not
// theirs.
func notChanged(err error) web.Wrong {
	var weak *handlers.WeakPassword
	switch {
	case errors.As(err, &weak):
		return tooWeak(weak)
	case errors.Is(err, db.ErrConflict):
		return web.Wrong{Text: "passwordElsewhere"}
	}
	wrong, _ := wrongOr(err, web.Wrong{Text: "wrongCurrent"})
	return wrong
}
