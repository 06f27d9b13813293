package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Read runs a query outside the writer and calls do for every row of its result; scan is only good during the call.
// Reading many rows may take long, so it ends with the context. ErrUnavailable if the engine fails.
func (d *DB) Read(ctx context.Context, query string, args []any, do func(scan func(...any) error) error) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	begun := false
	read := func() error {
		rows, err := d.reads.QueryContext(ctx, query, storable(args)...)
		if err != nil {
			return err
		}
		return each(rows, func(scan func(...any) error) error {
			begun = true
			return do(scan)
		})
	}
	err := read()
	if err != nil && lost(err) && !begun {
		err = read()
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // and not the interruption it came as
	}
	return unavailable(err)
}

func each(rows *sql.Rows, do func(scan func(...any) error) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := do(rows.Scan); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// list is Read for rows of one type.
func list[T any](ctx context.Context, d *DB, query string, scanRow func(func(...any) error) (T, error),
	args ...any) (all []T, err error) {
	err = d.Read(ctx, query, args, func(scan func(...any) error) error {
		v, err := scanRow(scan)
		all = append(all, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// listIn is list within a transaction.
func listIn[T any](t *Tx, query string, scanRow func(func(...any) error) (T, error), args ...any) (all []T, err error) {
	err = t.Each(query, args, func(scan func(...any) error) error {
		v, err := scanRow(scan)
		all = append(all, v)
		return err
	})
	return all, err
}

// one reads at most one row outside the writer; ErrNotFound if there is none. It does not watch the context: that would
// cost more than the read.
func one[T any](ctx context.Context, d *DB, query string, scanRow func(func(...any) error) (T, error),
	args ...any) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if d.reader != nil {
		v, _, err := asked(ctx, d.reader, statement{query, args}, scanRow)
		return v, err
	}
	if err := d.ready(ctx); err != nil {
		return none, err
	}
	return found(scanRow(d.reads.QueryRowContext(context.WithoutCancel(ctx), query, storable(args)...).Scan))
}

// Get runs a query outside the writer that gives at most one row, and scans that if there is one. Like the other reads
// of one row it does not watch the context: that would cost more than the read. On PostgreSQL checks share its round
// trip, so it must find its row by an index; Read is for what takes longer. ErrUnavailable if the engine fails.
func (d *DB) Get(ctx context.Context, query string, dest []any, args ...any) (found bool, err error) {
	scanRow := func(scan func(...any) error) (none struct{}, err error) { return none, scan(dest...) }
	_, err = one(ctx, d, query, scanRow, args...)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// twice reads again if the connection turned out to be lost: the pool had kept it since before the server was
// restarted.
func twice[T any](read func() (T, error)) (T, error) {
	v, err := read()
	if err != nil && lost(err) {
		v, err = read()
	}
	return v, err
}

// scanText scans a row of one text.
func scanText(scan func(...any) error) (s string, err error) {
	err = scan(&s)
	return s, err
}

// found turns what reading one row failed for into an error of this package.
func found[T any](v T, err error) (T, error) {
	var none T
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return none, ErrNotFound
	case errors.Is(err, context.DeadlineExceeded): // the engine's, since the caller's was left out
		return none, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case err != nil:
		return none, unavailable(err)
	}
	return v, nil
}
