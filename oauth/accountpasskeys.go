package oauth

import (
	"cmp"
	"errors"
	"net/http"
	"unicode/utf8"

	"postern/db"
	"postern/handlers"
	"postern/oauth/passkey"
	"postern/web"
)

// passkeysPart fills the part of the account page about passkeys.
func (e accountPages) passkeysPart(has owned, page *web.Account) (err error) {
	shown := web.PasskeysPart{Action: part(actionPasskeys, e.next()), Offered: e.party != nil}
	count := 0
	for _, f := range has.factors {
		if f.Kind == db.FactorPasskey {
			shown.List = append(shown.List, e.passkeyOf(f))
		}
		if f.Kind != db.FactorRecovery {
			count++
		}
	}
	shown.Full = count >= db.MaxFactors
	if e.proven() && shown.Offered && !shown.Full {
		shown.Add, err = e.askNew(has.account, has.factors, page.Form)
	}
	page.Passkeys = shown
	return err
}

func (e accountPages) passkeyOf(f db.Factor) web.Passkey {
	return web.Passkey{Name: f.Name, Added: e.moment(f.Created), Used: e.moment(f.Used),
		View: pageAt(handlers.AccountPath, "action", actionPasskeys, "id", f.ID)}
}

// askNew asks for a new passkey of an account. An authenticator that has one of the account's makes no second.
func (e accountPages) askNew(account db.User, factors []db.Factor, form string) (web.Ceremony, error) {
	owner, err := e.owner(account, factors)
	if err != nil {
		return web.Ceremony{}, err
	}
	c, err := e.ceremony(makeKey, form, code{}.agreed(account), func(challenge []byte) (string, error) {
		return e.party.Creation(owner, challenge)
	})
	c.Account, c.To = account.Localpart, part(actionPasskeys, e.next())
	return c, err
}

// passkeys adds a passkey, or shows one, and renames or removes it.
func (e accountPages) passkeys(account db.User) error {
	if e.did == "add passkey" && e.party != nil {
		return e.addPasskey(account)
	}
	id := e.r.URL.Query().Get("id")
	if id == "" {
		return e.overview(account)
	}
	f, err := e.server.DB.Factor(e.ctx, id)
	switch {
	case errors.Is(err, db.ErrNotFound),
		err == nil && (f.Localpart != account.Localpart || f.Kind != db.FactorPasskey):
		return e.render(http.StatusNotFound, web.Done{Text: "noPasskey", Then: "noPasskeyThen",
			Back: handlers.AccountPath})
	case err != nil:
		return err
	}
	switch e.did {
	case "rename passkey":
		return e.renamePasskey(account, f)
	case "remove passkey":
		if sure, err := e.sure(account, web.Prove{Text: "removePasskey", Do: e.did}); !sure {
			return err
		}
		return e.removeFactor(account, f.ID, web.Done{Text: "passkeyRemoved", Then: "passkeyRemovedThen"})
	}
	return e.passkeyPage(account, f, f.Name, web.Wrong{})
}

func (e accountPages) passkeyPage(account db.User, f db.Factor, called string, wrong web.Wrong) error {
	return e.render(status(wrong), web.PasskeyDetails{UserID: e.userID(account), Passkey: e.passkeyOf(f),
		Called: called, WrongName: wrong, Saved: e.r.URL.Query().Has("saved") && wrong.Text == "",
		Deed: e.deed(account, web.Wrong{}, false)})
}

// renamePasskey gives a passkey the name that was typed.
func (e accountPages) renamePasskey(account db.User, f db.Factor) error {
	name := plain(e.typed("name"))
	switch {
	case name == "":
		return e.passkeyPage(account, f, f.Name, web.Wrong{Text: "passkeyName"})
	case utf8.RuneCountInString(name) > db.MaxDeviceName:
		return e.passkeyPage(account, f, name, web.Wrong{Text: "nameTooLong", Values: []any{db.MaxDeviceName}})
	}
	err := e.server.DB.RenameFactor(e.ctx, f.Localpart, f.ID, name)
	if err != nil && !errors.Is(err, db.ErrNotFound) { // removed meanwhile, which the page says
		return err
	}
	return e.leave(e.passkeyOf(f).View + "&saved")
}

// addPasskey asks for a new passkey, or keeps the one that the browser has made. What it was asked for was given in
// this browser to the account's owner, who had just shown that they are: they need not show it again while that lasts.
// The passkey was made by then, and would be lost.
func (e accountPages) addPasskey(account db.User) error {
	if e.typed("answer") == "" {
		return e.addPasskeyPage(account, web.Wrong{})
	}
	c, ok := e.asked(makeKey)
	if !ok || c.Localpart != account.Localpart || !c.of(account) {
		return e.addPasskeyPage(account, web.Wrong{Text: "passkeyLate"})
	}
	owner, err := e.owner(account, nil)
	if err != nil {
		return err
	}
	key, err := e.party.Created(owner, c.id[:], e.typed("answer"))
	if errors.Is(err, passkey.ErrNotGood) {
		e.server.Log.Info("a passkey was not added", "user", account.Localpart,
			"why", db.Clip(handlers.Printable(err.Error()), maxWhy))
		return e.addPasskeyPage(account, web.Wrong{Text: "passkeyFailed"})
	} else if err != nil {
		return err
	}
	return e.keepNew(account, c, key)
}

// keepNew keeps a new passkey.
func (e accountPages) keepNew(account db.User, c code, key passkey.Key) error {
	now := e.server.Now()
	sealed, err := e.sealKey(key, account.Localpart)
	if err == nil {
		err = e.server.DB.Spend(e.ctx, c.spent(), now, c.expires)
	}
	if err == nil {
		err = e.addFactor(account, db.Factor{ID: key.Text(), Localpart: account.Localpart, Kind: db.FactorPasskey,
			Name: nameOfPlace(e.r.UserAgent()), Sealed: sealed, Created: now},
			web.Done{Text: "passkeyAdded", Then: "backToAccount"})
	}
	switch {
	case errors.Is(err, db.ErrTokenSpent):
		return e.addPasskeyPage(account, web.Wrong{Text: "passkeyLate"})
	case errors.Is(err, db.ErrConflict):
		return e.addPasskeyPage(account, web.Wrong{Text: "passkeyThere"})
	}
	return err
}

// addPasskeyPage asks for a new passkey, whoever has shown that the account is theirs.
func (e accountPages) addPasskeyPage(account db.User, wrong web.Wrong) error {
	if sure, err := e.sure(account, web.Prove{Text: "addPasskey", Do: e.did}); !sure {
		return err
	}
	factors, err := e.server.DB.Factors(e.ctx, account.Localpart)
	if err != nil {
		return err
	}
	c, err := e.askNew(account, factors, e.formProof())
	if err != nil {
		return err
	}
	return e.render(status(wrong), web.AddPasskey{UserID: e.userID(account), Ceremony: c, Wrong: wrong,
		Back: e.next()})
}

// nameOfPlace is a name for a passkey that was made by a browser, until its owner gives it another one.
func nameOfPlace(header string) string {
	a := readAgent(header)
	if a.Name != "" && a.System != "" {
		return a.Name + ", " + a.System
	}
	return cmp.Or(a.Name, a.System, "Passkey")
}
