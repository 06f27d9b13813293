package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"postern/db"
)

// Notice is what a webhook posts, as JSON. Fields may be added, and none changes its meaning.
type Notice struct {
	Type       string    `json:"type"`        // the kind of event, or "test"
	Timestamp  time.Time `json:"timestamp"`   // of the newest event
	ServerName string    `json:"server_name"` // which server it is about
	Count      int       `json:"count"`       // events of this kind that no notice has told of before
	Since      time.Time `json:"since"`       // of the oldest of them, or before
	Text       string    `json:"text"`        // all that for a person, as receivers of chats show it
	Events     []Event   `json:"events"`      // the newest of them, at most ten
}

// Event is one of the events that a notice tells of. What it is not about is empty.
type Event struct {
	Time     time.Time `json:"time"`
	UserID   string    `json:"user_id,omitempty"`
	DeviceID string    `json:"device_id,omitempty"`
	Address  string    `json:"address,omitempty"`
}

// maxListed bounds the events that a notice lists, and maxNamed the accounts and addresses in its text.
const (
	maxListed = 10
	maxNamed  = 5
)

// ErrNoTarget says that a notice is for a target that is none any more.
var ErrNoTarget = errors.New("it is no target of --notify any more")

// Notices writes notices, and sends those that are webhooks. Its methods may be called from any goroutine.
type Notices struct {
	DB         *db.DB
	ServerName string
	Now        func() time.Time
	Targets    []Target
	Webhook    Webhook // without a URL
	Desk       string  // address of the operator's desk, for mails; empty: there is none
}

// Send posts a delivery to its webhook, once. ErrNoTarget if there is no use in trying again.
func (n *Notices) Send(ctx context.Context, v db.Delivery) error {
	at := slices.IndexFunc(n.Targets, func(t Target) bool { return t.URL != nil && t.String() == v.Target })
	if at < 0 {
		return ErrNoTarget
	}
	notice, err := n.read(ctx, v)
	if err != nil {
		return err
	}
	return n.post(ctx, n.Targets[at], v.ID, notice)
}

// Mail is what a delivery to a mail address says: what it is about, and a text. ErrNoTarget as for Send.
func (n *Notices) Mail(ctx context.Context, v db.Delivery) (what, text string, err error) {
	if !slices.ContainsFunc(n.Targets, func(t Target) bool { return t.URL == nil && t.String() == v.Target }) {
		return "", "", ErrNoTarget
	}
	notice, err := n.read(ctx, v)
	what, text = notice.mail()
	if n.Desk != "" {
		text += "\n" + n.Desk + cmp.Or(parts[notice.Type], "?action=events")
	}
	return what, text, err
}

// mail is a notice as a mail, of several lines, and what it is about as its subject. It is plain text: what others have
// chosen stands for itself there, and a command too.
func (n Notice) mail() (what, text string) {
	lines := n.lines()
	return strings.TrimSuffix(lines[0], "."), strings.ReplaceAll(strings.Join(lines, "\n"), "`", "")
}

// Test posts a notice that says that it is a test to a webhook.
func (n *Notices) Test(ctx context.Context, t Target) error {
	return n.post(ctx, t, "notify/test/"+n.Now().UTC().Format("2006-01-02T15:04:05Z"), n.test())
}

// TestMail is such a notice as a mail.
func (n *Notices) TestMail() (what, text string) { return n.test().mail() }

func (n *Notices) test() Notice {
	now := n.Now().UTC()
	test := Notice{Type: "test", Timestamp: now, ServerName: n.ServerName, Count: 1, Since: now, Events: []Event{}}
	test.Text = test.text()
	return test
}

func (n *Notices) post(ctx context.Context, t Target, id string, notice Notice) error {
	body, err := json.Marshal(notice)
	if err != nil {
		return err // unreachable: texts, times and numbers
	}
	hook := n.Webhook
	hook.URL = t.URL
	return hook.Post(ctx, id, body, n.Now())
}

// read makes the notice of a delivery from the events as they are now.
func (n *Notices) read(ctx context.Context, v db.Delivery) (Notice, error) {
	var of told
	if err := json.Unmarshal(v.Sealed, &of); err != nil {
		return Notice{}, err
	}
	notice := Notice{Type: of.Kind, ServerName: n.ServerName, Events: []Event{}}
	notice.Since = db.FromMillis(max(of.Since, of.But)).UTC()
	const these = ` FROM events WHERE kind = $1 AND at >= $2 AND at < $3 AND at <> $4`
	args := []any{of.Kind, of.Since, of.Until, of.But}
	if _, err := n.DB.Get(ctx, `SELECT COUNT(*)`+these, []any{&notice.Count}, args...); err != nil {
		return Notice{}, err
	}
	notice.Count = max(notice.Count, 1) // that of a deleted account may be gone
	const newest = `SELECT at, localpart, device_id, addr` + these + ` ORDER BY at DESC, localpart, session_id LIMIT $5`
	err := n.DB.Read(ctx, newest, append(args, maxListed), func(scan func(...any) error) error {
		var at int64
		var e Event
		err := scan(&at, &e.UserID, &e.DeviceID, &e.Address)
		if e.Time = db.FromMillis(at).UTC(); e.UserID != "" {
			e.UserID = "@" + e.UserID + ":" + n.ServerName
		}
		notice.Events = append(notice.Events, e)
		return err
	})
	if len(notice.Events) > 0 {
		notice.Timestamp = notice.Events[0].Time
	} else {
		notice.Timestamp = notice.Since
	}
	notice.Text = notice.text()
	return notice, err
}

// text is a notice for a person.
func (n Notice) text() string { return n.ServerName + ": " + strings.Join(n.lines(), " ") }

// lines are what a notice says to a person.
func (n Notice) lines() []string {
	if n.Type == "test" {
		return []string{"This is a test of --notify.", "Nothing has happened."}
	}
	var accounts, addresses []string
	for _, e := range n.Events {
		localpart, _, _ := strings.Cut(strings.TrimPrefix(e.UserID, "@"), ":")
		accounts, addresses = also(accounts, localpart), also(addresses, e.Address)
	}
	when := n.Timestamp.Format("2006-01-02 15:04:05 UTC") + "."
	if n.Count > 1 {
		when = fmt.Sprintf("%d times since %s.", n.Count, n.Since.Format("2006-01-02 15:04 UTC"))
	}
	all := append([]string{kinds[n.Type], when}, listed("Account", accounts)...)
	all = append(all, listed("Address", addresses)...)
	return append(all, "See: `"+cmp.Or(commands[n.Type], "postern session events")+"`")
}

// also adds a text to others, unless it is empty or one of them.
func also(all []string, text string) []string {
	if text == "" || slices.Contains(all, text) {
		return all
	}
	return append(all, text)
}

// listed names some of what a notice is about, if there is any.
func listed(noun string, all []string) []string {
	if len(all) == 0 {
		return nil
	}
	shown := make([]string, 0, maxNamed)
	for _, text := range all[:min(len(all), maxNamed)] {
		shown = append(shown, code(text))
	}
	rest := "."
	if len(all) > maxNamed {
		rest = " and more."
	}
	return []string{noun + ": " + strings.Join(shown, ", ") + rest}
}

// code writes what others have chosen as code in Markdown, without what ends that. A chat takes nothing there for a
// link, a name or a call to everybody; an account may be called channel, here or room.
func code(text string) string {
	return "`" + strings.Map(func(r rune) rune {
		if strings.ContainsRune("`<>&|", r) || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text) + "`"
}
