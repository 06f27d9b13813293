// Package db keeps Postern's accounts, sessions, root keys and audit events, and promises that nobody is ever logged
// out by accident: not by a lost answer, not by two tabs, not by a crash, not by a full disk, not by a clock.
//
// It knows neither HTTP nor tokens. A session id is an opaque string, a password hash too, and no token or token hash
// is at rest: the token pair of a generation is computed from the session's row (Session says how that moves). The one
// exception is a session that came from another server: its first tokens are found by their hashes, see ImportedToken.
//
// # Schema
//
//   - users: one row per account. A deactivated account has no sessions and keeps its name. The sessions of a locked
//     one wait. That it is locked, or an administrator of the homeserver, its sessions say too (sessions.locked,
//     sessions.admin), so that a check reads one row.
//   - sessions: one row per (account, device), changed in place. It never grows, however often its tokens are
//     refreshed.
//   - imported_tokens: a row per token that another server gave to a session which came from there, by its SHA-256.
//     They are tokens of the session's first generation, so refreshing has no rule for them. The rows stay as long as
//     the session does: a client that shows one later has to learn that it keeps its device.
//   - root_keys: wrapped by a key that is not in here. Of a retired key the row stays, without its bytes, so that its
//     id is never given out again.
//   - events: what an operator should know of, written in the transaction of what was done about it.
//   - registration_tokens: invitations, and how often each was used. registration_reservations: uses that are set aside
//     while a registration runs, until a time after which they count for nothing.
//   - used_login_tokens: the ids of login tokens that were redeemed, until a day after they would have expired anyway.
//   - interactions: user-interactive sessions that are open. What one holds is sealed, and its id is none that a client
//     has.
//   - outbox: the accounts and devices that the homeserver has to look at again. Without a homeserver it is empty.
//   - settings: few named values; two of them say that the database has moved (see Copy), or what it was copied from.
//
// What is over goes away by Tidy; nothing else ever removes a session whose time is over. Other packages may keep
// tables here too, see Extension.
//
// Times are Unix milliseconds, 0 for none; the caller brings the clock.
//
// # Laws
//
//  1. An answered write is on the disk (write-ahead log, synchronous=FULL). A write that failed changed nothing,
//     neither in the database nor in memory. A caller that stopped waiting does not know, and asks again: refreshing
//     twice gives the same pair.
//  2. One goroutine writes (writer.go). Writes that queue while a transaction commits share the next one and its fsync;
//     a write that breaks the shared transaction is run again alone, and fails alone.
//  3. On SQLite, Session answers from memory, and is exact all the same: our own commits pass through the cache before
//     they are answered, and before each look into it the database is asked whether another process has committed (see
//     freshness). On PostgreSQL, which several replicas may share, it reads the row.
//  4. Facts whose loss harms nobody (first use of a generation, last seen) are notes: they are written in the next
//     transaction, or a second later (50 ms on PostgreSQL). In this process they are true at once.
//  5. One SQL text. Only dialect.go, sqlite.go and postgres.go know the engine; see postgresServer for what replicas
//     rely on.
//  6. What a homeserver must learn is written down in the transaction that changes it (Config.Follow): never one
//     without the other.
//
// # What it does not defend against
//
//   - Anybody who can write the file is the administrator: they can add a user or revive a session. Anybody who can
//     only read it learns names, devices, addresses, password hashes and invitations, but cannot mint a token.
//   - A PostgreSQL that is lost in the midst of a commit: whether that happened is not known, and the error says so.
//   - Restoring a backup goes back in time. A session that was not refreshed since is good. One that began since is not
//     found, and its client forgets it; one that ended since lives again. One that was refreshed since has tokens of a
//     generation that the row has not come to: its access tokens are refused and the device and its keys are kept, and
//     a refresh token looks like a replay. A file replaced under a running server is not noticed at all: stop it first.
//   - A network file system, and any disk that says "synced" when it is not (SQLite, "How To Corrupt An SQLite Database
//     File").
//   - Two servers on one file are exact in their answers, except for the facts of law 4, which the other one sees late.
//   - Wiped bytes of a retired key may live on in backups, and in the write-ahead log until it is reused.
//
// # Where to read
//
// Beside the files for one table each: a refresh goes through refresh.go, writer.go, tx.go, freshness.go and cache.go;
// a check through sessions.go, cache.go and freshness.go. Copy and Backup (copy.go, backup.go, side.go, tables.go) are
// in this package because they go past the writer, the cache and the laws above: an exported way to do that would be
// open to everybody.
//
// # Usage
//
//	d, err := db.Open(ctx, db.Config{DSN: "/var/lib/postern/postern.db"})
//	s, err := d.StartSession(ctx, db.Login{…})       // a password was verified
//	s, epoch, err := d.Session(ctx, id)              // an access token was verified: …
//	err = s.Accepts(generation, now)                 // … is its generation in force?
//	d.NoteUse(s, generation, seen)                   // … it is
//	s, err = d.AdvanceGeneration(ctx, db.Refresh{…}) // a refresh token was verified; mint from s
//	t, s, err := d.SessionByImported(ctx, hash)      // the token was none of ours: one of another server?
//	err = d.EndSession(ctx, id)                      // logout
//	s, err = d.Register(ctx, db.Registration{…})     // an account, with the use of an invitation and a first session
//	copied, err := db.Backup(ctx, db.CopyConfig{…})  // of either engine, into a file
//	copied, err = db.Copy(ctx, db.CopyConfig{…})     // to a database of either engine, and on from there
//	done, err := d.Tidy(ctx, now, db.TidyConfig{})   // now and then
//	a, err := d.Announce(ctx, db.Login{…}, due)      // before StartSession, in front of a homeserver
//	errands, err := d.Claim(ctx, holder, now, …)     // what it must be told; then Settle
//	err = d.LockUser(ctx, localpart, now)            // from now on Accepts and the others say ErrLocked
package db

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What can be wrong, beside what the machine says (ErrSpent, ErrReplay, ErrSoft, ErrEnded, ErrSuperseded, ErrLocked).
var (
	// ErrNotFound says that there is no such thing.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the database is not, or no longer, as the call supposes.
	ErrConflict = errors.New("conflict")
	// ErrTokenSpent says that a login token, or a registration token, is good for nothing any more.
	ErrTokenSpent = errors.New("token is spent")
	// ErrUnavailable says that the engine failed. The message says how, and what to do next.
	ErrUnavailable = errors.New("database unavailable")
)

// Config says where the database is. Zero values mean the defaults.
type Config struct {
	// a path, a file: or sqlite: URL without parameters, or a postgres: URL
	DSN string
	// writes that share a transaction, and how long they wait for each other; default 256
	MaxBatch int
	// called after each transaction, by the writer, which waits for it; may be nil
	OnBatch func(size int, took time.Duration)
	// Follow is called inside each transaction that changes an account, or a session on a device, in a way that a
	// homeserver must learn of. What it writes is committed with the change or not at all. The device id is empty when
	// the account itself has changed. By then the change is made: Follow sees it, and the session on the device if
	// there is one. May be nil.
	Follow func(t *Tx, localpart, deviceID string) error
	// Extensions are what other packages keep in the same database.
	Extensions []Extension

	// what tests set: sessions kept in memory on SQLite (default 50,000, about 30 MB when full), how late notes may be
	// written (1 s, on PostgreSQL 50 ms), how long to wait for a lock or a server that is away (5 s), and the clock
	cacheSize  int
	flushEvery time.Duration
	wait       time.Duration
	now        func() time.Time
}

// DB is an open database. Its methods may be called from any goroutine.
type DB struct {
	config      Config
	engine      engine
	closers     []func() error // the last opened is closed first
	reads       *sql.DB
	sessionByID *sql.Stmt
	writeLock   chan struct{} // full while somebody uses the write connection
	writer      *writer
	cache       *cache     // nil: nothing is remembered
	fresh       *freshness // nil: there is nothing to ask, since nothing is remembered
	notes       *notes
	imported    *importedTokens
	epoch       atomic.Uint64
	news        chan struct{} // see News
	closing     sync.Once
	closed      error
}

// Open opens the database and migrates it if need be. A file is made, for its owner alone (mode 0600).
func Open(ctx context.Context, c Config) (*DB, error) {
	e, err := reach(ctx, c.DSN)
	if err != nil {
		return nil, err
	}
	c.MaxBatch = or(c.MaxBatch, batchSize)
	c.cacheSize = or(c.cacheSize, 50_000)
	c.flushEvery = or(c.flushEvery, e.flushEvery())
	c.wait = or(c.wait, 5*time.Second)
	if c.now == nil {
		c.now = time.Now
	}
	if c.Follow == nil {
		c.Follow = queueForHomeserver
	}
	d := &DB{config: c, engine: e, writeLock: make(chan struct{}, 1), notes: newNotes(),
		imported: newImportedTokens(c.cacheSize), news: make(chan struct{}, 1)}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, d.release())
	}
	go d.writer.run()
	return d, nil
}

// open makes the connections, the writer's first: the others need what it makes.
func (d *DB) open(ctx context.Context) error {
	writes, err := d.pool(roleWriter, 1)
	if err != nil {
		return err
	}
	if err := migrateAll(ctx, writes, d.engine, d.config.Extensions, d.config.wait); err != nil {
		return err
	}
	t := &Tx{db: d, pool: writes}
	t.reset()
	if err := t.connect(ctx); err != nil {
		return err
	}
	d.closers = append(d.closers, t.close)
	d.writer = newWriter(d, t)
	if err := d.engine.watch(ctx, d); err != nil {
		return err
	}
	if d.reads, err = d.pool(roleReader, 2); err != nil {
		return err
	}
	query := sessionByID
	if d.cache == nil {
		query = sessionAndEpoch
	}
	if err := d.ready(ctx); err != nil {
		return err
	}
	if d.sessionByID, err = d.reads.PrepareContext(ctx, query); err != nil {
		return unavailable(err)
	}
	d.closers = append(d.closers, d.sessionByID.Close)
	return nil
}

func (d *DB) pool(r role, n int) (*sql.DB, error) {
	p, err := d.engine.pool(r, n)
	if err == nil {
		d.closers = append(d.closers, p.Close)
	}
	return p, err
}

func (d *DB) release() error {
	if d.fresh != nil && d.fresh.header != nil {
		d.fresh.header.forget()
	}
	var errs []error
	for _, release := range slices.Backward(d.closers) {
		errs = append(errs, release())
	}
	return errors.Join(errs...)
}

// Epoch rises when root keys have changed and, on SQLite, when another process has written anything. A caller that
// derived something from them, such as unwrapped root keys, reloads it then. It is as fresh as the last call of
// Session.
func (d *DB) Epoch() uint64 { return d.epoch.Load() }

// Fresh is Epoch after asking whether another process has written.
func (d *DB) Fresh(ctx context.Context) (uint64, error) {
	if d.cache == nil {
		return d.keyEpoch(ctx)
	}
	if err := d.ready(ctx); err != nil {
		return 0, err
	}
	return d.Epoch(), nil
}

// Ping says whether the database can be read and written. After a failed write it tries one, so that it is the first to
// learn that the disk has room again.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.fresh.check(ctx); err != nil {
		return err
	}
	if err := d.engine.present(); err != nil {
		return err
	}
	if _, err := d.Setting(ctx, "ping"); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if *d.writer.outcome.Load() == nil {
		return nil
	}
	return d.SetSetting(ctx, "ping", "")
}

// Close answers the calls that wait, writes what was noted, and closes the database. The error says what could not be
// written.
func (d *DB) Close() error {
	d.closing.Do(func() {
		errs := []error{d.writer.stop()}
		d.writeLock <- struct{}{} // a check may be asking the write connection just now
		errs = append(errs, d.engine.maintain(d.writer.tx, atClose), d.release())
		<-d.writeLock
		d.closed = errors.Join(errs...)
	})
	return d.closed
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
