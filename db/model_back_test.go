package db

import (
	"database/sql"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"postern/test/rig/postgres"
)

// clone is what was true at this moment.
func (f *facts) clone() *facts {
	c := *f
	c.spent, c.ended, c.sessions = maps.Clone(f.spent), maps.Clone(f.ended), make(map[string]*model)
	for dev, m := range f.sessions {
		then := *m
		c.sessions[dev] = &then
	}
	return &c
}

// stopped runs something while nobody has the database open.
func (y *story) stopped(t *rapid.T, do func() error) {
	for _, d := range []*DB{y.d, y.other} {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := do(); err != nil {
		t.Fatal(err)
	}
	y.d, y.other = mustOpen(t, y.c), mustOpen(t, y.c)
}

// remember makes a copy of the database.
func (y *story) remember(t *rapid.T) {
	y.stopped(t, func() error { return y.back.keep(y.c.DSN) })
	y.before = y.clone()
}

// goBack puts the copy in its place. What clients have is what it was.
func (y *story) goBack(t *rapid.T) {
	if y.before == nil {
		return
	}
	y.stopped(t, func() error { return y.back.restore(y.c.DSN) })
	y.facts = *y.before.clone()
}

// moment is a copy of a database.
type moment interface {
	keep(dsn string) error
	restore(dsn string) error
}

func moments(t *testing.T) moment {
	if !postgres.Chosen() {
		return copiedFile{filepath.Join(t.TempDir(), "then.db")}
	}
	return copiedTables{}
}

// copiedFile is a file beside the one of the database.
type copiedFile struct{ path string }

func (c copiedFile) keep(dsn string) error {
	content, err := os.ReadFile(dsn) // closing has written the log back
	if err == nil {
		err = os.WriteFile(c.path, content, 0o600)
	}
	return err
}

func (c copiedFile) restore(dsn string) error {
	content, err := os.ReadFile(c.path)
	if err == nil {
		err = os.WriteFile(dsn, content, 0o600)
	}
	return err
}

// copiedTables are tables beside those of the schema.
type copiedTables struct{}

func (copiedTables) keep(dsn string) error {
	return onTables(dsn, func(name string) string {
		return `DROP TABLE IF EXISTS then_` + name + `; CREATE TABLE then_` + name + ` AS TABLE ` + name
	})
}

func (copiedTables) restore(dsn string) error {
	empty := ""
	for _, table := range slices.Backward(tables) {
		if table.Name != "settings" {
			empty += "DELETE FROM " + table.Name + ";"
		}
	}
	return onTables(dsn, func(name string) string {
		q := empty + `INSERT INTO ` + name + ` SELECT * FROM then_` + name
		empty = ""
		return q
	})
}

// onTables runs what is said of each table of content.
func onTables(dsn string, query func(name string) string) error {
	raw, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer raw.Close()
	var all []string
	for _, table := range tables {
		if table.Name != "settings" {
			all = append(all, query(table.Name))
		}
	}
	_, err = raw.ExecContext(bg, strings.Join(all, ";"))
	return err
}
