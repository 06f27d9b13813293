// Package db keeps Postern's accounts, sessions, root keys and audit events, and promises that nobody is ever logged out
// by accident: not by a lost answer, not by two tabs, not by a crash, not by a full disk, not by a clock.
//
// It knows neither HTTP nor tokens. A session id is an opaque string, a password hash too, and no token or token hash is at
// rest: the token pair of a generation is computed from the session's row (see Session for the machine that moves it).
//
// # Schema
//
//   - users: one row per account. A deactivated account has no sessions and keeps its name; a locked one has sessions that
//     wait, and each of them says so too (sessions.locked), so that a check reads one row.
//   - sessions: one row per (account, device), changed in place. It never grows, however often its tokens are refreshed.
//   - root_keys: wrapped by a key that is not in here. Of a retired key the row stays, without its bytes, so that its id is
//     never given out again.
//   - events: what an operator should know of, written in the transaction of what was done about it.
//   - registration_tokens: invitations, and how often each was used. registration_reservations: uses that are set aside while
//     a registration runs, until a time after which they count for nothing.
//   - used_login_tokens: the ids of login tokens that were redeemed, until a day after they would have expired anyway.
//   - settings: few named values.
//
// Times are Unix milliseconds, 0 for none; the caller brings the clock.
//
// # Laws
//
//  1. An answered write is on the disk (write-ahead log, synchronous=FULL). A write that failed changed nothing, neither in
//     the database nor in memory. A caller that stopped waiting does not know, and asks again: the machine was made for that.
//  2. One goroutine writes. Who queues while a transaction commits shares the next one and its fsync; an operation that
//     breaks the shared transaction is run again alone, and fails alone.
//  3. Session answers from memory, and is exact all the same: our own commits pass through the cache before they are
//     answered, and before each look into it the database is asked whether another process has committed (see freshness).
//  4. Facts whose loss harms nobody (first use of a generation, last seen) are written behind, in the next transaction or
//     within Config.FlushEvery. In this process they are true at once.
//  5. One SQL text. Only dialect.go knows the engine.
//
// # What it does not defend against
//
//   - Whoever can write the file is the administrator: they can add a user or revive a session. Whoever can only read it learns
//     names, devices, addresses, password hashes and invitations, but cannot mint a token.
//   - A restored backup is an older truth: sessions that were refreshed since go soft at their next refresh. A file replaced
//     under a running server is not noticed at all: stop it first.
//   - A network file system, and any disk that says "synced" when it is not (SQLite, "How To Corrupt An SQLite Database File").
//   - Two servers on one file are exact in their answers, except for the facts of law 4, which the other one sees late.
//   - Wiped bytes of a retired key may live on in backups, and in the write-ahead log until it is reused.
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
//	err = d.LockUser(ctx, localpart, now)            // from now on Accepts and the others say ErrLocked
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	DSN        string                             // a path, or a file: or sqlite: URL without parameters
	CacheSize  int                                // sessions kept in memory; default 50,000, about 30 MB when full
	FlushEvery time.Duration                      // how late written-behind facts may be; default 1 s
	Wait       time.Duration                      // patience with another process that holds the write lock; default 5 s
	OnBatch    func(size int, took time.Duration) // called after each transaction, by the writer, which waits for it; may be nil
}

// DB is an open database. Its methods may be called from any goroutine.
type DB struct {
	path        string
	file        os.FileInfo    // what path was when it was opened
	closers     []func() error // the last opened is closed first
	reads       *sql.DB
	sessionByID *sql.Stmt
	writer      *writer
	fresh       *freshness
	cache       *cache
	pending     *pending
	epoch       atomic.Uint64
	closing     sync.Once
	closed      error
}

// Open opens the database, which it makes (for its owner alone, mode 0600) and migrates if need be.
func Open(ctx context.Context, c Config) (*DB, error) {
	c.CacheSize = or(c.CacheSize, 50_000)
	c.FlushEvery = or(c.FlushEvery, time.Second)
	c.Wait = or(c.Wait, 5*time.Second)
	path, err := parseDSN(c.DSN)
	if err != nil {
		return nil, err
	}
	if err := touch(path); err != nil {
		return nil, err
	}
	// SQLite follows links before it names its other files, and so must we.
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, unavailable(err)
	}
	if alien, err := stranger(ctx, path); err != nil {
		return nil, err
	} else if alien {
		return nil, fmt.Errorf("database: %s belongs to another program: give the path of a file of its own", path)
	}
	d := &DB{path: path, cache: newCache(c.CacheSize), pending: newPending()}
	if err := d.open(ctx, path, c); err != nil {
		return nil, errors.Join(err, d.release())
	}
	if d.file, err = os.Stat(path); err != nil {
		return nil, errors.Join(unavailable(err), d.release())
	}
	go d.writer.run()
	return d, nil
}

// open makes the connections, the writer's first: the others need what it makes.
func (d *DB) open(ctx context.Context, path string, c Config) error {
	writes, err := d.pool(path, roleWriter, 1)
	if err != nil {
		return err
	}
	if err := migrate(ctx, writes, c.Wait); err != nil {
		return err
	}
	w, err := d.pin(writes)
	if err != nil {
		return err
	}
	asks, err := d.pool(path, roleAsker, 1)
	if err != nil {
		return err
	}
	a, err := d.pin(asks)
	if err != nil {
		return err
	}
	if d.reads, err = d.pool(path, roleReader, 2); err != nil {
		return err
	}
	if d.sessionByID, err = d.reads.PrepareContext(ctx, sessionByID); err != nil {
		return unavailable(err)
	}
	d.closers = append(d.closers, d.sessionByID.Close)
	return d.wire(ctx, w, a, c)
}

// wire puts the writer and the freshness on their connections.
func (d *DB) wire(ctx context.Context, w, a *sql.Conn, c Config) (err error) {
	d.fresh = &freshness{turn: make(chan struct{}, 1), flush: d.flush}
	if d.fresh.asker, err = newVersion(ctx, a); err != nil {
		return err
	}
	d.closers = append(d.closers, d.fresh.asker.close)
	if d.fresh.writer, err = newVersion(ctx, w); err != nil {
		return err
	}
	d.closers = append(d.closers, d.fresh.writer.close)
	d.fresh.header = newHeader(d.path) // the connections have made the index by now
	t := &tx{conn: w, stmts: make(map[string]*sql.Stmt)}
	d.closers = append(d.closers, t.close)
	d.writer = &writer{tx: t, ops: make(chan *op, 4*batchSize), quit: make(chan struct{}), stopped: make(chan struct{}),
		fresh: d.fresh, cache: d.cache, pending: d.pending, epoch: &d.epoch, every: c.FlushEvery, wait: c.Wait, onBatch: c.OnBatch}
	d.writer.outcome.Store(new(error))
	return d.fresh.confirm()
}

func (d *DB) pool(path string, r role, n int) (*sql.DB, error) {
	p, err := pool(path, r, n)
	if err == nil {
		d.closers = append(d.closers, p.Close)
	}
	return p, err
}

// pin takes a pool's connection for good.
func (d *DB) pin(p *sql.DB) (*sql.Conn, error) {
	c, err := p.Conn(context.Background())
	if err == nil {
		d.closers = append(d.closers, c.Close)
	}
	return c, unavailable(err)
}

func (d *DB) release() error {
	var errs []error
	if d.fresh != nil && d.fresh.header != nil {
		d.fresh.header.forget()
	}
	for _, release := range slices.Backward(d.closers) {
		errs = append(errs, release())
	}
	return errors.Join(errs...)
}

// flush forgets what another process may have changed.
func (d *DB) flush() {
	d.cache.flush()
	d.epoch.Add(1)
}

// Epoch rises when another process has written, and when root keys have changed. A caller that derived something from the
// database, such as unwrapped root keys, reloads it then. It is as fresh as the last call of Session.
func (d *DB) Epoch() uint64 { return d.epoch.Load() }

// Fresh is Epoch after asking whether another process has written. It costs what a look into memory costs.
func (d *DB) Fresh(ctx context.Context) (uint64, error) {
	if err := d.fresh.check(ctx); err != nil {
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
	if there, err := os.Stat(d.path); err != nil || !os.SameFile(there, d.file) {
		return fmt.Errorf("%w: the file %s is gone or is another one now: stop, put it back, and start again", ErrUnavailable, d.path)
	}
	if _, err := d.Setting(ctx, "ping"); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if *d.writer.outcome.Load() == nil {
		return nil
	}
	return d.SetSetting(ctx, "ping", "")
}

// Close answers who is waiting, writes what was noted, and closes the file. The error says what could not be written.
func (d *DB) Close() error {
	d.closing.Do(func() {
		errs := []error{d.writer.stop()}
		d.fresh.turn <- struct{}{} // a check may be asking the write connection just now
		errs = append(errs, d.writer.tx.control(emptyLog), d.release())
		<-d.fresh.turn
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
