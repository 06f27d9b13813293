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
	// ErrSecondFactor says that the account has a second factor, which was not shown.
	ErrSecondFactor = errors.New("the account has a second factor")
	// ErrEmailTaken says that another account has the mail address.
	ErrEmailTaken = errors.New("another account has the address")
	// ErrFull says that there are as many as there may be, of accounts that wait, of tokens for bots or of mails.
	ErrFull = errors.New("there are too many")
	// ErrDeviceTaken says that a device has a session which this one may not replace.
	ErrDeviceTaken = errors.New("the device has another session")
	// ErrText says that a text was to be stored which not every engine stores: it holds NUL, or bytes that are not
	// UTF-8. Nothing was written.
	ErrText = errors.New("a text holds NUL, or bytes that are not UTF-8")
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
	// of PostgreSQL, while it is open: one writes and the others read; at least 2, default 9. A file has its own number
	Connections int
	// Follow is called inside each transaction that changes an account, or a session on a device, in a way that a
	// homeserver must learn of. What it writes is committed with the change or not at all. The device id is empty when
	// the account itself has changed. By then the change is made: Follow sees it, and the session on the device if
	// there is one. If it fails the change does not happen. May be nil.
	Follow func(t *Tx, localpart, deviceID string) error
	// OnEvent is called inside each transaction that records an event, with all that is known of it. What it writes is
	// committed with the event or not at all. May be nil.
	OnEvent func(t *Tx, e Event) error
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
	reader      *reader // nil: each question costs too little to share
	sessionByID *sql.Stmt
	writeLock   chan struct{} // full while somebody uses the write connection
	writer      *writer
	cache       *cache     // nil: nothing is remembered
	fresh       *freshness // nil: there is nothing to ask, since nothing is remembered
	notes       *notes
	hourly      hourly
	epoch       atomic.Uint64
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
	d := &DB{config: c, engine: e, writeLock: make(chan struct{}, 1), notes: newNotes()}
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
	if d.reads, err = d.pool(roleReader, d.engine.readers(d.config.Connections)); err != nil {
		return err
	}
	if p, ok := d.engine.(pipeliner); ok {
		d.reader = &reader{DB: d, pipeliner: p, patience: d.engine.patience()}
		return d.ready(ctx)
	}
	if err := d.ready(ctx); err != nil {
		return err
	}
	if d.sessionByID, err = d.reads.PrepareContext(ctx, sessionByID); err != nil {
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

// Epoch is another number when root keys have changed and, on SQLite, when another process has written anything. A
// caller that derived something from them, such as unwrapped root keys, reloads it then. It is as fresh as the last
// call of Session.
func (d *DB) Epoch() uint64 { return d.epoch.Load() }

// Fresh is Epoch after asking whether another process has written.
func (d *DB) Fresh(ctx context.Context) (uint64, error) {
	if d.reader != nil {
		var q question
		err := d.reader.ask(ctx, &q)
		return q.epoch, err
	}
	err := d.ready(ctx)
	return d.Epoch(), err
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
	return d.exec(ctx, onRow("ping"), setSetting, "ping", "") // beside others: of several replicas, each is asked often
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
