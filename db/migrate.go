package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

// Extension is what another package keeps in the database: tables of its own, beside those of this package.
type Extension struct {
	Name       string  // a short word: its migrations are counted in the table postern_schema_Name
	Migrations fs.FS   // goose's files, at the top, each with one text for both engines
	Tables     []Table // what Copy and Backup have to know
}

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is named so that no other program has one: it is how we know our own file.
const versionTable = "postern_schema"

// errNewer is a promise kept: an older program never writes to a schema it does not know.
var errNewer = errors.New("the database was made by a newer release: use that release, or restore a backup from " +
	"before the update")

// migrateAll brings the schema up to date, ours and then that of each extension.
func migrateAll(ctx context.Context, w *sql.DB, e engine, extensions []Extension, wait time.Duration) error {
	if err := migrate(ctx, w, e, ours(), versionTable, wait); err != nil {
		return err
	}
	for _, x := range extensions {
		if x.Migrations == nil {
			continue
		}
		if err := migrate(ctx, w, e, x.Migrations, versionTable+"_"+x.Name, wait); err != nil {
			return err
		}
	}
	return nil
}

// migrate brings one part of the schema up to date. Each migration is one transaction. Two processes that start at the
// same moment both try; the one that comes second fails on what the first made, looks again, and finds nothing left to
// do.
func migrate(ctx context.Context, w *sql.DB, e engine, files fs.FS, versions string, wait time.Duration) error {
	p, err := provider(w, e, files, versions)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(wait); ; {
		done, err := up(ctx, w, p, versions)
		if done || time.Now().After(deadline) || errors.Is(err, errNewer) || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func provider(w *sql.DB, e engine, files fs.FS, versions string) (*goose.Provider, error) {
	return goose.NewProvider(e.migrations(), w, files, goose.WithTableName(versions),
		goose.WithDisableGlobalRegistry(true))
}

// ours are the migrations of this package.
func ours() fs.FS {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // unreachable: the folder is embedded
	}
	return files
}

// up looks at the version first, with one query: most starts find nothing to do.
func up(ctx context.Context, w *sql.DB, p *goose.Provider, versions string) (done bool, err error) {
	sources := p.ListSources()
	newest := sources[len(sources)-1].Version
	var have sql.NullInt64
	err = w.QueryRowContext(ctx, "SELECT MAX(version_id) FROM "+versions).Scan(&have)
	switch {
	case err == nil && have.Int64 > newest:
		return true, fmt.Errorf("database: schema %d, known up to %d: %w", have.Int64, newest, errNewer)
	case err == nil && have.Int64 == newest:
		return true, nil
	case err != nil && !noTable(err):
		return false, unavailable(err)
	}
	if _, err := p.Up(ctx); err != nil {
		return false, fmt.Errorf("database: migrate: %w", unavailable(err))
	}
	return true, nil
}
