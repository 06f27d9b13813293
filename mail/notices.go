package mail

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"postern/db"
	"postern/handlers"
)

// Notices queues mails about what happens to accounts.
type Notices struct {
	mu   sync.Mutex
	news []chan struct{} // of each sender
}

// NewNotices makes the hook of a database that is not open yet.
func NewNotices() *Notices { return new(Notices) }

// Wake says that something was queued.
func (n *Notices) Wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, news := range n.news {
		select {
		case news <- struct{}{}:
		default:
		}
	}
}

// maxPause is the longest one of WakeSoon.
const maxPause = time.Second

// WakeSoon is Wake after a random pause: how busy the sender is must not tell whoever has asked for a mail whether
// there is one.
func (n *Notices) WakeSoon() { time.AfterFunc(mrand.N(maxPause), n.Wake) }

// News is for [Config.News] of one sender. It gets a value, at most one at a time, when this process has queued
// something.
func (n *Notices) News() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	news := make(chan struct{}, 1)
	n.news = append(n.news, news)
	return news
}

// enabled is the setting that says that a server on this database sends mail. It is a fact of the database and not of a
// process: the command line changes passwords, too.
const enabled = "mail"

// Enable says whether a server that sends mail serves the database. It says whether that has changed.
func Enable(ctx context.Context, d *db.DB, on bool) (changed bool, err error) {
	value := ""
	if on {
		value = "on"
	}
	return d.ChangeSetting(ctx, enabled, value)
}

// Enabled reports whether a server that sends mail serves the database.
func Enabled(ctx context.Context, d *db.DB) (bool, error) {
	value, err := d.Setting(ctx, enabled)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return value != "", err
}

const (
	// An address of a deactivated account is none any more.
	readers = `SELECT address, language FROM emails WHERE localpart = $1
		AND EXISTS (SELECT 1 FROM settings WHERE name = '` + enabled + `' AND value <> '') ORDER BY address`

	// An account that was imported was used before, wherever that was.
	usedBefore = `SELECT localpart FROM users WHERE localpart = $1 AND (imported <> ''
		OR EXISTS (SELECT 1 FROM sessions WHERE localpart = $1 AND id <> $2)
		OR EXISTS (SELECT 1 FROM events WHERE localpart = $1 AND session_id <> $2 AND kind = '` + db.EventLogin + `'))`

	deviceName = `SELECT display_name FROM sessions WHERE id = $1`
)

// told are the events of which an account's owner is told.
var told = []string{db.EventNewDevice, db.EventPassword, db.EventEmailAdded, db.EventEmailRemoved, db.EventFactorAdded,
	db.EventFactorRemoved, db.EventFactorsCleared, db.EventApproved}

// limits are for notices of one kind to one address. They are none of those of handlers.MailLimits, so that nobody can
// use them up before they do what is told here; and who sees ten of a kind in an hour knows.
var limits = []db.Limit{{Count: 10, In: time.Hour}, {Count: 50, In: 24 * time.Hour}}

// OnEvent is [db.Config.OnEvent]: it queues a mail to each address of the event's account.
func (n *Notices) OnEvent(t *db.Tx, e db.Event) error {
	if e.Localpart == "" || !slices.Contains(told, e.Kind) {
		return nil
	}
	var to []db.Email
	err := t.Each(readers, []any{e.Localpart}, func(scan func(...any) error) error {
		var a db.Email
		err := scan(&a.Address, &a.Language)
		to = append(to, a)
		return err
	})
	if err != nil || len(to) == 0 {
		return err
	}
	if e.Kind == db.EventNewDevice {
		if used, err := t.Get(usedBefore, nil, e.Localpart, e.Session); err != nil || !used {
			return err // the first device of a new account is not news
		}
	}
	values, err := n.values(t, e)
	for _, a := range to {
		err = cmp.Or(err, n.notice(t, e, a, values))
	}
	return err
}

// values are what a notice says, beside whose account it is.
func (n *Notices) values(t *db.Tx, e db.Event) ([]byte, error) {
	values := map[string]string{"from": e.Addr}
	if e.Addr == "" && e.Agent != "" { // the command line has no address
		values["operator"] = "yes"
	}
	if e.Kind == db.EventNewDevice {
		var name string
		if _, err := t.Get(deviceName, []any{&name}, e.Session); err != nil {
			return nil, err
		}
		values["device"] = cmp.Or(name, e.DeviceID)
	}
	return json.Marshal(values)
}

func (n *Notices) notice(t *db.Tx, e db.Event, to db.Email, values []byte) error {
	_, err := t.DeliverAtMost(db.Delivery{ID: e.Kind + " " + rand.Text(), Kind: e.Kind,
		Target: handlers.MailTarget(to.Address), Localpart: e.Localpart, Language: to.Language, Sealed: values,
		Created: e.At, Expires: e.At.Add(handlers.MailLife)}, limits...)
	if errors.Is(err, db.ErrFull) {
		return nil
	}
	if err == nil {
		t.AfterCommit(n.Wake)
	}
	return err
}
