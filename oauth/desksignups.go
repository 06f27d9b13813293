package oauth

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// decisions are what an operator does about an account that waits, by the button.
var decisions = map[string]deskDecision{
	"approve": {event: db.EventApproved, Text: "deskApproved", decide: func(e desk, name string) error {
		return e.server.DB.ApproveUser(e.by(), name, e.server.Now())
	}},
	"reject": {event: db.EventRejected, Text: "deskRejected", asks: true, decide: func(e desk, name string) error {
		return e.server.DB.RejectUser(e.by(), name)
	}},
}

type deskDecision struct {
	event  string // that it leaves
	Text   string // the name of a text: says that it is done
	asks   bool   // whether they mean it
	decide func(e desk, name string) error
}

// signUps lists accounts that wait, the one that has waited longest first, and decides about those that were chosen.
func (e desk) signUps() error {
	if d, known := decisions[e.did]; known {
		return e.decide(d)
	}
	return e.signUpsPage(web.Wrong{})
}

// decide decides about each account that was chosen. It names those that nobody can decide about any more: another
// operator was faster, or somebody has added an account of that name.
func (e desk) decide(d deskDecision) error {
	names := e.r.PostForm["name"]
	if len(names) == 0 || len(names) > pageOfDesk {
		return e.signUpsPage(web.Wrong{Text: "deskChoose"})
	}
	if d.asks && !e.r.PostForm.Has("meant") {
		return e.askReject(names)
	}
	var gone []string
	since := handlers.CallerOf(e.ctx).Now // the time of the events, however long it takes to come here
	for _, name := range names {
		err := d.decide(e, name)
		switch {
		case errors.Is(err, db.ErrNotFound), errors.Is(err, db.ErrConflict), errors.Is(err, db.ErrText):
			gone = append(gone, e.user(name))
		case err != nil:
			return err
		}
	}
	if len(gone) > 0 {
		return e.signUpsPage(web.Wrong{Text: "deskNotWaiting", Values: []any{strings.Join(gone, ", ")}})
	}
	return e.leave(deskAt(deskSignUps, "done", e.did, "since", strconv.FormatInt(db.Millis(since), 10)))
}

// askReject asks whether they mean it: nothing of an account is left that is rejected.
func (e desk) askReject(names []string) error {
	frame, err := e.frame(deskSignUps)
	if err != nil {
		return err
	}
	page := web.RejectSignUps{Desk: frame, Back: deskAt(deskSignUps)}
	for _, name := range names {
		page.List = append(page.List, web.SignUp{Name: name, UserID: e.user(name)})
	}
	return e.render(http.StatusOK, page)
}

// decided names whom this administrator has decided about since the form was sent that has led here, as the events
// have it: what the address says can be anybody's.
func (e desk) decided() (of web.Decided, err error) {
	d, known := decisions[e.asked("done")]
	since, _ := strconv.ParseInt(e.asked("since"), 10, 64)
	if !known || since <= 0 || e.did != "" {
		return of, nil
	}
	events, err := e.server.DB.EventPage(e.ctx, db.EventFilter{Kinds: []string{d.event},
		Since: db.FromMillis(since)}, db.Event{}, pageOfDesk)
	for _, event := range events {
		if handlers.ByOperator(deskAgent(e.who.Localpart), event) {
			of.Text = d.Text
			shows := web.SignUp{UserID: e.user(event.Localpart)}
			if d.event == db.EventApproved {
				shows.View = deskAt(deskPerson, "name", event.Localpart)
			}
			of.List = append(of.List, shows)
		}
	}
	return of, err
}

func (e desk) signUpsPage(wrong web.Wrong) error {
	frame, err := e.frame(deskSignUps)
	if err != nil {
		return err
	}
	decided, err := e.decided()
	if err != nil {
		return err
	}
	frame.Wrong = wrong
	page := web.SignUps{Desk: frame, Waiting: e.server.Registration == handlers.RegistrationApproval,
		Mail: e.server.MailOn(), Decided: decided}
	waiting, err := e.server.DB.WaitingPage(e.ctx, db.WaitingUser{}, pageOfDesk)
	if err != nil {
		return err
	}
	for _, u := range waiting {
		page.List = append(page.List, web.SignUp{Name: u.Localpart, UserID: e.user(u.Localpart), Network: u.Network,
			Email: plain(u.Email.Address), Since: e.moment(u.Since)})
	}
	for _, part := range frame.Parts {
		page.More = max(page.More, part.Waits-len(page.List))
	}
	return e.render(status(wrong), page)
}
