package db

import (
	"context"
	"time"
)

// The clients of OAuth 2.0. What a client is, is for others to know: here it is a text under the id that was computed
// from it.

const (
	// clientLife is how long a client stays that has no session: it registers anew each time that somebody logs in. One
	// that had a session stays for longer, since its users may come back with it.
	clientLife     = 24 * time.Hour
	usedClientLife = 30 * 24 * time.Hour

	keepClient = `UPDATE oauth_clients SET keep = $2 WHERE id = $1 AND keep < $2`

	// A client that has a session is never removed: its users could not refresh any more (Client-Server API v1.19,
	// "Client registration"). That its id is not empty is said for the sake of the index.
	tidyClients = `DELETE FROM oauth_clients WHERE id IN
		(SELECT id FROM oauth_clients WHERE keep < $1 AND NOT EXISTS (SELECT 1 FROM sessions
			WHERE client_id = oauth_clients.id AND client_id <> '') ORDER BY keep LIMIT $2)
		RETURNING id`
)

// KeepClient keeps a client for a while, or for a while longer.
func (d *DB) KeepClient(ctx context.Context, id, metadata string, now time.Time) error {
	const q = `INSERT INTO oauth_clients (id, metadata, keep) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	until := Millis(now.Add(clientLife))
	return d.Write(ctx, func(t *Tx) error {
		if err := t.Exec(q, id, metadata, until); err != nil {
			return err
		}
		return t.Exec(keepClient, id, until)
	})
}

// Client finds the text of a client; else ErrNotFound.
func (d *DB) Client(ctx context.Context, id string) (metadata string, err error) {
	return one(ctx, d, `SELECT metadata FROM oauth_clients WHERE id = $1`,
		func(scan func(...any) error) (text string, err error) {
			err = scan(&text)
			return text, err
		}, id)
}
