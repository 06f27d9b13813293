// Package outbox brings the homeserver up to date: what package db notes down with each change of a user or a device,
// it sends, in order for each user, until the homeserver has it.
//
// # Laws
//
//  1. What is sent is what is true. A note says what to look at; the sender looks, and tells: this device is there,
//     under that name; this one is not; this account is locked. A login that failed is no reason to say that a device
//     is not, if the client named it: it may be older than Postern, and have keys. So a note may be sent twice, late,
//     or after another, and the end is the same.
//  2. The notes of one user go one after another, by one sender at a time, even if replicas share the database
//     (db.Claim). A sender that died holds them for no longer than a lease.
//  3. A note goes when the homeserver has answered, and nothing has changed since it was read. Killed at any moment, it
//     is sent at the next start.
//  4. Nobody stops the others. While the homeserver is away each user's notes wait longer and longer, up to a minute,
//     and all go at once when it is heard of again. What it refuses waits an hour, is logged, and stands in `postern
//     synapse outbox`.
//
// A login does not wait for the sender: it calls Provision itself, before it answers. See db.Announce for how the two
// keep out of each other's way.
//
//	s := outbox.New(outbox.Config{DB: d, Synapse: client, …})
//	s.Start()
//	defer s.Close()
package outbox
