package web

import (
	"maps"
	"time"
)

var (
	everyDesk = Desk{UserID: "@alice:example.org", Account: "alice", Form: "x", Said: "deskLocked",
		Parts: []DeskPart{{"deskPeople", "/p", true, 3}, {"deskQueues", "/q", false, 0}},
		Wrong: Wrong{Text: "deskChoose"}}
	everyLine = PersonLine{UserID: "@bob:example.org", View: "/v", State: "deskActive", Admin: true, SecondFactor: true,
		Created: everyMoment, Sessions: 2}
	everyPager  = Pager{"/f", "/n"}
	everyChoice = []Choice{{Text: "deskAnyState", Chosen: true}, {Value: "x", Text: "deskIsLocked"}}
	everySeen   = []DeskEvent{{Event: everyEvent, UserID: "@bob:example.org", View: "/v"},
		{Event: Event{Kind: "odd"}, By: "desk: alice"}}
	everyPlot  = Plot{"deskLogins", []Bar{{"2026-01-01", 0}, {"2026-01-02", 7}}}
	everyGuest = Invitation{Token: "t", Link: "https://example.org/register?token=t", State: "deskGood", Good: true,
		Allowed: 2, Used: 1, Reserved: 1, Made: everyMoment, Expires: time.Unix(9, 0)}
)

// everyDeskPage is one of each kind of the desk's.
var everyDeskPage = map[string]Page{
	"numbers.html": Numbers{Desk: everyDesk, Totals: []Total{{"deskAccounts", 3, "/p"}, {"deskAllSessions", 4, ""}},
		Daily: []Plot{everyPlot}, Hourly: []Plot{everyPlot, {Text: "deskRefreshes"}}, Since: everyMoment},
	"people.html": People{Desk: everyDesk, Query: "bo", States: everyChoice,
		Lines: []PersonLine{everyLine, {State: "deskIsLocked"}}, Pager: everyPager, Add: "/a"},
	"newperson.html": NewPerson{Desk: everyDesk, Name: "bob", ByURL: true, Rules: everyRules, Back: "/b"},
	"person.html": Person{Desk: everyDesk, Person: everyLine, Locked: true,
		Devices: []PersonDevice{{everyDevice, true, "/e"}, {}}, More: 3, Browsers: []Browser{everyBrowser, {}},
		Factors: []Factor{{"passkey", "Chrome", everyMoment, everyMoment}}, Recovery: 3,
		Emails: []string{"bob@example.org", "b@example.org"}, Events: everySeen, Past: "/e", Action: "/a"},
	"personlink.html": PersonLink{Desk: everyDesk, Whom: "@bob:example.org", Link: "https://example.org/r", Back: "/b",
		Until: time.Unix(9, 0)},
	"signups.html": SignUps{Desk: everyDesk, List: []SignUp{everySignUp}, More: 7, Mail: true,
		Decided: Decided{"deskApproved", []SignUp{everySignUp, {UserID: "@al:example.org"}}}},
	"rejectsignups.html": RejectSignUps{Desk: everyDesk, List: []SignUp{everySignUp}, Back: "/b"},
	"invitations.html": Invitations{Desk: everyDesk, Made: &everyGuest, Token: "n", Uses: "1", Days: "7",
		List: []Invitation{everyGuest, {Token: "u", State: "deskIsRevoked"}}, Pager: everyPager},
	"deskevents.html": DeskEvents{Desk: everyDesk, Name: "bob", From: "2026-01-01", Until: "2026-01-02",
		Kinds: everyChoice, List: everySeen, Pager: everyPager},
	"queues.html": Queues{Desk: everyDesk, Queues: []Queue{{Text: "deskOutbox", Means: "deskOutboxMeans", More: 2,
		List: []Queued{{Whom: "@bob:example.org", Device: "ABC", Since: everyMoment, Tries: 3, Next: time.Unix(9, 0),
			Error: "away"}, {Text: "deskMail", Whom: "b@example.org", Refused: true, Kind: "eventPassword",
			About: "@bob:example.org", View: "/bob"}, {}}},
		{Text: "deskMails", Means: "deskMailsMean", NoMail: true, Retry: true, List: []Queued{{Text: "deskWebhook",
			KindName: "odd", Planned: true, Next: time.Unix(9, 0)}, {Text: "deskMail", Planned: true}}},
		{Text: "deskMails", Means: "deskMailsMean"}}},
}

// joined are the pages of both.
func joined(a, b map[string]Page) map[string]Page {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

var everySignUp = SignUp{"bob", "@bob:example.org", "192.0.2.1", "bob@example.org", everyMoment, "/p"}
