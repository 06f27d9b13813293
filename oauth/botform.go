package oauth

import (
	"errors"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/tokens"
	"postern/web"
)

// typedBot is the form as it was filled in, or as it is offered.
func (e accountPages) typedBot() web.NewBot {
	n := web.NewBot{Device: e.typed("device"), Name: strings.TrimSpace(e.typed("name")), May: e.typed("may"),
		Room: strings.TrimSpace(e.typed("room")), Caveats: e.typed("caveats"),
		From: strings.ReplaceAll(e.typed("from"), " ", ""), Until: e.typed("until")}
	if e.server.SessionTTL > 0 {
		n.Latest = e.server.Now().Add(e.server.SessionTTL)
	}
	if !e.r.PostForm.Has("until") { // it was not filled in yet
		n.May = mayRead
		year := e.server.Now().AddDate(1, 0, 0)
		if !n.Latest.IsZero() && n.Latest.Before(year) {
			year = n.Latest
		}
		n.Until = year.UTC().Format(time.DateOnly)
	}
	return n
}

// isDeviceID reports whether a device's id is one that the form was given.
func isDeviceID(id string) bool {
	return len(id) == len("ABCDEFGHIJ") && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// wantedBot reads what was typed, and says what is wrong with it.
func (e accountPages) wantedBot(account db.User, n web.NewBot) (b handlers.Bot, wrong web.Wrong) {
	b = handlers.Bot{Account: account, Name: n.Name, DeviceID: n.Device}
	if !handlers.GoodBotName(n.Name) {
		return b, web.Wrong{Text: "botName", Values: []any{db.MaxDeviceName}}
	}
	if !isDeviceID(n.Device) {
		return b, web.Wrong{Text: "again"}
	}
	lines, wrong := restrictionsOf(n)
	if wrong.Text != "" {
		return b, wrong
	}
	var err error
	if b.Caveats, err = ParseCaveats(lines, e.server.Now()); err != nil {
		return b, badLine(err)
	}
	if n.From != "" {
		from := tokens.Caveat{Key: "addr", Operator: "in", Value: n.From}
		if tokens.Caveats().Sound(from) != nil {
			return b, web.Wrong{Text: "botFrom"}
		}
		b.Caveats = append(b.Caveats, from)
	}
	b.Expires, wrong = e.endOf(n)
	return b, wrong
}

func badLine(err error) web.Wrong {
	var bad *BadCaveat
	if !errors.As(err, &bad) {
		return web.Wrong{Text: "botRestrictions"} // unreachable: there is no other error
	}
	text := []rune(handlers.Printable(strings.ToValidUTF8(bad.Text, "?")))
	return web.Wrong{Text: "botLine", Values: []any{bad.Line, string(text[:min(len(text), 60)])}}
}

// restrictionsOf are the caveats that were chosen, one a line.
func restrictionsOf(n web.NewBot) ([]string, web.Wrong) {
	switch room, ok := roomSegment(n.Room); {
	case botKinds[n.May].Text == "":
		return nil, web.Wrong{Text: "botRestrictions"}
	case n.May == mayRoom && !ok:
		return nil, web.Wrong{Text: "botRoomID"}
	case n.May == mayOwn && strings.TrimSpace(n.Caveats) == "":
		return nil, web.Wrong{Text: "botNoLine"}
	case n.May == mayOwn:
		return strings.Split(strings.ReplaceAll(n.Caveats, "\r\n", "\n"), "\n"), web.Wrong{}
	default:
		return readyMade(n.May, room), web.Wrong{}
	}
}

// endOf is the end of the day that was chosen, or none.
func (e accountPages) endOf(n web.NewBot) (time.Time, web.Wrong) {
	if n.Until == "" && n.Latest.IsZero() {
		return time.Time{}, web.Wrong{}
	}
	day, err := time.Parse(time.DateOnly, n.Until)
	end := day.AddDate(0, 0, 1)
	switch {
	case err != nil || !end.After(e.server.Now()) || day.Year() > 9998:
		return time.Time{}, web.Wrong{Text: "botUntil"}
	case !n.Latest.IsZero() && day.After(n.Latest):
		return time.Time{}, web.Wrong{Text: "botLatest", Values: []any{n.Latest.UTC().Format(time.DateOnly)}}
	case !n.Latest.IsZero() && end.After(n.Latest):
		return n.Latest, web.Wrong{}
	}
	return end, web.Wrong{}
}
