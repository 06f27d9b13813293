package oauth

import (
	"net/http"

	"postern/handlers"
	"postern/web"
)

// forMailed answers whoever has followed the link of a mail that a client has asked for. It is no errand: nobody has to
// sign in, since whoever has the link reads the mail. To open it does nothing: programs do that which look through
// mails for what is harmful; a click does. Then the client goes on by itself.
func (v *visit) forMailed() (errand, error) {
	link, err := v.server.MailedLink(v.ctx, v.r.URL.Query())
	if handlers.IsStatus(err, http.StatusNotFound) {
		return nil, v.render(http.StatusNotFound, web.Failure{Text: "mailedOver"})
	}
	if err != nil {
		return nil, err
	}
	if v.r.Method == http.MethodPost {
		if !v.formIsOurs() {
			v.why = web.Wrong{Text: "again"}
		} else if err := link.Complete(v.ctx, web.Language(v.r)); err != nil {
			return nil, err
		} else if link.Next != "" {
			return nil, v.leave(link.Next)
		} else {
			link.Done = true
		}
	}
	if link.Done {
		return nil, v.render(http.StatusOK, web.Done{Text: "mailedDone", Then: "mailedDoneThen"})
	}
	return nil, v.render(http.StatusOK, web.Mailed{Address: link.Address, Server: v.server.ServerName,
		Account: link.Account, Form: v.formProof()})
}
