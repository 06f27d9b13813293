package oauth

import (
	"errors"
	"net/http"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// browsers fills the part of the account page that lists where its owner has signed in on the pages.
func (e accountPages) browsers(has owned, page *web.Account) error {
	browsers, err := e.liveBrowsers(has.account)
	for _, b := range browsers {
		page.Browsers = append(page.Browsers, e.browserOf(b))
	}
	return err
}

// liveBrowsers are those whose time is not over.
func (e accountPages) liveBrowsers(account db.User) (live []db.Browser, err error) {
	all, err := e.server.DB.Browsers(e.ctx, account.Localpart)
	for _, b := range all {
		if e.server.Now().Before(b.Expires) {
			live = append(live, b)
		}
	}
	return live, err
}

func (e accountPages) browserOf(b db.Browser) web.Browser {
	return web.Browser{Agent: readAgent(b.Since.Agent).Agent, From: e.place(b.Since.Addr), Since: e.moment(b.Since.At),
		This: b.ID == e.browser.ID, View: pageAt(handlers.AccountPath, "action", actionBrowser, "browser", b.ID)}
}

// oneBrowser shows a browser of the account, and signs it out.
func (e accountPages) oneBrowser(account db.User) error {
	b, err := e.server.DB.Browser(e.ctx, e.r.URL.Query().Get("browser"))
	if errors.Is(err, db.ErrNotFound) ||
		err == nil && (b.Localpart != account.Localpart || !e.server.Now().Before(b.Expires)) {
		return e.gone("noBrowser")
	}
	if err != nil {
		return err
	}
	answered, wrong, err := e.act(account, "end", !e.proven(), func(db.User) error { return e.endOther(b) })
	if answered || err != nil {
		return err
	}
	return e.render(status(wrong), web.BrowserDetails{UserID: e.userID(account), Browser: e.browserOf(b),
		Deed: e.deed(account, wrong, !e.proven())})
}

func (e accountPages) endOther(b db.Browser) error {
	err := e.server.DB.EndBrowser(e.ctx, b.Localpart, b.ID)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	if b.ID == e.browser.ID {
		return e.leave(handlers.AccountPath)
	}
	return e.render(http.StatusOK, web.Done{Text: "browserEnded", Then: "backToAccount", Back: handlers.AccountPath})
}

// others says what ends, and then ends everything but this browser, with the devices that are said to be in it.
func (e accountPages) others(account db.User) error {
	answered, wrong, err := e.act(account, "others", !e.proven(), e.endOthers)
	if answered || err != nil {
		return err
	}
	sessions, err := e.server.DB.Sessions(e.ctx, account.Localpart)
	if err != nil {
		return err
	}
	browsers, err := e.liveBrowsers(account)
	if err != nil {
		return err
	}
	page := web.Others{UserID: e.userID(account), Browsers: len(browsers) - 1,
		Deed: e.deed(account, wrong, !e.proven())}
	for _, s := range sessions {
		switch {
		case e.browser.Began(s.ID): // it goes on
		case s.Bot:
			page.Tokens++
		default:
			page.Devices++
		}
	}
	return e.render(status(wrong), page)
}

func (e accountPages) endOthers(account db.User) error {
	if _, err := e.server.DB.EndOthers(e.ctx, account.Localpart, e.browser.ID); err != nil {
		return err
	}
	return e.render(http.StatusOK, web.Done{Text: "othersEnded", Then: "backToAccount", Back: handlers.AccountPath})
}
