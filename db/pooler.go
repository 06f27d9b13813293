package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// This file is how statements reach PostgreSQL, perhaps through a pooler.
//
// A pooler such as PgBouncer gives each transaction one of the sessions that it has, and after it perhaps to somebody
// else. So nothing of ours stays in a session: settings are those of a transaction (see local), locks too, and a
// statement that was prepared in one session is missing in the next one. Newer poolers keep track of such statements;
// others do not, or do not know of them. So behind a pooler each statement is planned when it is run, in the same round
// trip, unless the DSN says how (pgx's default_query_exec_mode).

// modeInDSN is pgx's parameter that says how statements are run.
const modeInDSN = "default_query_exec_mode"

// saysMode reports whether a DSN says how statements are run.
func saysMode(dsn string) bool {
	u, err := url.Parse(dsn)
	return err == nil && u.Query().Has(modeInDSN)
}

// recognise finds out, by the first connection, whether there is a pooler. PostgreSQL says when a connection begins
// which process serves it (BackendKeyData); a pooler, which cannot know yet, says something else.
//
// Some poolers take a search_path from the DSN and leave it out. Then the database would look empty, and would be
// filled anew: everybody would be logged out.
func (e *postgresServer) recognise(ctx context.Context, c *pgx.Conn) error {
	const q = `SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('search_path')`
	var process uint32
	var path string
	if err := c.QueryRow(ctx, q).Scan(&process, &path); err != nil {
		return err
	}
	if process != c.PgConn().PID() && !e.set {
		e.config.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	if want := e.config.RuntimeParams["search_path"]; want != "" && want != path {
		return errors.New("database: a pooler leaves out the search_path of the DSN: set it once with " +
			"ALTER ROLE … SET search_path, and not in the DSN")
	}
	return nil
}

// poolerAdvice is what to do when a pooler refuses: all that PgBouncer refuses has one SQLSTATE, and its words say what
// it is.
func poolerAdvice(err error) string {
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) || refusal.Code != "08P01" {
		return ""
	}
	for words, advice := range map[string]string{
		"query_wait_timeout": "the pool was too small, or PostgreSQL away, for longer than the pooler's " +
			"query_wait_timeout: raise its default_pool_size, or look at PostgreSQL",
		"search_path": "a pooler takes no search_path: leave it out of the DSN, and set it once with " +
			"ALTER ROLE … SET search_path",
		"server_login_retry": "the pooler does not reach PostgreSQL: check that it runs, and see the pooler's log",
		"max_client_conn":    "the pooler has too many clients: raise its max_client_conn",
	} {
		if strings.Contains(refusal.Message, words) {
			return advice
		}
	}
	return ""
}

// connector makes connections that leave preparing statements to pgx, which does it when a statement is run, unless
// there is a pooler.
type connector struct{ driver.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	made, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return postgresConn{made.(*stdlib.Conn)}, nil
}

type postgresConn struct{ *stdlib.Conn }

func (c postgresConn) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return unprepared{conn: c.Conn, query: query}, nil
}

// unprepared is a statement that pgx prepares or does not.
type unprepared struct {
	driver.Stmt // nil: what is not below is not asked for
	conn        *stdlib.Conn
	query       string
}

func (s unprepared) Close() error  { return nil }
func (s unprepared) NumInput() int { return -1 } // not known

func (s unprepared) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.query, args)
}

func (s unprepared) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.query, args)
}
