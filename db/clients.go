package db

import (
	"context"
	"fmt"
	"time"
)

// Client is a client of OAuth 2.0. What it is, is for others to know: here it is a text under the id that was computed
// from it.
type Client struct {
	ID       string
	Metadata string
	Created  time.Time // zero: before that was kept
	Used     time.Time // when it last registered, or somebody let it in
	Added    bool      // by an operator: it stays until an operator removes it
	Sessions int       // that were begun for it; counted by Clients alone
}

const (
	// clientLife is how long a client stays without a session after it was used. It registers anew each time that
	// somebody logs in, and gets the same id.
	clientLife = 30 * 24 * time.Hour

	// mostClients bounds the clients without a session, a batch more or less, 4 KiB each at most: a stranger
	// may register any number.
	mostClients = 5000

	// usedAnew is how long a use makes another one not worth writing down.
	usedAnew = time.Minute
)

const (
	clientColumns = `id, metadata, created, keep, added`

	// Every authorization looks for its client, which may have millions of sessions: they are not counted.
	findClient  = `SELECT ` + clientColumns + `, 0 FROM oauth_clients WHERE id = $1`
	listClients = `SELECT ` + clientColumns + `,
		(SELECT COUNT(*) FROM sessions WHERE client_id = oauth_clients.id AND client_id <> '')
		FROM oauth_clients ORDER BY created, id`

	addClient = `INSERT INTO oauth_clients (id, metadata, created, keep, added) VALUES ($1, $2, $3, $4, FALSE)
		ON CONFLICT DO NOTHING RETURNING id`
	markClient = `UPDATE oauth_clients SET added = TRUE WHERE id = $1 AND NOT added RETURNING id`

	clientSessions = `SELECT (SELECT COUNT(*) FROM sessions WHERE client_id = oauth_clients.id AND client_id <> '')
		FROM oauth_clients WHERE id = $1`
	endClientSessions = `DELETE FROM sessions WHERE client_id = $1 AND client_id <> '' RETURNING ` + endedColumns

	// A client that has a session is never removed: its users could not refresh any more (Client-Server API v1.19,
	// "Client registration"). That its id is not empty is said for the sake of the index.
	mayGo = `NOT added AND NOT EXISTS (SELECT 1 FROM sessions WHERE client_id = oauth_clients.id AND client_id <> '')`

	tidyClients = `DELETE FROM oauth_clients WHERE id IN
		(SELECT id FROM oauth_clients WHERE keep < $1 AND ` + mayGo + ` ORDER BY keep LIMIT $2)
		RETURNING id`

	countClients    = `SELECT COUNT(*) FROM oauth_clients`
	crowdOutClients = `DELETE FROM oauth_clients WHERE id IN
		(SELECT id FROM oauth_clients WHERE keep > 0 AND id <> $1 AND ` + mayGo + `
			ORDER BY keep DESC LIMIT $2 OFFSET $3)`
)

// useClient writes at most once a minute: logins for one client wait for each other at its row.
var useClient = fmt.Sprintf(`UPDATE oauth_clients SET keep = $2 WHERE id = $1 AND keep + %d <= $2`,
	usedAnew.Milliseconds())

func scanClient(scan func(...any) error) (c Client, err error) {
	var created, keep int64
	err = scan(&c.ID, &c.Metadata, &created, &keep, &c.Added, &c.Sessions)
	c.Created, c.Used = FromMillis(created), FromMillis(keep).Add(-clientLife)
	return c, err
}

// Client finds a client; else ErrNotFound.
func (d *DB) Client(ctx context.Context, id string) (Client, error) {
	return one(ctx, d, findClient, scanClient, id)
}

// Clients lists them by age.
func (d *DB) Clients(ctx context.Context) ([]Client, error) {
	return list(ctx, d, listClients, scanClient)
}

// KeepClient keeps a client that registers, or that somebody lets in. Of more than may be without a session the one
// goes that was not used for longest.
func (d *DB) KeepClient(ctx context.Context, id, metadata string, now time.Time) error {
	known, err := d.Client(ctx, id)
	if age := now.Sub(known.Used); err == nil && age >= 0 && age < usedAnew {
		return nil
	}
	fresh, err := write(ctx, d, onRow(id), func(t *Tx) (bool, error) {
		return t.keepClient(Client{ID: id, Metadata: metadata, Created: now})
	})
	if err != nil || !fresh {
		return err
	}
	var all int
	if _, err := d.Get(ctx, countClients, []any{&all}); err != nil || all < mostClients+tidyBatch {
		return err
	}
	// To find those that may go takes milliseconds, and nobody may log in for one of them meanwhile. So it waits until
	// there is a batch of them.
	return d.exec(ctx, everything, crowdOutClients, id, 2*tidyBatch, mostClients-1)
}

// AddClient adds a client that stays until it is removed; ErrConflict if an operator has done so before. One that has
// registered by itself becomes such a client.
func (d *DB) AddClient(ctx context.Context, id, metadata string, now time.Time) error {
	return d.must(ctx, everything, ErrConflict, func(t *Tx) (bool, error) {
		if _, err := t.keepClient(Client{ID: id, Metadata: metadata, Created: now}); err != nil {
			return false, err
		}
		return t.Get(markClient, nil, id)
	})
}

// keepClient adds a client, or keeps the one that there is for longer.
func (t *Tx) keepClient(c Client) (fresh bool, err error) {
	fresh, err = t.Get(addClient, nil, c.ID, c.Metadata, Millis(c.Created), Millis(c.Created.Add(clientLife)))
	if err == nil && !fresh {
		err = t.useClient(c.ID, c.Created)
	}
	return fresh, err
}

// useClient keeps a client for longer.
func (t *Tx) useClient(id string, at time.Time) error {
	return t.Exec(useClient, id, Millis(at.Add(clientLife)))
}

// RemoveClient removes a client, and ends its sessions if that is asked for. ErrConflict if it is not, and there are
// some; ErrNotFound if there is no such client.
func (d *DB) RemoveClient(ctx context.Context, id string, endSessions bool) (ended int, err error) {
	return write(ctx, d, everything, func(t *Tx) (ended int, err error) {
		var sessions int
		found, err := t.Get(clientSessions, []any{&sessions}, id)
		switch {
		case err != nil || !found:
			return 0, or(err, ErrNotFound)
		case sessions > 0 && !endSessions:
			return sessions, ErrConflict
		}
		if ended, err = t.endAll(EventLogout, endClientSessions, id); err != nil {
			return 0, err
		}
		return ended, t.Exec(`DELETE FROM oauth_clients WHERE id = $1`, id)
	})
}
