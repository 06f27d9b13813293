package oauth

import (
	"context"
	"net/http"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// The operator's desk: what whoever runs the server sees and does of the accounts of others, on pages. It is for
// accounts that are administrators; anybody else reads that there is no such page, whatever they ask of it. It does
// what the command line does, by the same calls.

// The parts of the desk, each with an address.
const (
	deskNumbers     = ""
	deskPeople      = "people"
	deskNew         = "new"
	deskPerson      = "person"
	deskSignUps     = "signups"
	deskInvitations = "invitations"
	deskEvents      = "events"
	deskQueues      = "queues"
)

// deskParts are those that every page leads to.
var deskParts = []struct{ action, Text string }{
	{action: deskNumbers, Text: "deskOverview"},
	{action: deskPeople, Text: "deskPeople"},
	{action: deskSignUps, Text: "deskSignUps"},
	{action: deskInvitations, Text: "deskInvitations"},
	{action: deskEvents, Text: "events"},
	{action: deskQueues, Text: "deskQueues"},
}

// deskPages show a part, or do what its form says.
var deskPages = map[string]func(desk) error{
	deskNumbers:     desk.numbers,
	deskPeople:      desk.people,
	deskNew:         desk.newPerson,
	deskPerson:      desk.person,
	deskSignUps:     desk.signUps,
	deskInvitations: desk.invitations,
	deskEvents:      desk.events,
	deskQueues:      desk.queues,
}

// pageOfDesk is how many rows a list shows at a time.
const pageOfDesk = 50

// desk is the errand of an administrator at the desk.
type desk struct {
	accountPages
	who db.User
}

func (v *visit) forDesk() (errand, error) { return desk{accountPages: accountPages{v}}, nil }

func (e desk) cancelled() error { return e.leave(handlers.DeskPath) }

// enter shows the part that is asked for. An action that is not known leads to the first one.
func (e desk) enter(account db.User, _ bool) error {
	if !account.Admin {
		return e.render(http.StatusNotFound, web.Failure{Text: "noPage"})
	}
	e.who = account
	if do, known := deskPages[e.asked("action")]; known {
		return do(e)
	}
	return e.numbers()
}

// asked is a parameter of the address.
func (e desk) asked(name string) string { return e.r.URL.Query().Get(name) }

// deskAt is the address of a part, with further parameters as pageAt has them.
func deskAt(action string, more ...string) string {
	return pageAt(handlers.DeskPath, append([]string{"action", action}, more...)...)
}

// by is the context of what the operator changes.
func (e desk) by() context.Context {
	return handlers.WithCaller(e.ctx, handlers.CallerOf(e.ctx).Operator(deskAgent(e.who.Localpart)))
}

// deskAgent is how an administrator at the desk comes, as events have it.
func deskAgent(localpart string) string { return "desk: " + localpart }

// done is something that was done, and what is said of it on the page that the browser is sent on to.
type done struct{ do, Then string }

// frame is what every page has; here is the part that it belongs to. It says which of some things was done.
func (e desk) frame(here string, all ...done) (web.Desk, error) {
	f := web.Desk{UserID: e.userID(e.who), Account: e.who.Localpart, Form: e.formProof()}
	waiting, err := e.server.DB.CountWaiting(e.ctx)
	if err != nil {
		return f, err
	}
	for _, part := range deskParts {
		p := web.DeskPart{Text: part.Text, To: deskAt(part.action), Here: part.action == here}
		if part.action == deskSignUps {
			p.Waits = waiting
		}
		f.Parts = append(f.Parts, p)
	}
	for _, d := range all {
		if e.did == "" && e.asked("done") == d.do {
			f.Said = d.Then
		}
	}
	return f, nil
}

// cut takes the rows of a page from those that were read, which are more than it holds at most if there are more.
func cut[T any](rows []T, most int) (page []T, more bool) {
	if len(rows) > most {
		return rows[:most], true
	}
	return rows, false
}

// user is the user id of a localpart, as it is shown.
func (e desk) user(localpart string) string {
	return string(handlers.NewUserID(shown(localpart), e.server.ServerName))
}
