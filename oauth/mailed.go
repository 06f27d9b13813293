package oauth

import (
	"net/http"

	"postern/handlers"
	"postern/web"
)

// mailedLink is the page to which the link leads of a mail that a client has asked for. Nobody has to sign in: whoever
// has the link reads the mail. To open it does nothing, since programs do that which look through mails for what is
// harmful; a click does. Then the client goes on by itself.
func (v *visit) mailedLink() error {
	link, err := v.server.MailedLink(v.ctx, v.r.URL.Query())
	if handlers.IsStatus(err, http.StatusNotFound) {
		return v.render(http.StatusNotFound, web.Failure{Text: "mailedOver"})
	}
	if err != nil {
		return err
	}
	if v.r.Method == http.MethodPost {
		if err := v.r.ParseForm(); err != nil || !v.formIsOurs() {
			v.why = web.Wrong{Text: "again"}
		} else if err := link.Complete(v.ctx, web.Language(v.r)); err != nil {
			return err
		} else if link.Next != "" {
			return v.leave(link.Next)
		} else {
			link.Done = true
		}
	}
	if link.Done {
		return v.render(http.StatusOK, web.Done{Text: "mailedDone", Then: "mailedDoneThen"})
	}
	return v.render(http.StatusOK, web.Mailed{Address: link.Address, Server: v.server.ServerName, Account: link.Account,
		Form: v.formProof()})
}
