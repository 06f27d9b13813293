package oauth

import (
	"context"
	"errors"
	"net/http"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// forRecover answers whoever has forgotten the password, or has a link to choose a new one. It is no errand: nobody
// signs in here, and whoever is signed in stays so. A link signs nobody in either, so that who has sent it to somebody
// else does not have them use an account that is not theirs, and so that a second factor is asked for.
func (v *visit) forRecover() (errand, error) {
	err := v.recognise()
	if err != nil {
		return nil, err
	}
	wrong, sent := web.Wrong{}, v.r.Method == http.MethodPost
	if sent && !v.formIsOurs() {
		wrong, sent = web.Wrong{Text: "again"}, false
	}
	if link := v.r.URL.Query().Get(handlers.LinkParam); link != "" {
		return nil, v.choose(link, sent, wrong)
	}
	if !sent || !v.server.MailOn() || v.typed("user") == "" {
		return nil, v.recoverPage(wrong)
	}
	if err = v.server.AskRecovery(v.ctx, v.typed("user"), web.Language(v.r)); err != nil {
		if wrong, err = limitedOr(err); err != nil {
			return nil, err
		}
		return nil, v.recoverPage(wrong)
	}
	return nil, v.render(http.StatusOK, web.Done{Text: "recoverSent", Then: "recoverSentThen"})
}

// limitedOr is what to say of too many attempts; any other error stays one.
func limitedOr(err error) (web.Wrong, error) {
	if e := handlers.AsError(err); e.Code == "M_LIMIT_EXCEEDED" {
		return tooMany(e), nil
	}
	return web.Wrong{}, err
}

func (v *visit) recoverPage(wrong web.Wrong) error {
	return v.render(status(wrong), web.Recover{Server: v.server.ServerName, User: v.typed("user"),
		Mail: v.server.MailOn(), Wrong: wrong, Form: v.formProof(), SignIn: handlers.AccountPath})
}

// toRecover is the address of the page that mails a link; empty: there is no mail here.
func (v *visit) toRecover() string {
	if v.server.MailOn() {
		return handlers.RecoverPath
	}
	return ""
}

// choose shows the page of a link, and does what its form says.
func (v *visit) choose(link string, sent bool, wrong web.Wrong) error {
	chosen, find := sent && v.typed("new") == v.typed("again"), v.server.ResetAccount
	switch {
	case chosen:
		find = func(ctx context.Context, link string) (db.User, error) {
			return v.server.ResetPassword(ctx, link, v.typed("new"), v.typed("others") != "")
		}
	case sent:
		wrong = web.Wrong{Text: "chooseDiffer"}
	}
	account, err := find(v.ctx, link)
	switch {
	case errors.Is(err, handlers.ErrLinkOver):
		return v.linkOver()
	case err == nil && chosen:
		return v.chosen()
	case err != nil:
		if wrong, err = notChosen(err); err != nil {
			return err
		}
	}
	page := web.Choose{UserID: v.userID(account), Factor: account.SecondFactor, EndOthers: v.typed("others") != "",
		Rules: passwordRules(v.server.Passwords), Wrong: wrong, Form: v.formProof()}
	if v.account != nil && v.account.Localpart != account.Localpart {
		page.Other = v.userID(*v.account)
	}
	return v.render(status(wrong), page)
}

// notChosen is why a password could not be taken; an error if it is not the person's.
func notChosen(err error) (web.Wrong, error) {
	var weak *handlers.WeakPassword
	if errors.As(err, &weak) {
		return tooWeak(weak), nil
	}
	return limitedOr(err)
}

func (v *visit) chosen() error {
	done := web.Done{Text: "chosen", Then: "chosenThen", Back: handlers.AccountPath}
	if v.typed("others") != "" {
		done = web.Done{Text: "chosen", Then: "chosenEnded", Back: handlers.AccountPath}
	}
	return v.render(http.StatusOK, done)
}

func (v *visit) linkOver() error {
	return v.render(http.StatusGone, web.LinkOver{Recover: v.toRecover(), Server: v.server.ServerName})
}

// mailNewcomer mails a link to the address that somebody has named who has just made an account, or asked for one,
// which is empty then. That it fails is no reason to say that the account was not made: its owner can add the address
// later.
func (v *visit) mailNewcomer(account db.User, address string) {
	if address == "" {
		return
	}
	name, _ := handlers.NewLocalpart(v.typed("user"), v.server.ServerName)
	var err error
	if account.Localpart == "" { // it waits, and with it the address
		account, err = v.server.WaitingNamed(v.ctx, name)
	}
	if err == nil {
		err = v.server.CountMail(v.ctx, "")
	}
	if err == nil {
		err = v.server.AskAddress(v.ctx, account, address, web.Language(v.r))
	}
	if err != nil {
		v.server.Log.Warn("a newcomer gets no mail to show their address; they may add it on the account page",
			"user", name, "error", err)
	}
}
