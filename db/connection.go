package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// This file is how the write connection of a Tx is made, and made anew when it broke.

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
