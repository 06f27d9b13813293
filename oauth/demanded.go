package oauth

import (
	"net/http"
	"net/url"
	"slices"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// Where the operator asks for second factors, somebody who has none sets one up before they go on to what they have
// come for. Its address travels along.

const then = "then" // the parameter of an action's address that has it

// setsUp reports whether this is an action by which a second factor is set up.
func (e accountPages) setsUp() bool {
	return e.path == handlers.AccountPath &&
		slices.Contains([]string{actionCodes, actionPasskeys}, e.r.URL.Query().Get("action"))
}

// setUpFirst asks for a second factor.
func (e accountPages) setUpFirst(account db.User) error {
	page := web.SetUpFirst{Account: web.Account{UserID: e.userID(account), Account: account.Localpart,
		Form: e.formProof()}}
	factors, err := e.server.DB.Factors(e.ctx, account.Localpart)
	if err != nil {
		return err
	}
	has := owned{account: account, factors: factors}
	for _, fill := range []func(owned, *web.Account) error{e.passkeysPart, e.codesPart} {
		if err := fill(has, &page.Account); err != nil {
			return err
		}
	}
	to := e.next()
	if !e.setsUp() {
		to = e.address()
	}
	page.Account.Codes.Action, page.Account.Passkeys.Action = part(actionCodes, to), part(actionPasskeys, to)
	page.Account.Passkeys.Add.To = page.Account.Passkeys.Action
	return e.render(http.StatusOK, page)
}

// part is the address of an action from which they go on to another one.
func part(name, to string) string {
	if to == handlers.AccountPath {
		to = ""
	}
	return pageAt(handlers.AccountPath, "action", name, then, to)
}

// next is where they go on to from an action. Anybody may have made the address up, so it is a page of this server's.
// At the desk it is the page that they are on.
func (e accountPages) next() string {
	if e.path == handlers.DeskPath {
		return e.address()
	}
	to := e.r.URL.Query().Get(then)
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !slices.Contains(handlers.PagePaths, u.Path) {
		return handlers.AccountPath
	}
	return to
}
