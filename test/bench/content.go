package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

// content is what a database holds.
type content struct {
	bytes int64 // of its file, and of its log
	rows  int   // of all tables
}

// kept is what the database holds after the first requests of a load's clients, and after all of them.
func (s *site) kept(ctx context.Context, l load, flags ...string) (before, after content, err error) {
	first := l
	first.limit = 1
	if before, err = s.after(ctx, first, flags); err == nil {
		after, err = s.after(ctx, l, flags)
	}
	return before, after, err
}

// after is what the database holds after a server took the load and stopped.
func (s *site) after(ctx context.Context, l load, flags []string) (c content, err error) {
	p, err := s.serve(ctx, flags...)
	if err != nil {
		return c, err
	}
	_, err = l.run(ctx, p, time.Hour)
	stopAll(&err, p)
	if err == nil {
		c.rows, err = s.rows(ctx)
	}
	for _, suffix := range []string{"", "-wal"} {
		info, missing := os.Stat(s.database() + suffix)
		if missing == nil {
			c.bytes += info.Size()
		} else if !os.IsNotExist(missing) {
			err = errors.Join(err, missing)
		}
	}
	return c, err
}

// rows counts those of all tables.
func (s *site) rows(ctx context.Context) (n int, err error) {
	d, err := sql.Open("sqlite", "file:"+s.database()+"?mode=ro")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	tables, err := d.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table'`)
	if err != nil {
		return 0, err
	}
	defer tables.Close()
	var names []string
	for tables.Next() {
		var name string
		if err := tables.Scan(&name); err != nil {
			return 0, err
		}
		names = append(names, name)
	}
	if err := tables.Err(); err != nil {
		return 0, err
	}
	for _, name := range names {
		var rows int
		if err := d.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM %q`, name)).Scan(&rows); err != nil {
			return 0, err
		}
		n += rows
	}
	return n, nil
}
