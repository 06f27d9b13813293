package oauth

import (
	"net/http"
	"slices"
	"strconv"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

const (
	recentEvents  = 10 // on the account page
	pageOfEvents  = 50
	noticesAtOnce = 5 // of new devices; those after them are shown once these are dismissed
)

// eventTexts say what has happened, by the kind of event. One that is not here is shown by its kind.
var eventTexts = []web.Choice{
	{Value: db.EventLogin, Text: "eventLogin"},
	{Value: db.EventNewDevice, Text: "eventNewDevice"},
	{Value: db.EventLogout, Text: "eventLogout"},
	{Value: db.EventReplay, Text: "eventReplay"},
	{Value: db.EventKeyRetired, Text: "eventKeyRetired"},
	{Value: db.EventCaughtUp, Text: "eventCaughtUp"},
	{Value: db.EventCodeReplay, Text: "eventCodeReplay"},
	{Value: db.EventDeviceGone, Text: "eventDeviceGone"},
	{Value: db.EventCreated, Text: "eventCreated"},
	{Value: db.EventApproved, Text: "eventApproved"},
	{Value: db.EventWaiting, Text: "eventWaiting"},
	{Value: db.EventRejected, Text: "eventRejected"},
	{Value: db.EventPassword, Text: "eventPassword"},
	{Value: db.EventDeactivated, Text: "eventDeactivated"},
	{Value: db.EventReactivated, Text: "eventReactivated"},
	{Value: db.EventLocked, Text: "eventLocked"},
	{Value: db.EventUnlocked, Text: "eventUnlocked"},
	{Value: db.EventAdminOn, Text: "eventAdminOn"},
	{Value: db.EventAdminOff, Text: "eventAdminOff"},
	{Value: db.EventInvited, Text: "eventInvited"},
	{Value: db.EventInviteRevoked, Text: "eventInviteRevoked"},
	{Value: db.EventLoginLink, Text: "eventLoginLink"},
	{Value: db.EventResetLink, Text: "eventResetLink"},
	{Value: db.EventFlood, Text: "eventFlood"},
	{Value: db.EventOutbox, Text: "eventOutbox"},
	{Value: db.EventMail, Text: "eventMail"},
	{Value: db.EventFactorAdded, Text: "eventFactorAdded"},
	{Value: db.EventFactorRemoved, Text: "eventFactorRemoved"},
	{Value: db.EventFactorsCleared, Text: "eventFactorsCleared"},
	{Value: db.EventRecoveryMade, Text: "eventRecoveryMade"},
	{Value: db.EventRecoveryUsed, Text: "eventRecoveryUsed"},
	{Value: db.EventEmailAdded, Text: "eventEmailAdded"},
	{Value: db.EventEmailRemoved, Text: "eventEmailRemoved"},
	{Value: db.EventPasskeyCopied, Text: "eventPasskeyCopied"},
	{Value: db.EventTokenIssued, Text: "eventTokenIssued"},
	{Value: db.EventTokenEnded, Text: "eventTokenEnded"},
	{Value: db.EventBrowser, Text: "eventBrowser"},
}

// events fills the part of the account page that lists what has happened lately.
func (e accountPages) events(has owned, page *web.Account) (err error) {
	page.Past = action(actionEvents, "")
	page.Events, _, err = e.happened(has.account, has.devices, 0, recentEvents)
	return err
}

// happened lists events, the newest first, and whether there are more.
func (e accountPages) happened(account db.User, devices map[string]web.Device, skip, limit int) (all []web.Event,
	more bool, err error) {
	events, err := e.server.DB.History(e.ctx, account.Localpart, skip, limit+1)
	if err != nil {
		return nil, false, err
	}
	events, more = cut(events, limit)
	for _, event := range events {
		all = append(all, e.eventOf(event, devices))
	}
	return all, more, nil
}

// eventOf is an event as the account's owner sees it.
func (e accountPages) eventOf(event db.Event, devices map[string]web.Device) web.Event {
	shows := web.Event{At: e.moment(event.At), From: e.place(event.Addr), Device: devices[event.DeviceID]}
	if shows.Device.ID == "" { // it has gone, or there was none
		shows.Device.Name = shown(event.DeviceID)
	}
	// The command line has no address; whoever has one may say anything.
	if shows.ByOperator = event.Addr == "" && event.Agent != ""; !shows.ByOperator {
		shows.Agent = beside(readAgent(event.Agent), shows.Device)
	}
	if shows.Text = textOf(eventTexts, event.Kind); shows.Text == "" {
		shows.Kind = shown(event.Kind)
	}
	return shows
}

// history is the page of all events, and takes the answer to the notice of new devices.
func (e accountPages) history(account db.User) error {
	if e.did == "dismiss" {
		until, _ := strconv.ParseInt(e.typed("until"), 10, 64) // dismisses nothing if it is no number
		if err := e.server.DB.DismissNewDevices(e.ctx, account.Localpart, db.FromMillis(until)); err != nil {
			return err
		}
		return e.leave(handlers.AccountPath)
	}
	skip, _ := strconv.Atoi(e.r.URL.Query().Get("skip")) // it begins with the newest if it is no number
	skip = max(skip, 0)
	sessions, err := e.server.DB.Sessions(e.ctx, account.Localpart)
	if err != nil {
		return err
	}
	devices, err := e.devicesOf(sessions)
	if err != nil {
		return err
	}
	events, more, err := e.happened(account, devices, skip, pageOfEvents)
	if err != nil {
		return err
	}
	page := web.History{UserID: e.userID(account), Events: events, Back: handlers.AccountPath}
	if skip > 0 {
		page.Newer = pageFrom(max(0, skip-pageOfEvents))
	}
	if more {
		page.Older = pageFrom(skip + pageOfEvents)
	}
	return e.render(http.StatusOK, page)
}

func pageFrom(skip int) string {
	return pageAt(handlers.AccountPath, "action", actionEvents, "skip", strconv.Itoa(skip))
}

// notices fills the part of the account page that asks for new devices. A client that is a page of this browser was let
// in here a moment ago, so nobody is asked here. Nor is anybody asked for a browser that has signed in to the pages: it
// is among those that are listed, and in the events.
func (e accountPages) notices(has owned, page *web.Account) error {
	events, err := e.server.DB.NewDevices(e.ctx, has.account.Localpart, noticesAtOnce+1+len(e.browser.LetIn))
	if err != nil || len(events) == 0 {
		return err
	}
	events = slices.DeleteFunc(events, func(n db.Event) bool { return e.browser.Began(n.Session) })
	events, page.New.More = cut(events, noticesAtOnce)
	for _, event := range events {
		d, there := has.devices[event.DeviceID]
		if !there {
			d.Name = shown(event.DeviceID)
		}
		d.From = e.place(event.Addr)
		page.New.All = append(page.New.All, web.NewDevice{Device: d, At: e.moment(event.At), Gone: !there})
		page.New.Until = strconv.FormatInt(event.At.UnixMilli(), 10)
	}
	return nil
}
