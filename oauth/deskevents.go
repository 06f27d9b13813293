package oauth

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// sessionBegan is what a login is called here. To its owner one of a new device is that alone, see db.History.
var sessionBegan = web.Choice{Value: db.EventLogin, Text: "deskSessionBegan"}

// events lists the events that are looked for, the newest first.
func (e desk) events() error {
	frame, err := e.frame(deskEvents)
	if err != nil {
		return err
	}
	page := web.DeskEvents{Desk: frame, Name: plain(e.asked("name")), From: e.asked("from"), Until: e.asked("until")}
	kinds := []web.Choice{{Text: "deskAnyKind"}}
	for _, k := range eventTexts {
		if k.Value == sessionBegan.Value {
			k = sessionBegan
		}
		kinds = append(kinds, k)
	}
	var kind string
	page.Kinds, kind = chosen(kinds, e.asked("kind"))
	filter := db.EventFilter{Since: e.day(&page.From, 0), Until: e.day(&page.Until, 1)}
	if filter.Localpart, err = e.named(page.Name); err != nil {
		return err
	}
	if kind != "" {
		filter.Kinds = []string{kind}
	}
	list := []string{"name", page.Name, "kind", kind, "from", page.From, "until", page.Until}
	if err := e.eventPage(&page, filter, list); err != nil {
		return err
	}
	return e.render(http.StatusOK, page)
}

// named is the account whose events are looked for, in its own letters. One that is not there, or no longer, may have
// events all the same. The user id of another server stays as it was typed, and no account is called that.
func (e desk) named(typed string) (string, error) {
	if typed == "" {
		return "", nil
	}
	name := cmp.Or(handlers.Spelled(typed, e.server.ServerName), typed)
	u, err := e.server.DB.UserNamed(e.ctx, name)
	if errors.Is(err, db.ErrNotFound) {
		return strings.ToLower(name), nil
	}
	return u.Localpart, err
}

// day is the beginning of a day that was typed, or of one some days later. What is none is forgotten.
func (desk) day(typed *string, later int) time.Time {
	at, err := time.Parse(time.DateOnly, *typed)
	if err != nil {
		*typed = ""
		return time.Time{}
	}
	return at.AddDate(0, 0, later)
}

// eventPage fills the page in, of events before the one that the address names.
func (e desk) eventPage(page *web.DeskEvents, filter db.EventFilter, list []string) error {
	at, _ := strconv.ParseInt(e.asked("at"), 10, 64) // from the newest on if it is no number
	before := db.Event{At: db.FromMillis(at), Localpart: e.asked("of"), Session: e.asked("session"),
		Kind: e.asked("what")}
	events, err := e.server.DB.EventPage(e.ctx, filter, before, pageOfDesk+1)
	if err != nil {
		return err
	}
	events, more := cut(events, pageOfDesk)
	views := map[string]string{"": ""} // by name
	for _, event := range events {
		shows := e.deskEvent(event, nil)
		if view, known := views[event.Localpart]; known {
			shows.View = view
		} else if shows.View, err = e.viewOf(event.Localpart); err != nil {
			return err
		}
		views[event.Localpart] = shows.View
		if event.Kind == sessionBegan.Value {
			shows.Text = sessionBegan.Text
		}
		page.List = append(page.List, shows)
	}
	if at != 0 {
		page.Pager.First = deskAt(deskEvents, list...)
	}
	if more {
		last := events[len(events)-1]
		page.Pager.Next = deskAt(deskEvents, append(list, "at", strconv.FormatInt(db.Millis(last.At), 10), "of",
			last.Localpart, "session", last.Session, "what", last.Kind)...)
	}
	return nil
}

// viewOf is the address of the account of a name, or of its sign-up; empty: there is neither, or no longer.
func (e desk) viewOf(localpart string) (string, error) {
	_, err := e.server.DB.User(e.ctx, localpart)
	if err == nil {
		return deskAt(deskPerson, "name", localpart), nil
	}
	if errors.Is(err, db.ErrNotFound) {
		if _, err = e.server.DB.WaitingUser(e.ctx, localpart); err == nil {
			return deskAt(deskSignUps), nil
		}
	}
	if errors.Is(err, db.ErrNotFound) {
		err = nil
	}
	return "", err
}

// deskEvent is an event as an operator sees it.
func (e desk) deskEvent(event db.Event, devices map[string]web.Device) web.DeskEvent {
	shows := web.DeskEvent{Event: e.eventOf(event, devices)}
	if event.Localpart != "" {
		shows.UserID = e.user(event.Localpart)
	}
	if shows.ByOperator {
		shows.By = plain(event.Agent)
	}
	return shows
}
