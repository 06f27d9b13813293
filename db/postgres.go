package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// postgresServer is a server that several replicas may share, so nothing is remembered: each check reads the row.
//
// One SQL text runs on both engines because it supposes little. On SQLite every write transaction is alone. Here those
// of several replicas run side by side, each statement seeing what is committed when it begins (READ COMMITTED), so:
//
//   - A refresh, and a note, is one compare-and-swap on one row. Two of them on one row wait for each other and the
//     second one finds the row moved, as it would on SQLite.
//   - Whatever looks at one row and writes another (a login looks at the account's lock) has for itself what it looks
//     at, see scope: what it saw holds until it commits. Few concern everybody; these are alone.
//
// What is had so is a transaction-level advisory lock: in memory, first come first served, and gone with its
// transaction however that ends. Every transaction has the gate, shared, or exclusive if it is alone; then its own
// locks in one order. Refreshes go through their rows in one order as well. Whoever still waits for another one in a
// circle gives way after 0.3 s and is run again.
//
// A process may freeze at any moment, and what it holds then nobody else gets. So what can goes there whole, with its
// beginning and its end (journey), and the rest is undone by the server when it has not heard of it for a second.
type postgresServer struct {
	config *pgx.ConnConfig
	set    bool // the DSN says how statements are run
	name   string
	schema string
	level  string // of isolation
	gate   string // the number of the advisory lock
}

func newPostgres(dsn string) (engine, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil && strings.Contains(err.Error(), "invalid "+modeInDSN) {
		return nil, fmt.Errorf("database: %w: it is one of cache_statement, cache_describe, describe_exec, exec, "+
			"simple_protocol", err)
	}
	if err != nil {
		return nil, fmt.Errorf("database: %w: write it like postgres://user@host/database; a password is best kept "+
			"in POSTERN_DB or a passfile", err)
	}
	// A peer that is gone without a word is noticed in about 20 s.
	dialer := &net.Dialer{Timeout: 5 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 3}}
	c.DialFunc = dialer.DialContext
	if c.ValidateConnect == nil {
		// Behind one address a primary may become a standby, and what that answers may be old.
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "postern"
	}
	return &postgresServer{config: c, set: saysMode(dsn), name: withoutSecrets(dsn)}, nil
}

// local is what every write transaction sets for itself: behind a pooler the session is not ours, and what is set
// there would be set for others. An answered write is on the disk (the first law), whatever the default is; a
// server that is told to wait for more, such as remote_apply, does. Nobody waits for a lock for ever.
const local = `set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
	ELSE current_setting('synchronous_commit') END, true), set_config('lock_timeout', '5s', true), `

// idle begins the setting that ends a transaction whose process is frozen: it would keep others from writing.
const idle = `set_config('idle_in_transaction_session_timeout', `

// ends has a server that can do so, PostgreSQL 17 and newer, end a transaction that takes longer than the patience of
// its process, so this process is frozen. If only a part of it has arrived the server waits for the rest, which is not
// idling.
const ends = `CASE WHEN CAST(current_setting('server_version_num') AS INTEGER) >= 170000
	THEN set_config('transaction_timeout', '15s', true) END, `

// brief is for a wait that others would share: for rows, since whoever has them may wait for one of ours, and for the
// whole gate, behind which all queue. Who does not get it lets them pass, and asks again.
const brief = `set_config('lock_timeout', '300ms', true), `

// opens says how a transaction begins that takes some advisory locks. With these held it looks whether the database has
// moved. A statement cannot say so, but it can fail: it divides by zero, see refusedAsMoved. From then on it waits only
// for rows.
func (e *postgresServer) opens(locks string) []string {
	return []string{"BEGIN ISOLATION LEVEL " + e.level, "SELECT " + local + ends + idle + "'1s', true), " + locks,
		"SELECT " + brief + "1 / (1 - COUNT(*)) FROM settings WHERE name = '" + movedTo + "'"}
}

const shared = "pg_advisory_xact_lock_shared"

func (e *postgresServer) begin(batch []*op) string {
	if slices.ContainsFunc(batch, func(o *op) bool { return o.scope.everything() }) || len(batch) == 0 {
		return strings.Join(e.opens(brief+"pg_advisory_xact_lock("+e.gate+")"), "; ")
	}
	var locks []string
	for _, o := range batch {
		for _, name := range o.locks {
			locks = append(locks, ", pg_advisory_xact_lock("+e.number(name)+")")
		}
	}
	slices.Sort(locks) // all take them in one order
	return strings.Join(e.opens(shared+"("+e.gate+")"+strings.Join(slices.Compact(locks), "")), "; ")
}

func (e *postgresServer) together() (begin []statement) {
	for _, s := range e.opens(shared + "(" + e.gate + ")") {
		begin = append(begin, statement{query: s})
	}
	return begin
}

// number is that of an advisory lock. These belong to the whole database, which may have other tenants.
func (e *postgresServer) number(name string) string {
	h := fnv.New64a()
	h.Write([]byte("postern\x00" + e.schema + name)) // never fails
	return strconv.FormatInt(int64(h.Sum64()), 10)
}

// withoutSecrets keeps of a DSN what may be shown: where it leads, and the name of the user.
func withoutSecrets(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return "PostgreSQL"
	}
	u.User = url.User(u.User.Username())
	if u.User.Username() == "" {
		u.User = nil
	}
	q := u.Query()
	for name := range q {
		if name != "host" && name != "port" && name != "dbname" && name != "search_path" && name != "sslmode" {
			q.Del(name)
		}
	}
	u.RawQuery, _ = url.QueryUnescape(q.Encode())
	u.ForceQuery = false
	return u.String()
}

func (e *postgresServer) String() string            { return e.name }
func (e *postgresServer) prepare() error            { return nil }
func (e *postgresServer) migrations() goose.Dialect { return goose.DialectPostgres }
func (e *postgresServer) present() error            { return nil }

// flushEvery is short because other replicas wait for the facts.
func (e *postgresServer) flushEvery() time.Duration        { return 50 * time.Millisecond }
func (e *postgresServer) patience() time.Duration          { return 15 * time.Second }
func (e *postgresServer) maintain(*Tx, maintenance) error  { return nil }
func (e *postgresServer) watch(context.Context, *DB) error { return nil }

// copies waits for the disks of two databases, so it may idle longer than others. The lock is taken before anything is
// read, and the default isolation shows what is committed by then.
func (e *postgresServer) copies(lock bool) string {
	const patient = "; SELECT " + local + idle + "'10min', true)"
	if !lock {
		return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" + patient
	}
	return "BEGIN ISOLATION LEVEL " + e.level + patient + ", " + brief + "pg_advisory_xact_lock(" + e.gate + ")"
}

// tables counts those that no extension owns: what pg_stat_statements brings makes a database nobody's.
func (e *postgresServer) tables() string {
	return `SELECT COUNT(*), COUNT(CASE WHEN relname = '` + versionTable + `' THEN 1 END) FROM pg_catalog.pg_class c
		WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND relnamespace = to_regnamespace(quote_ident(current_schema()))
		AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
			WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`
}

// postgresConnections is how many there are: each may wait for the network, so there are more than on SQLite.
const postgresConnections = 9

func (e *postgresServer) readers(all int) int { return max(1, or(all, postgresConnections)-1) }

// pool trusts readers to read: what they run is run on SQLite too, where they cannot write, and a pooler's session is
// not ours to forbid it.
func (e *postgresServer) pool(r role, n int) (*sql.DB, error) {
	config := *e.config.Copy()
	var options []stdlib.OptionOpenDB
	if r == roleGuest {
		options = append(options, stdlib.OptionAfterConnect(e.recognise))
		if !e.set {
			config.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
	}
	d := sql.OpenDB(connector{stdlib.GetConnector(config, options...)})
	d.SetMaxOpenConns(n)
	d.SetMaxIdleConns(n)
	return d, nil
}

// connect learns, the first time, what the transactions have to say.
func (e *postgresServer) connect(ctx context.Context, pool *sql.DB) (*sql.Conn, error) {
	c, err := pool.Conn(ctx)
	if err != nil || e.gate != "" {
		return c, err
	}
	var version string
	const q = `SELECT COALESCE(current_schema(), ''), version()`
	if err := c.QueryRowContext(ctx, q).Scan(&e.schema, &version); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	e.gate, e.level = e.number(""), "READ COMMITTED"
	if strings.Contains(version, "CockroachDB") {
		// there an advisory lock is accepted and does nothing, and serializability does its work
		e.level = "SERIALIZABLE"
	}
	return c, nil
}

func (e *postgresServer) pipeline(ctx context.Context, c *sql.Conn, s []statement,
	do func(i int, scan func(...any) error) error) error {
	return c.Raw(func(raw any) error {
		var b pgx.Batch
		for i := range s {
			b.Queue(s[i].query, storable(s[i].args)...).Query(func(rows pgx.Rows) error {
				if !rows.Next() {
					return nil
				}
				return do(i, rows.Scan)
			})
		}
		return raw.(postgresConn).Conn.Conn().SendBatch(ctx, &b).Close()
	})
}

func (e *postgresServer) alive(c *sql.Conn) bool {
	err := c.Raw(func(raw any) error {
		if raw.(postgresConn).Conn.Conn().IsClosed() {
			return driver.ErrBadConn
		}
		return nil
	})
	return err == nil
}

const onlyReads = "25006" // read_only_sql_transaction

// sqlState is the code of an error that the server reported, or with which it would refuse to write.
func sqlState(err error) (string, bool) {
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e):
		return e.Code, true
	case errors.Is(err, pgconn.ErrStandbyConnection), errors.Is(err, pgconn.ErrReadOnlyConnection):
		return onlyReads, true
	}
	return "", false
}

// refusedAsMoved says that a transaction could not begin because the database has moved.
func refusedAsMoved(err error) bool {
	state, _ := sqlState(err)
	return state == "22012" // division_by_zero
}

// lost says that the connection is of no use any more, or was never made, while another one may be. A server that only
// reads is a standby: the next connection may find its successor.
func lost(err error) bool {
	if state, ok := sqlState(err); ok {
		return strings.HasPrefix(state, "08") || strings.HasPrefix(state, "57P") || timedOut(err) ||
			state == onlyReads || state == "53300"
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

const (
	// adviceAgain is true of both that print it, a server and a command.
	adviceAgain = "; a server that runs goes on by itself, a command has to be run again"
	adviceGone  = "PostgreSQL does not answer: check that it runs and that --db names it; nothing that was answered " +
		"is lost" + adviceAgain
	advicePooled = "a pooler before it mixes up prepared statements: leave " + modeInDSN + " out of the DSN"
)

// postgresAdvice goes by SQLSTATE (PostgreSQL, Appendix A), the longest beginning first.
func postgresAdvice(state string) string {
	all := map[string]string{
		"08": adviceGone, "57P": adviceGone, "25P03": adviceGone, "25P04": adviceGone,
		"08P01": "a pooler refuses: see its log",
		"26000": advicePooled, "42P05": advicePooled,
		"28": "it refuses this user: check the name and the password in the DSN, POSTERN_DB or the passfile, and " +
			"pg_hba.conf",
		"3D": "there is no such database: make it with createdb",
		"3F": "there is no such schema: make it, or leave search_path out",
		onlyReads: "it only reads, as a standby does until it is promoted: name the primary, or several hosts with " +
			"target_session_attrs=read-write" + adviceAgain,
		"42501": "this user may not do that: make it the owner of the database, or of a schema of its own",
		"53100": "its disk is full: free some space; nothing was lost" + adviceAgain,
		"53300": "it has too many connections: raise max_connections, or lower --db-connections of each replica",
		"55P03": "another process keeps it locked: look for a long transaction in pg_stat_activity",
	}
	for n := len(state); n > 0; n-- {
		if advice := all[state[:n]]; advice != "" {
			return advice
		}
	}
	return ""
}
