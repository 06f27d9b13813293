// Package db keeps Postern's accounts, sessions, root keys and audit events, and promises that nobody is ever logged
// out by accident: not by a lost answer, not by two tabs, not by a crash, not by a full disk, not by a clock.
//
// It knows neither HTTP nor tokens. A session id is an opaque string, a password hash too, and no token or token hash
// is at rest: the token pair of a generation is computed from the session's row (Session says how that moves). The one
// exception is a session that came from another server: its first tokens are found by their hashes (imported_tokens).
//
// # Schema
//
//   - users: one row per account. A deactivated account has no sessions and keeps its name. The sessions of a locked
//     one wait. That it is locked, or an administrator of the homeserver, its sessions say too (sessions.locked,
//     sessions.admin), so that a check reads one row. It says up to when its owner knows of new devices (noticed).
//   - browsers: those in which the owner of an account has signed in on the pages, with the ids of the sessions that
//     began in each (let_in); at most fifty of an account.
//   - sessions: one row per (account, device), changed in place. It never grows, however often its tokens are
//     refreshed. A token for a bot is one as well (bot), with the caveats that it was made with (restrictions): nothing
//     is enforced by them, the token says them itself. It has a device of its own, which neither replaces another's nor
//     is replaced. What its token opens is its scope: the Client-Server API or, of a bot's that an operator has made
//     for it, the admin API.
//   - ended_sessions: a mark of 8 bytes per session that has ended, until it would be as old as Tidy keeps sessions. A
//     session that is not here and has no mark may have been lost, see MayBeLost.
//   - imported_tokens: a row per token that another server gave to a session which came from there, by its SHA-256.
//     They are tokens of the session's first generation, so refreshing has no rule for them. The rows stay as long as
//     the session does: a client that shows one later has to learn that it keeps its device.
//   - root_keys: wrapped by a key that is not in here. Of a retired key the row stays, without its bytes, so that its
//     id is never given out again. One that is to be retired is closed first: nobody mints with it any more.
//   - events: what an operator should know of, from logins to locks and replays, written in the transaction of what it
//     tells of, with who asked for it (see By). A refresh writes none. Tidy bounds them by age and by account.
//   - registration_tokens: invitations, and how often each was used. registration_reservations: uses that are set aside
//     while a registration runs, until a time after which they count for nothing.
//   - waiting_users: accounts that were asked for and that an operator has not decided about. They are no accounts yet,
//     so whatever looks for one finds none, and the homeserver hears nothing; Register and Taken keep their names.
//   - used_login_tokens: the ids of login tokens that were redeemed, and of whatever else is good once (Tx.Spend):
//     codes, links to show an address, nonces. They stay until a day after they would have expired anyway.
//   - emails: the mail addresses that owners of accounts have shown to be theirs; each is one account's.
//   - deliveries: mails and webhooks that wait to be sent, and those that were sent lately: one of the same id is not
//     sent again. What one says is sealed where it must not be read.
//   - interactions: user-interactive sessions that are open. What one holds is sealed, and its id is none that a client
//     has.
//   - oauth_clients: one row per client of OAuth 2.0, under the id that was computed from what it says of itself. One
//     that has a session, or that an operator has added, stays; of the others, those that were used last.
//   - outbox: the accounts and devices that the homeserver has to look at again. Without a homeserver only an import
//     writes to it.
//     This table and imported_tokens are made here and copied by Copy, and otherwise used only by the packages below
//     homeserver.
//   - settings: few named values; two of them say that the database has moved (see Copy), or what it was copied from.
//
// What is over goes away by Tidy; nothing else ever removes a session whose time is over.
//
// Times are Unix milliseconds, 0 for none; the caller brings the clock.
//
// # Laws
//
//  1. An answered write is on the disk (write-ahead log, synchronous=FULL). A write that failed changed nothing,
//     neither in the database nor in memory. A caller that stopped waiting does not know, and asks again: refreshing
//     twice gives the same pair.
//  2. One goroutine writes (writer.go). Writes that queue while a transaction commits share the next one and its fsync
//     (on PostgreSQL those of a kind, see below); a write that breaks the shared transaction is run again alone, and
//     fails alone.
//  3. On SQLite, Session answers from memory, and is exact all the same: our own commits pass through the cache before
//     they are answered, and before each look into it the database is asked whether another process has committed (see
//     freshness). On PostgreSQL, which several replicas may share, it reads the row; reads that are asked for at a time
//     share a round trip, and none joins one that is on its way already (reader.go).
//  4. Facts whose loss harms nobody (first use of a generation, last seen) are notes: they are written in the next
//     transaction, or a second later (on PostgreSQL with the next refreshes, or 50 ms later). In this process they are
//     true at once.
//  5. One SQL text. Only dialect.go, sqlite.go, postgres.go and pooler.go know the engine; see postgresServer for what
//     replicas rely on. Nothing is kept in a session of PostgreSQL, which may be a pooler's. A text that not every
//     engine stores is found nowhere and stored nowhere, see ErrText.
//  6. What a homeserver must learn is written down in the transaction that changes it (Config.Follow): never one
//     without the other.
//
// # What a write has for itself
//
// On SQLite a write transaction runs beside no other one. On PostgreSQL replicas write side by side, and each write
// says what nobody else may change until it has committed (scope):
//
//   - The row that it changes; what it decides by stands in that row or cannot change: AdvanceGeneration, CatchUp,
//     EndSession, GuessCode, TakeCode, Spend, SaveInteraction, EndInteraction, NoteProof, NoteLetIn, KeepClient,
//     AddRegistrationToken, Ping.
//   - An account: StartSession and Admissible look at its password, its lock, its factors, its devices and the issuer
//     of a login token; whatever changes one of these, or ends what a login may be adding to, is of the same scope:
//     ChangePassword, Rehash, LockUser, UnlockUser, SetAdmin, Deactivate, Reactivate, factors, addresses, browsers,
//     devices, EndSessions, EndOthers. CreateUser, Register, ApproveUser and RejectUser have the name, in lower case,
//     whether there is an account or not. So has what the homeserver is told of the account (package outbox).
//   - An invitation, whose uses stand in two tables: ReserveRegistrationToken, ReleaseRegistrationToken,
//     RevokeRegistrationToken, and Register beside the account.
//   - What is counted: accounts that wait, beside the account; interactions of one kind; deliveries that a sender
//     claims, and those to one target.
//   - Everything: AddRootKey and the end of RetireRootKey, since any session may be minted with the key; AddClient,
//     RemoveClient and the crowding out of clients, since anybody may be logging in for one; Tidy, whose rows are
//     anybody's; SetSetting; Copy for as long as it copies. And what other packages Write: imports, SetHomeserver, the
//     second use of an authorization code. All of them are rare, and last milliseconds but for Copy and a batch of an
//     import.
//
// # What other packages may do
//
// A package outside may keep tables of its own here (Extension), read with Get and Read, and write with Write, whose Tx
// runs its statements: beside no other transaction, and committed when Write returns. WriteFor does so beside others,
// if all that it looks at and changes is one account's. It may write to the tables of this package too, if it keeps the
// laws:
//
//   - What ends a session calls Tx.MarkEnded with its id, or it counts as lost. What changes one calls Tx.Forget, or
//     the cache goes on with the old row; Tx.ChangeSessions runs a statement and forgets what that has changed.
//   - What changes an account or a session on a device in a way that a homeserver must learn of calls Tx.Follow, unless
//     that knows of it already.
//   - What has to be in one transaction with a change of this package is written by Config.Follow, Config.OnEvent or
//     Registration.Also. Each may run twice, as everything in a Tx, and adds its statements to every such change; a
//     refresh and a check have none of them.
//   - What it returns as an error does not undo what it has written (see Write): it looks first, and writes then.
//   - It stores times with Millis and reads them with FromMillis, and stores a stranger's text with Clip.
//   - The generation, the key and the times of a session that exists are AdvanceGeneration's and CatchUp's alone.
//
// # Cannot move, and why
//
// What is needed only because of a homeserver is in the packages below homeserver. This is not:
//
//   - Config.Follow and Tx.Follow: the row of the outbox belongs into the transaction of the change (law 6).
//   - sessions.imported and Session.Imported: the compare-and-swap of a refresh clears it, and which root key a session
//     depends on hangs on it. users.imported and users.own_password: ChangePassword sets the latter.
//   - sessions.admin and Session.Admin: an introspection reads one row, from the cache, and StartSession copies it from
//     users.admin to the new session. User.Admin: accounts are made and listed with it.
//   - users.erased: the wish is one write with the deactivation.
//   - Tx.Admissible: a login claims its device before it starts the session, and must be refused then as it would be
//     later.
//   - Tables of the outbox and of imported tokens in migrations and tables.go: databases have them, and Copy has to
//     know every table.
//
// # What it does not defend against
//
//   - Anybody who can write the file is the administrator: they can add a user or revive a session. Anybody who can
//     only read it learns names, devices, addresses, password hashes and invitations, but cannot mint a token.
//   - A PostgreSQL that is lost in the midst of a commit: whether that happened is not known, and the error says so.
//   - A replica that is frozen while a part of what it sends is on its way: on PostgreSQL before 17 the rows of that
//     part are kept until its connection is gone.
//   - Restoring a backup goes back in time, and so does a failover to a standby that has lost commits. A session that
//     was refreshed since goes on: its row catches up with the first newer token (Ahead). One that began since is not
//     found; its client logs in again and keeps the device (MayBeLost). One that ended since lives again, and a lock or
//     another password is undone. A file replaced under a running server is not noticed at all: stop it first.
//   - A network file system, and any disk that says "synced" when it is not (SQLite, "How To Corrupt An SQLite Database
//     File").
//   - Two servers on one file are exact in their answers, except for the facts of law 4, which the other one sees late.
//   - Wiped bytes of a retired key may live on in backups, and in the write-ahead log until it is reused.
//
// # Where to read
//
// Beside the files for one table each: a refresh goes through refresh.go, writer.go, tx.go, freshness.go and cache.go;
// a check through sessions.go, and through cache.go and freshness.go or, on PostgreSQL, reader.go. Copy and Backup
// (copy.go, backup.go, side.go, tables.go) are in this package because they go past the writer, the cache and the laws
// above: an exported way to do that would be open to everybody.
//
// # Usage
//
//	d, err := db.Open(ctx, db.Config{DSN: "/var/lib/postern/postern.db"})
//	s, err := d.StartSession(ctx, db.Login{…})       // a password was verified
//	s, epoch, err := d.Session(ctx, id)              // an access token was verified: …
//	err = s.Accepts(generation, now)                 // … is its generation in force?
//	d.NoteUse(s, generation, seen)                   // … it is
//	s, err = d.AdvanceGeneration(ctx, db.Refresh{…}) // a refresh token was verified; mint from s
//	err = d.EndSession(ctx, id)                      // logout
//	s, err = d.Register(ctx, db.Registration{…})     // an account, with the use of an invitation and a first session
//	copied, err := db.Backup(ctx, db.CopyConfig{…})  // of either engine, into a file
//	copied, err = db.Copy(ctx, db.CopyConfig{…})     // to a database of either engine, and on from there
//	done, err := d.Tidy(ctx, now, db.TidyConfig{})   // now and then
//	err = d.LockUser(ctx, localpart, now)            // from now on Accepts and the others say ErrLocked
package db
