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

// decisions are what an operator does about an account that waits.
var decisions = []struct {
	do     string
	decide func(e desk, name string) error
}{
	{"approve", func(e desk, name string) error {
		return e.server.DB.ApproveUser(e.by(), name, e.server.Now())
	}},
	{"reject", func(e desk, name string) error {
		return e.server.DB.RejectUser(e.by(), name)
	}},
}

// signUps lists accounts that wait, the one that has waited longest first, and decides about those that were chosen.
func (e desk) signUps() error {
	for _, d := range decisions {
		if d.do == e.did {
			return e.decide(d.do, d.decide)
		}
	}
	return e.signUpsPage(web.Wrong{})
}

// decide decides about each account that was chosen. It names those that nobody can decide about any more: another
// operator was faster, or somebody has added an account of that name.
func (e desk) decide(do string, one func(e desk, name string) error) error {
	names := e.r.PostForm["name"]
	if len(names) == 0 || len(names) > pageOfDesk {
		return e.signUpsPage(web.Wrong{Text: "deskChoose"})
	}
	if do == "reject" && !e.r.PostForm.Has("meant") {
		return e.askReject(names)
	}
	var gone []string
	since := e.server.Now()
	for _, name := range names {
		err := one(e, name)
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
	return e.leave(deskAt(deskSignUps, "done", do, "since", strconv.FormatInt(db.Millis(since), 10)))
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
	kinds := map[string]struct{ event, Text string }{
		"approve": {event: db.EventApproved, Text: "deskApproved"},
		"reject":  {event: db.EventRejected, Text: "deskRejected"},
	}
	kind, known := kinds[e.asked("done")]
	since, _ := strconv.ParseInt(e.asked("since"), 10, 64)
	if !known || since <= 0 || e.did != "" {
		return of, nil
	}
	events, err := e.server.DB.EventPage(e.ctx, db.EventFilter{Kinds: []string{kind.event},
		Since: db.FromMillis(since)}, db.Event{}, pageOfDesk)
	for _, event := range events {
		if strings.HasPrefix(event.Agent, deskAgent(e.who.Localpart)+", from ") && event.Addr == "" {
			of.Text = kind.Text
			shows := web.SignUp{UserID: e.user(event.Localpart)}
			if kind.event == db.EventApproved {
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
