package db

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Browser is one in which the owner of an account has signed in on the server's pages. It has no tokens: it may only
// look at the pages, and lets clients in from there.
type Browser struct {
	ID        string // of what its cookie holds, a hash
	Localpart string
	Since     Seen      // when it signed in, and from where
	Proved    time.Time // when somebody last showed in it that the account is theirs
	Expires   time.Time
	LetIn     []string // the sessions that began in it, for clients that are web pages; see NoteLetIn
	Again     bool     // it was signed in all along and gets another id, which is no event
}

// Began reports whether a session began in the browser, for a client that is a page of it.
func (b Browser) Began(id string) bool { return slices.Contains(b.LetIn, id) }

// maxBrowsers bounds the browsers of one account: the oldest of more is signed out.
const maxBrowsers = 50

const (
	browserColumns = `id, localpart, created, proved, expires, addr, agent, let_in`

	// The account has to be what it was when its owner showed the password, which took its time.
	addBrowser = `INSERT INTO browsers (` + browserColumns + `)
		SELECT $1, localpart, $3, $4, $5, $6, $7, $10 FROM users
		WHERE localpart = $2 AND password_hash = $8 AND deactivated = 0 AND ($9 OR NOT ` + secondFactor + `)
		RETURNING id`

	crowdOutBrowsers = `DELETE FROM browsers WHERE id IN
		(SELECT id FROM browsers WHERE localpart = $1 ORDER BY created DESC, id LIMIT 100 OFFSET $2)`

	endBrowser       = `DELETE FROM browsers WHERE id = $1 AND localpart = $2 RETURNING id`
	endBrowsers      = `DELETE FROM browsers WHERE localpart = $1`
	endOtherBrowsers = `DELETE FROM browsers WHERE localpart = $1 AND id <> $2 RETURNING id`
	noteProof        = `UPDATE browsers SET proved = $2 WHERE id = $1`

	// Of more than fit the oldest ones go; what is left of an id is none.
	noteLetIn = `UPDATE browsers SET let_in = SUBSTR(CAST($2 AS TEXT) || ' ' || let_in, 1, 1000) WHERE id = $1`

	tidyBrowsers = `DELETE FROM browsers WHERE id IN
		(SELECT id FROM browsers WHERE expires < $1 ORDER BY expires LIMIT $2) RETURNING id`
)

func scanBrowser(scan func(...any) error) (b Browser, err error) {
	var since, proved, expires int64
	var letIn string
	err = scan(&b.ID, &b.Localpart, &since, &proved, &expires, &b.Since.Addr, &b.Since.Agent, &letIn)
	b.LetIn = strings.Fields(letIn)
	b.Since.At, b.Proved, b.Expires = FromMillis(since), FromMillis(proved), FromMillis(expires)
	return b, err
}

// AddBrowser signs a browser in to an account; ErrConflict if that is not what it was when its hash was verified, or
// has a second factor that was not shown. It ends with the account's next password.
func (d *DB) AddBrowser(ctx context.Context, b Browser, hash string, secondFactor bool) error {
	return d.must(ctx, account(b.Localpart), ErrConflict, func(t *Tx) (bool, error) {
		since := b.Since.Clip()
		made, err := t.Get(addBrowser, nil, b.ID, b.Localpart, Millis(since.At), Millis(b.Proved), Millis(b.Expires),
			since.Addr, since.Agent, hash, secondFactor, strings.Join(b.LetIn, " "))
		if err == nil && made {
			err = t.Exec(crowdOutBrowsers, b.Localpart, maxBrowsers)
		}
		if err == nil && made && !b.Again {
			err = t.Record(Event{At: since.At, Kind: EventBrowser, Localpart: b.Localpart, Session: b.ID,
				Addr: since.Addr, Agent: since.Agent})
		}
		return made, err
	})
}

// Browser finds one; else ErrNotFound. Its time may be over.
func (d *DB) Browser(ctx context.Context, id string) (Browser, error) {
	return one(ctx, d, `SELECT `+browserColumns+` FROM browsers WHERE id = $1`, scanBrowser, id)
}

// Browsers lists an account's, the newest first.
func (d *DB) Browsers(ctx context.Context, localpart string) ([]Browser, error) {
	return list(ctx, d, `SELECT `+browserColumns+` FROM browsers WHERE localpart = $1 ORDER BY created DESC, id`,
		scanBrowser, localpart)
}

// EndBrowser signs one of an account's out; ErrNotFound if it is not signed in to it.
func (d *DB) EndBrowser(ctx context.Context, localpart, id string) error {
	return d.must(ctx, account(localpart), ErrNotFound,
		func(t *Tx) (bool, error) { return t.Get(endBrowser, nil, id, localpart) })
}

// NoteProof notes that the account's owner has shown the password in a browser again.
func (d *DB) NoteProof(ctx context.Context, id string, when time.Time) error {
	return d.exec(ctx, onRow(id), noteProof, id, Millis(when))
}

// NoteLetIn notes that a session begins in a browser: a client that is a page of it was let in there. It need not have
// begun yet.
func (d *DB) NoteLetIn(ctx context.Context, id, session string) error {
	return d.exec(ctx, onRow(id), noteLetIn, id, session)
}
