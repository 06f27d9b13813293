package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"postern/db"
)

// existing opens a database that must be there: a mistyped path must not make an empty one and call it a list.
func (c *common) existing(ctx context.Context, do func(*db.DB) error) error {
	if !strings.Contains(c.DB, "://") {
		if _, err := os.Stat(c.path()); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("there is no database at %s; name it with --db, or make it with `postern serve` or `postern user add`", c.path())
		}
	}
	return c.open(ctx, do)
}

// open opens the database, makes it when it is not there, and closes it when the work is done.
func (c *common) open(ctx context.Context, do func(*db.DB) error) error {
	if err := errors.Join(c.problems()...); err != nil {
		return err
	}
	d, err := db.Open(ctx, db.Config{DSN: c.DB})
	if err != nil {
		return err
	}
	return errors.Join(do(d), d.Close())
}

// table writes rows under a heading, in columns.
func table(out io.Writer, heading string, rows [][]string) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(heading, " ", "\t"))
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// when writes an instant for people, and a dash for none.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// printable keeps a client's own words from playing with the operator's terminal.
func printable(text string) string {
	if text == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

// plural writes a count with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
