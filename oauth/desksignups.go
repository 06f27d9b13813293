package oauth

import (
	"errors"
	"strings"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// decisions are what an operator does about an account that waits.
var decisions = []struct {
	done
	decide func(e desk, name string) error
}{
	{done{do: "approve", Then: "deskApproved"}, func(e desk, name string) error {
		return e.server.DB.ApproveUser(e.by(), name, e.server.Now())
	}},
	{done{do: "reject", Then: "deskRejected"}, func(e desk, name string) error {
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
	var gone []string
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
	return e.leave(deskAt(deskSignUps, "done", do))
}

func (e desk) signUpsPage(wrong web.Wrong) error {
	frame, err := e.frame(deskSignUps, decisions[0].done, decisions[1].done)
	if err != nil {
		return err
	}
	frame.Wrong = wrong
	page := web.SignUps{Desk: frame, Waiting: e.server.Registration == handlers.RegistrationApproval}
	waiting, err := e.server.DB.WaitingPage(e.ctx, db.WaitingUser{}, pageOfDesk)
	if err != nil {
		return err
	}
	for _, u := range waiting {
		page.List = append(page.List, web.SignUp{Name: u.Localpart, UserID: e.user(u.Localpart), Network: u.Network,
			Since: e.moment(u.Since)})
	}
	for _, part := range frame.Parts {
		page.More = max(page.More, part.Waits-len(page.List))
	}
	return e.render(status(wrong), page)
}
