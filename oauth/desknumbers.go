package oauth

import (
	"net/http"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// plotDays is how many days the drawings of events show. The last one is not over yet.
const plotDays = 30

// numbers is the first page of the desk: how many there are now, and what has happened lately.
//
// What happened by day is counted in the events, so it outlives restarts and is the same at every replica. What leaves
// no event, refusals and refreshes, is what this process has counted since its start, and the page says so.
func (e desk) numbers() error {
	frame, err := e.frame(deskNumbers)
	if err != nil {
		return err
	}
	page := web.Numbers{Desk: frame}
	if page.Totals, err = e.totals(); err != nil {
		return err
	}
	for _, p := range []struct{ kind, Text string }{
		{kind: db.EventLogin, Text: "deskLogins"},
		{kind: db.EventCreated, Text: "deskNewAccounts"},
		{kind: db.EventLogout, Text: "deskLogouts"},
		{kind: db.EventReplay, Text: "deskReplays"},
	} {
		bars, err := e.daily(p.kind)
		if err != nil {
			return err
		}
		page.Daily = append(page.Daily, web.Plot{Text: p.Text, Bars: bars})
	}
	samples := e.server.Metrics.Samples(e.server.Now())
	page.Since, page.Hourly = e.moment(samples[0].At), hourly(samples)
	return e.render(http.StatusOK, page)
}

// totals are how many there are now.
func (e desk) totals() ([]web.Total, error) {
	n, err := e.server.DB.Count(e.ctx, e.server.Now())
	if err != nil {
		return nil, err
	}
	all := []web.Total{
		{Text: "deskAccounts", Value: n.Users, View: deskAt(deskPeople)},
		{Text: "deskLockedAccounts", Value: n.Locked, View: deskAt(deskPeople, "state", string(db.UserLocked))},
		{Text: "deskClosedAccounts", Value: n.Deactivated,
			View: deskAt(deskPeople, "state", string(db.UserDeactivated))},
		{Text: "deskAdmins", Value: n.Admins, View: deskAt(deskPeople, "state", adminsOnly)},
		{Text: "deskAllSessions", Value: n.Sessions},
		{Text: "deskWaiting", Value: n.Waiting, View: deskAt(deskSignUps)},
		{Text: "deskInvitationsGood", Value: n.Invitations, View: deskAt(deskInvitations)},
		{Text: "deskUnsentMail", Value: n.Deliveries, View: deskAt(deskQueues)},
	}
	if e.server.Outbox != nil {
		_, waits, err := e.server.Outbox(e.ctx, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, web.Total{Text: "deskUnsent", Value: waits, View: deskAt(deskQueues)})
	}
	return all, nil
}

// daily counts the events of a kind by day.
func (e desk) daily(kind string) ([]web.Bar, error) {
	const day = 24 * time.Hour
	first := e.server.Now().UTC().Truncate(day).AddDate(0, 0, 1-plotDays)
	counted, err := e.server.DB.EventDays(e.ctx, kind, first)
	var bars []web.Bar
	for i := range plotDays {
		at := first.AddDate(0, 0, i)
		bars = append(bars, web.Bar{Label: at.Format(time.DateOnly), Value: counted[at]})
	}
	return bars, err
}

// hourly are the differences of what this process had counted at each look of its housekeeping.
func hourly(samples []handlers.Sample) []web.Plot {
	refused, limited := web.Plot{Text: "deskRefusedLogins"}, web.Plot{Text: "deskLimited"}
	refreshes := web.Plot{Text: "deskRefreshes"}
	for i, s := range samples[1:] {
		before := samples[i]
		bar := func(now, was int) web.Bar {
			return web.Bar{Label: before.At.UTC().Format("2006-01-02 15:04"), Value: now - was}
		}
		refused.Bars = append(refused.Bars, bar(s.Refused, before.Refused))
		limited.Bars = append(limited.Bars, bar(s.Limited, before.Limited))
		refreshes.Bars = append(refreshes.Bars, bar(s.Refreshes, before.Refreshes))
	}
	return []web.Plot{refused, limited, refreshes}
}
