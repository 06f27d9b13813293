// Package notify tells operators of what they should look at: at a mail address, or by a webhook.
//
// # How
//
// What is told are events (package db), of the few kinds in kinds. The transaction that records one writes a delivery
// for each target, see [OnEvent], so that neither is there without the other; whoever records it, the command line
// too. So where to tell is a fact of the database ([Keep]). A sender, which sends the mails as well, claims deliveries
// and calls [Notices.Send] or [Notices.Mail], which say what has happened by then.
//
// # At most one an hour of a kind
//
// A delivery's id names the kind, the hour and the target, and no two have the same id. The first event of an hour is
// told at once. Those after it are told together, as the notice of the next hour, when that begins.
//
// # Laws
//
//  1. A webhook reaches no internal address, unless its operator allows it, and no redirect is followed. The address
//     is judged as the connection is made, so that no name can lead elsewhere by then. See [Webhook].
//  2. Its URL may be a secret. It is no target's name (see [Target.String]), so it is neither stored, logged nor shown.
//  3. What others have chosen, such as a localpart, cannot ring anybody's bell at a receiver: see code.
package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"postern/db"
)

// kinds are the events that are told, by what a person reads of them.
var kinds = map[string]string{
	db.EventReplay: "A refresh token was used that had been replaced already. The session was logged out.",
	// of package oauth
	db.EventCodeReplay:    "An authorization code was redeemed a second time. The session was logged out.",
	db.EventPasskeyCopied: "A passkey was refused whose signature counter had gone back, as that of a copy does.",
	db.EventCaughtUp:      "A token was newer than the database, which must have lost what was written last.",
	db.EventAdminOn:       "An account was made an administrator.",
	db.EventWaiting:       "An account was asked for, and waits for approval.",
	db.EventFlood:         "Attempts are refused by the rate limit, more than 300 a minute.",
	db.EventOutbox:        "The homeserver is not told of a change: it waits for 10 minutes, or is refused.",
	db.EventMail:          "Mail cannot be sent: some waits for 10 minutes already.",
}

// commands show more of a kind; of one that has none, `postern session events`.
var commands = map[string]string{
	db.EventWaiting: "postern user list --waiting",
	db.EventOutbox:  "postern synapse outbox",
	db.EventMail:    "postern mail list",
}

// parts are those of the operator's desk that show more of a kind; of one that has none, the events.
var parts = map[string]string{
	db.EventWaiting: "?action=signups",
	db.EventOutbox:  "?action=queues",
	db.EventMail:    "?action=queues",
}

// keptFor is how long a notice is tried, and how long its id is taken.
const keptFor = 24 * time.Hour

// setting is the name of the setting that holds the targets, one a line.
const setting = "notify"

// Webhooks are the deliveries that this package sends itself.
const Webhooks db.To = "http"

// Kind is that of all deliveries of this package.
const Kind = "notice" // as handlers.MailNotice is

// told are the events that a notice tells of: those of a kind, from Since and before Until, but for those at But, of
// which the notice before has told; in milliseconds.
type told struct {
	Kind              string
	Since, Until, But int64
}

// OnEvent makes the hook of a database (db.Config.OnEvent), which writes what operators are told of an event. It calls
// wake when that is committed.
func OnEvent(wake func()) func(t *db.Tx, e db.Event) error {
	return func(t *db.Tx, e db.Event) error {
		if kinds[e.Kind] == "" {
			return nil
		}
		var targets string
		_, err := t.Get(`SELECT value FROM settings WHERE name = $1`, []any{&targets}, setting)
		if err != nil || targets == "" {
			return err
		}
		t.AfterCommit(wake)
		return queueAll(t, e, targets)
	}
}

// queueAll has an event told at each target.
func queueAll(t *db.Tx, e db.Event, targets string) error {
	for target := range strings.Lines(targets) {
		if e.Kind == db.EventMail && strings.HasPrefix(target, "mailto:") {
			continue // it would come when there is nothing to tell any more
		}
		if err := queue(t, e, strings.TrimSpace(target)); err != nil {
			return err
		}
	}
	return nil
}

// queue has an event told at a target: now if it is the first of its kind and hour, else when the next hour begins.
func queue(t *db.Tx, e db.Event, target string) error {
	hour, at := e.At.Truncate(time.Hour), db.Millis(e.At)
	first, err := deliver(t, e, target, hour, told{e.Kind, at, at + 1, 0})
	if first || err != nil {
		return err
	}
	var before int64 // when the notice of this hour was written: within it, or in the one before
	_, err = t.Get(`SELECT created FROM deliveries WHERE id = $1`, []any{&before}, id(e.Kind, hour, target))
	if err != nil {
		return err
	}
	next := hour.Add(time.Hour)
	_, err = deliver(t, e, target, next, told{e.Kind, db.Millis(hour), db.Millis(next), before})
	return err
}

// deliver writes the notice of an hour, unless there is one.
func deliver(t *db.Tx, e db.Event, target string, hour time.Time, of told) (written bool, err error) {
	body, err := json.Marshal(of)
	if err != nil {
		return false, err // unreachable: a text and two numbers
	}
	due := hour
	if due.Before(e.At) {
		due = e.At
	}
	return t.Deliver(db.Delivery{ID: id(e.Kind, hour, target), Kind: Kind, Target: target, Sealed: body,
		Created: e.At, Due: due, Expires: due.Add(keptFor)})
}

// id names a notice.
func id(kind string, hour time.Time, target string) string {
	return "notify/" + kind + "/" + hour.UTC().Format("2006-01-02T15") + "/" + digest(target)
}

// digest stands for a text where that must not be seen, or is too long.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
