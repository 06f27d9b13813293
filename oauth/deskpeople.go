package oauth

import (
	"errors"
	"net/http"
	"strings"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// adminsOnly is the state by which administrators are looked for.
const adminsOnly = "admin"

// deskStates are what accounts are looked for by, beside their names.
var deskStates = []web.Choice{
	{Text: "deskAnyState"},
	{Value: string(db.UserActive), Text: "deskActive"},
	{Value: string(db.UserLocked), Text: "deskIsLocked"},
	{Value: string(db.UserDeactivated), Text: "deskIsDeactivated"},
	{Value: adminsOnly, Text: "deskIsAdmin"},
}

// chosen marks the choice of a value. One that is not known is none.
func chosen(choices []web.Choice, value string) (marked []web.Choice, known string) {
	for _, c := range choices {
		if c.Chosen = c.Value == value; c.Chosen {
			known = value
		}
		marked = append(marked, c)
	}
	return marked, known
}

// textOf is what a value is called.
func textOf(choices []web.Choice, value string) string {
	for _, c := range choices {
		if c.Value == value {
			return c.Text
		}
	}
	return ""
}

// people lists accounts by name.
func (e desk) people() error { return e.peoplePage(http.StatusOK, web.Wrong{}) }

func (e desk) peoplePage(status int, wrong web.Wrong) error {
	frame, err := e.frame(deskPeople)
	if err != nil {
		return err
	}
	frame.Wrong = wrong
	page := web.People{Desk: frame, Query: plain(e.asked("q")), Add: deskAt(deskNew)}
	var state string
	page.States, state = chosen(deskStates, e.asked("state"))
	filter := db.UserFilter{Part: e.partOfName(page.Query), State: db.UserState(state)}
	if state == adminsOnly {
		filter = db.UserFilter{Part: filter.Part, Admin: true}
	}
	after := e.asked("after")
	users, err := e.server.DB.UserPage(e.ctx, filter, after, pageOfDesk+1)
	if err != nil {
		return err
	}
	users, more := cut(users, pageOfDesk)
	for _, u := range users {
		page.Lines = append(page.Lines, e.personLine(u))
	}
	if after != "" {
		page.Pager.First = deskAt(deskPeople, "q", page.Query, "state", state)
	}
	if more {
		page.Pager.Next = deskAt(deskPeople, "q", page.Query, "state", state, "after", users[len(users)-1].Localpart)
	}
	return e.render(status, page)
}

// partOfName is what a person looks for by what they type, which may be a whole user id.
func (e desk) partOfName(typed string) string {
	if name := handlers.Spelled(typed, e.server.ServerName); name != "" {
		return name
	}
	return strings.TrimPrefix(typed, "@")
}

func (e desk) personLine(u db.CountedUser) web.PersonLine {
	return web.PersonLine{UserID: e.user(u.Localpart), View: deskAt(deskPerson, "name", u.Localpart),
		State: textOf(deskStates, string(u.State())), Admin: u.Admin, SecondFactor: u.SecondFactor,
		Created: e.moment(u.Created), Sessions: u.Sessions}
}

// newPerson adds an account.
func (e desk) newPerson() error {
	if e.did != "add" {
		return e.newPersonPage(web.Wrong{})
	}
	secret, byLink := e.typed("password"), e.typed("by") == "link"
	switch {
	case byLink:
		secret = ""
	case secret == "":
		return e.newPersonPage(tooWeak(&handlers.WeakPassword{Least: max(1, e.server.Passwords.Length)}))
	}
	account, err := e.server.NewUser(e.ctx, e.typed("name"), secret)
	if err == nil {
		err = e.server.DB.CreateUser(e.by(), account)
	}
	problem := handlers.AsError(err)
	switch {
	case errors.Is(err, db.ErrConflict):
		return e.newPersonPage(web.Wrong{Text: "nameTaken"})
	case err != nil && problem.Status >= http.StatusInternalServerError:
		return err
	case err != nil:
		return e.newPersonPage(notMade(problem))
	case byLink:
		return e.linkPage(account)
	}
	return e.leave(deskAt(deskPerson, "name", account.Localpart, "done", justAdded.do))
}

func (e desk) newPersonPage(wrong web.Wrong) error {
	frame, err := e.frame(deskPeople)
	if err != nil {
		return err
	}
	frame.Wrong = wrong
	return e.render(status(wrong), web.NewPerson{Desk: frame, Name: e.typed("name"),
		ByURL: e.typed("by") != "password", Rules: passwordRules(e.server.Passwords), Back: deskAt(deskPeople)})
}
