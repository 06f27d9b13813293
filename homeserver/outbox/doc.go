// Package outbox keeps the homeserver up to date. Each change of an account or a device that the homeserver must know
// of writes a row of the Queue, in the same transaction; the Sender calls the homeserver for each row, and deletes the
// row then.
//
// # Laws
//
//  1. The sender tells the present state. A row says only which account or device has changed; the sender reads what is
//     true now: the device exists, under this name; it does not; the account is locked. So a row may be sent twice,
//     late, or out of order, and the homeserver ends up the same.
//     A device that the client named itself is not deleted because a login on it failed: it may be older than
//     Postern, and hold encryption keys.
//  2. The rows of one account are sent one after another, by one sender at a time, even if replicas share the database
//     (Claim). A claim ends by itself after a lease, in case its sender died. A login and a registration do not wait
//     for the sender: they claim their own rows (ClaimLogin, ClaimRegistration), and call Provision before they answer.
//     The sender tells nothing of the account meanwhile.
//  3. A row is deleted only when the homeserver has answered and nothing changed since the row was read. After a kill
//     at any moment it is sent at the next start.
//  4. No account holds up another. While the homeserver is away, the rows of each wait longer after each attempt, up to
//     a minute, and all are due at once when it answers again. A row that it refuses waits an hour, is logged, and is
//     listed by `postern synapse outbox`.
//
// # Use
//
//	q, err := outbox.Open(ctx, db.Config{…})  // every process that writes to the database opens it so
//	s := outbox.New(outbox.Config{Queue: q, Synapse: client, …})
//	s.Start()
//	defer s.Close()
package outbox
