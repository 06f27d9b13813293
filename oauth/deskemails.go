package oauth

import (
	"errors"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// giveDeed gives an account a mail address. Nothing is sent there to ask.
var giveDeed = web.Prove{Do: "give email", Text: "addEmail", Means: "deskGiveEmailMeans"}

func (e desk) giveEmail(whom db.User) error {
	address, err := handlers.Address(e.typed("address"))
	if err != nil {
		return e.personPage(whom, web.Wrong{Text: "emailWrong"})
	}
	if sure, err := e.sureOf(whom, giveDeed); !sure {
		return err
	}
	err = handlers.GiveAddress(e.by(), e.server.DB, whom.Localpart, address, e.server.Now())
	var taken handlers.AddressTaken
	switch {
	case errors.As(err, &taken):
		return e.personPage(whom, web.Wrong{Text: "deskEmailOf", Values: []any{e.user(taken.By)}})
	case errors.Is(err, handlers.ErrAddressesFull):
		return e.personPage(whom, web.Wrong{Text: "deskEmailsFull"})
	case errors.Is(err, handlers.ErrClosed):
		return e.personPage(whom, web.Wrong{Text: "deskNoEmailNow"})
	case err != nil:
		return err
	}
	return e.leave(deskAt(deskPerson, "name", whom.Localpart, "done", giveDeed.Do))
}

func (e desk) takeEmail(whom db.User) error {
	return e.server.DB.RemoveEmail(e.by(), whom.Localpart, e.typed("address"))
}

// personEmails fills in the mail addresses.
func (e desk) personEmails(has owned, page *web.Person) error {
	emails, err := e.server.DB.Emails(e.ctx, has.account.Localpart)
	for _, email := range emails {
		page.Emails = append(page.Emails, shown(email.Address))
	}
	return err
}
