package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// This file is the write connection of a Tx: its statements, and how it is made anew when it broke.

func (t *Tx) prepareRaw(query string) (stmt driver.Stmt, err error) {
	if s := t.rawStmts[query]; s != nil {
		return s, nil
	}
	err = t.conn.Raw(func(raw any) error {
		stmt, err = raw.(driver.ConnPrepareContext).PrepareContext(t.ctx, query)
		return err
	})
	if err == nil {
		t.rawStmts[query] = stmt
	}
	return stmt, err
}

func (t *Tx) prepare(query string) (*sql.Stmt, error) {
	if s := t.stmts[query]; s != nil {
		return s, nil
	}
	s, err := t.conn.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, t.failed(err)
	}
	t.stmts[query] = s
	return s, nil
}

// control runs a statement about transactions, which does not count as one of them.
func (t *Tx) control(query string) error {
	if t.conn == nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, driver.ErrBadConn)
	}
	_, err := t.conn.ExecContext(t.ctx, query)
	return t.failed(err)
}

// failed is unavailable for a statement of ours: when the time is over, it is the engine that took too long.
func (t *Tx) failed(err error) error {
	if err != nil && t.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return unavailable(err)
}

// connect makes the write connection, or makes it anew.
func (t *Tx) connect(ctx context.Context) (err error) {
	t.conn, err = t.db.engine.connect(ctx, t.pool)
	t.stmts, t.rawStmts = make(map[string]*sql.Stmt), make(map[string]driver.Stmt)
	return unavailable(err)
}

// reconnect makes the write connection anew if it broke.
func (t *Tx) reconnect() error {
	if t.conn != nil && t.db.engine.alive(t.conn) {
		return nil
	}
	t.abandon()
	return t.connect(t.ctx)
}

// abandon gives up a connection that is of no use, even if it lives: its server may be a standby now.
func (t *Tx) abandon() {
	if t.conn != nil {
		_ = t.conn.Raw(func(any) error { return driver.ErrBadConn }) // or the pool would hand it out again
		_ = t.disconnect()
	}
}

func (t *Tx) close() error {
	if t.cancel != nil {
		t.cancel()
	}
	if t.conn == nil {
		return nil
	}
	return t.disconnect()
}

func (t *Tx) disconnect() error {
	var errs []error
	for _, s := range t.rawStmts {
		errs = append(errs, s.Close())
	}
	for _, s := range t.stmts {
		errs = append(errs, s.Close())
	}
	err := errors.Join(append(errs, t.conn.Close())...)
	t.conn = nil
	return err
}
