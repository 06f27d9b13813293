package db

import (
	"context"
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
}

// maxBrowsers bounds the browsers of one account: the oldest of more is signed out.
const maxBrowsers = 50

const (
	browserColumns = `id, localpart, created, proved, expires, addr, agent`

	// The account has to be what it was when its owner showed the password, which took its time.
	addBrowser = `INSERT INTO browsers (` + browserColumns + `)
		SELECT $1, localpart, $3, $4, $5, $6, $7 FROM users
		WHERE localpart = $2 AND password_hash = $8 AND deactivated = 0 AND ($9 OR NOT ` + secondFactor + `)
		RETURNING id`

	crowdOutBrowsers = `DELETE FROM browsers WHERE id IN
		(SELECT id FROM browsers WHERE localpart = $1 ORDER BY created DESC, id LIMIT 100 OFFSET $2)`

	endBrowser  = `DELETE FROM browsers WHERE id = $1 RETURNING id`
	endBrowsers = `DELETE FROM browsers WHERE localpart = $1`
	noteProof   = `UPDATE browsers SET proved = $2 WHERE id = $1`

	tidyBrowsers = `DELETE FROM browsers WHERE id IN
		(SELECT id FROM browsers WHERE expires < $1 ORDER BY expires LIMIT $2) RETURNING id`
)

func scanBrowser(scan func(...any) error) (b Browser, err error) {
	var since, proved, expires int64
	err = scan(&b.ID, &b.Localpart, &since, &proved, &expires, &b.Since.Addr, &b.Since.Agent)
	b.Since.At, b.Proved, b.Expires = FromMillis(since), FromMillis(proved), FromMillis(expires)
	return b, err
}

// AddBrowser signs a browser in to an account; ErrConflict if that is not what it was when its hash was verified, or
// has a second factor that was not shown. It ends with the account's next password.
func (d *DB) AddBrowser(ctx context.Context, b Browser, hash string, secondFactor bool) error {
	return d.must(ctx, ErrConflict, func(t *Tx) (bool, error) {
		since := b.Since.Clip()
		made, err := t.Get(addBrowser, nil, b.ID, b.Localpart, Millis(since.At), Millis(b.Proved), Millis(b.Expires),
			since.Addr, since.Agent, hash, secondFactor)
		if err == nil && made {
			err = t.Exec(crowdOutBrowsers, b.Localpart, maxBrowsers)
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

// EndBrowser signs one out; ErrNotFound if it is not signed in.
func (d *DB) EndBrowser(ctx context.Context, id string) error {
	return d.must(ctx, ErrNotFound, func(t *Tx) (bool, error) { return t.Get(endBrowser, nil, id) })
}

// NoteProof notes that the account's owner has shown the password in a browser again.
func (d *DB) NoteProof(ctx context.Context, id string, when time.Time) error {
	return d.Write(ctx, func(t *Tx) error { return t.Exec(noteProof, id, Millis(when)) })
}
