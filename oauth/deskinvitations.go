package oauth

import (
	"crypto/rand"
	"errors"
	"strconv"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// mostUses bounds what is typed of uses and of days.
const mostUses = 100_000

// invitations lists them, the oldest first, makes one, and withdraws one.
func (e desk) invitations() error {
	switch e.did {
	case "invite":
		return e.invite()
	case "revoke":
		err := e.server.DB.RevokeRegistrationToken(e.by(), e.typed("token"), e.server.Now())
		if err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		return e.leave(deskAt(deskInvitations, "done", "revoked"))
	}
	return e.invitationsPage(web.Wrong{})
}

// invite makes an invitation. Its token came with the form, so that a form that is sent twice makes one.
func (e desk) invite() error {
	uses, wrongUses := strconv.ParseInt(e.typed("uses"), 10, 64)
	days, wrongDays := strconv.Atoi(e.typed("days"))
	token := e.typed("token")
	if wrongUses != nil || wrongDays != nil || min(uses, int64(days)) < 0 || max(uses, int64(days)) > mostUses ||
		!handlers.IsRegistrationToken(token) {
		return e.invitationsPage(web.Wrong{Text: "deskNumber", Values: []any{mostUses}})
	}
	r := db.RegistrationToken{Token: token, UsesAllowed: uses, Created: e.server.Now()}
	if days > 0 {
		r.Expires = r.Created.AddDate(0, 0, days)
	}
	if err := e.server.DB.AddRegistrationToken(e.by(), r); err != nil && !errors.Is(err, db.ErrConflict) {
		return err
	}
	return e.leave(deskAt(deskInvitations, "made", token))
}

func (e desk) invitationsPage(wrong web.Wrong) error {
	frame, err := e.frame(deskInvitations, done{do: "revoked", Then: "deskRevoked"})
	if err != nil {
		return err
	}
	frame.Wrong = wrong
	page := web.Invitations{Desk: frame, Token: rand.Text(), Uses: "1", Days: "7"}
	if wrong.Text != "" {
		page.Uses, page.Days = e.typed("uses"), e.typed("days")
	}
	page.Taken = e.server.Registration == handlers.RegistrationToken ||
		e.server.Registration == handlers.RegistrationApproval
	if page.Made, err = e.madeJustNow(); err != nil {
		return err
	}
	if err := e.invitationList(&page); err != nil {
		return err
	}
	return e.render(status(wrong), page)
}

// madeJustNow is the invitation that the browser was sent on with.
func (e desk) madeJustNow() (*web.Invitation, error) {
	token := e.asked("made")
	if token == "" || e.did != "" {
		return nil, nil
	}
	r, err := e.server.DB.RegistrationToken(e.ctx, token, e.server.Now())
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	made := e.invitation(r)
	return &made, err
}

func (e desk) invitationList(page *web.Invitations) error {
	at, _ := strconv.ParseInt(e.asked("at"), 10, 64) // from the beginning if it is no number
	after := db.RegistrationToken{Created: db.FromMillis(at), Token: e.asked("after")}
	all, err := e.server.DB.RegistrationTokenPage(e.ctx, e.server.Now(), after, pageOfDesk+1)
	if err != nil {
		return err
	}
	all, more := cut(all, pageOfDesk)
	for _, r := range all {
		page.List = append(page.List, e.invitation(r))
	}
	if after.Token != "" {
		page.Pager.First = deskAt(deskInvitations)
	}
	if more {
		last := all[len(all)-1]
		page.Pager.Next = deskAt(deskInvitations, "at", strconv.FormatInt(db.Millis(last.Created), 10), "after",
			last.Token)
	}
	return nil
}

// invitationStates are what the states of an invitation are called.
var invitationStates = []web.Choice{
	{Value: "good", Text: "deskGood"},
	{Value: "expired", Text: "deskExpired"},
	{Value: "used-up", Text: "deskUsedUp"},
	{Value: "revoked", Text: "deskIsRevoked"},
}

func (e desk) invitation(r db.RegistrationToken) web.Invitation {
	state := r.State(e.server.Now())
	return web.Invitation{Token: r.Token, Link: handlers.InvitationLink(e.base, r.Token),
		State: textOf(invitationStates, state), Good: state == "good", Allowed: r.UsesAllowed, Used: r.Used,
		Reserved: r.Reserved, Made: e.moment(r.Created), Expires: r.Expires}
}
