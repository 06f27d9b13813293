package oauth

import (
	"errors"
	"net/http"
	"slices"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

const actionEmails = "emails" // mail addresses: as handlers.EmailsPage has it

// emailsPart fills the part of the account page about mail addresses.
func (e accountPages) emailsPart(has owned, page *web.Account) error {
	if e.server.MailOn() {
		page.Emails.Add = action(actionEmails, "")
	}
	all, err := e.server.DB.Emails(e.ctx, has.account.Localpart)
	for _, a := range all {
		page.Emails.List = append(page.Emails.List, e.emailOf(a))
	}
	return err
}

func (e accountPages) emailOf(a db.Email) web.Email {
	return web.Email{Address: a.Address, Added: e.moment(a.Added),
		View: pageAt(handlers.AccountPath, "action", actionEmails, "address", a.Address)}
}

// emails adds an address, shows that one is the account's, or removes one.
func (e accountPages) emails(account db.User) error {
	q := e.r.URL.Query()
	switch {
	case q.Has(handlers.LinkParam):
		return e.showEmail(account, q.Get(handlers.LinkParam))
	case q.Has("address"):
		return e.oneEmail(account, q.Get("address"))
	case !e.server.MailOn():
		return e.render(http.StatusNotFound, web.Failure{Text: "notOffered"})
	case e.r.Method == http.MethodGet && e.mustSignIn(account):
		return e.signInAgain(account)
	case e.did != "add email":
		return e.newEmail(account, web.Wrong{})
	case e.mustSignIn(account):
		return e.newEmail(account, web.Wrong{Text: "signInFirst"})
	}
	address, wrong, err := e.wantedEmail(account)
	if err == nil && wrong.Text == "" {
		wrong, err = e.proof(account, !e.proven())
	}
	if err == nil && wrong.Text == "" {
		wrong, err = e.sendLink(account, address)
	}
	switch {
	case err != nil:
		return err
	case wrong.Text != "":
		return e.newEmail(account, wrong)
	}
	return e.render(http.StatusOK, web.Done{Text: "emailSent", Then: "emailSentThen", Back: handlers.AccountPath})
}

func (e accountPages) newEmail(account db.User, wrong web.Wrong) error {
	return e.render(status(wrong), web.NewEmail{UserID: e.userID(account), Address: e.typed("address"),
		Deed: e.deed(account, wrong, !e.proven())})
}

// wantedEmail is the address that was typed, or what is wrong with it. It looks at the account's own addresses alone:
// whether it is somebody else's is not to be told.
func (e accountPages) wantedEmail(account db.User) (address string, wrong web.Wrong, err error) {
	if address, err = handlers.Address(e.typed("address")); err != nil {
		return "", web.Wrong{Text: "emailWrong"}, nil
	}
	all, err := e.server.DB.Emails(e.ctx, account.Localpart)
	switch {
	case slices.ContainsFunc(all, func(a db.Email) bool { return a.Address == address }):
		wrong = web.Wrong{Text: "emailHas"}
	case len(all) >= db.MaxEmails:
		wrong = web.Wrong{Text: "emailsFull"}
	}
	return address, wrong, err
}

func (e accountPages) sendLink(account db.User, address string) (web.Wrong, error) {
	if err := e.server.CountMail(e.ctx, account.Localpart); err != nil {
		return limitedOr(err)
	}
	return web.Wrong{}, e.server.AskAddress(e.ctx, account, address, web.Language(e.r))
}

// showEmail is where a link leads that shows an address: whoever is signed in to the account that has asked for it may
// add it. A link that somebody else has asked for, to have a person add an address that is not theirs or to get theirs
// for another account, leads nowhere.
func (e accountPages) showEmail(account db.User, link string) error {
	address, of, err := e.server.LinkedAddress(e.ctx, link)
	page := web.ShowEmail{UserID: e.userID(account), Address: address, Deed: e.deed(account, web.Wrong{}, false)}
	switch {
	case errors.Is(err, handlers.ErrLinkOver):
		return e.linkOver()
	case err != nil:
		return err
	case of.Localpart != account.Localpart:
		page.Of = e.userID(of)
		return e.render(http.StatusForbidden, page)
	case e.did != "bind email":
		return e.render(http.StatusOK, page)
	}
	switch err := e.server.BindAddress(e.ctx, account, link, web.Language(e.r)); {
	case errors.Is(err, handlers.ErrLinkOver):
		return e.linkOver()
	case errors.Is(err, db.ErrConflict):
		return e.render(http.StatusConflict, web.Done{Text: "emailNotBound", Then: "emailNotBoundThen",
			Back: handlers.AccountPath})
	case err != nil:
		return err
	}
	return e.render(http.StatusOK, web.Done{Text: "emailBound", Then: "backToAccount", Back: handlers.AccountPath})
}

// showWaiting is where a link leads that shows the address of an account that waits for approval, to which nobody can
// sign in. It says whether it has answered: any other link is for showEmail, and so is this one once the account is
// approved.
func (e accountPages) showWaiting(link string) (answered bool, err error) {
	address, of, err := e.server.WaitingAddress(e.ctx, link)
	if errors.Is(err, handlers.ErrLinkOver) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if e.r.Method == http.MethodPost {
		if e.formIsOurs() {
			return e.waitWith(link)
		}
		e.why = web.Wrong{Text: "again"}
	}
	return true, e.render(http.StatusOK, web.Mailed{Address: address, Server: e.server.ServerName,
		Waits: e.userID(of), Form: e.formProof()})
}

// waitWith does what the form of showWaiting says. It has not answered if the account was decided about meanwhile.
func (e accountPages) waitWith(link string) (answered bool, err error) {
	switch err := e.server.ShowWaiting(e.ctx, link, web.Language(e.r)); {
	case errors.Is(err, handlers.ErrLinkOver):
		return false, nil
	case errors.Is(err, db.ErrConflict):
		return true, e.render(http.StatusConflict, web.Done{Text: "emailNotBound", Then: "emailWaitsNot"})
	case err != nil:
		return false, err
	}
	return true, e.render(http.StatusOK, web.Done{Text: "mailedDone", Then: "emailWaitsDone"})
}

// oneEmail shows an address, and removes it.
func (e accountPages) oneEmail(account db.User, address string) error {
	a, err := e.server.DB.Email(e.ctx, address)
	if errors.Is(err, db.ErrNotFound) || err == nil && a.Localpart != account.Localpart {
		return e.noEmail()
	}
	if err != nil {
		return err
	}
	answered, wrong, err := e.act(account, "remove", !e.proven(), func(db.User) error { return e.removeEmail(a) })
	if answered || err != nil {
		return err
	}
	return e.render(status(wrong), web.EmailDetails{UserID: e.userID(account), Email: e.emailOf(a),
		Deed: e.deed(account, wrong, !e.proven())})
}

func (e accountPages) removeEmail(a db.Email) error {
	err := e.server.DB.RemoveEmail(e.ctx, a.Localpart, a.Address)
	if errors.Is(err, db.ErrNotFound) {
		return e.noEmail()
	}
	if err != nil {
		return err
	}
	return e.render(http.StatusOK, web.Done{Text: "emailRemoved", Then: "backToAccount", Back: handlers.AccountPath})
}

func (e accountPages) noEmail() error {
	return e.render(http.StatusNotFound, web.Done{Text: "noEmail", Then: "noEmailThen", Back: handlers.AccountPath})
}
