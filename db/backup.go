package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
)

// Backup writes everything as it is at one moment into a new SQLite file, To, for its owner alone, from either engine,
// while others read and write. The file is whole or not there: it is made under another name, compared, checked and
// synced first. User-interactive sessions are left out: they would be over before anybody restores it, and one may hold
// a password. ErrConflict if it exists.
func Backup(ctx context.Context, c CopyConfig) (copied Copied, err error) {
	if err := unused(c.To); err != nil {
		return Copied{}, err
	}
	folder := filepath.Dir(c.To)
	draft, err := os.CreateTemp(folder, ".postern-backup-*") // 0600
	if err != nil {
		return Copied{}, fmt.Errorf("the backup cannot be written: %w", err)
	}
	defer func() {
		for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
			_ = os.Remove(draft.Name() + suffix) // after a success nothing of it is left
		}
	}()
	if err := draft.Close(); err != nil {
		return Copied{}, err
	}
	place := c.To
	c.To = "file:" + (&url.URL{Path: draft.Name()}).EscapedPath()
	copied, err = between(ctx, c, func(from, to *side) (Copied, error) { return c.snapshot(ctx, from, to) })
	if err == nil {
		err = errors.Join(unused(place), syncName(draft.Name()))
	}
	if err == nil {
		err = os.Rename(draft.Name(), place)
	}
	if err != nil {
		return Copied{}, err
	}
	return copied, syncName(folder)
}

// snapshot copies what the source holds at one moment, and leaves a file that needs no other beside it.
func (c CopyConfig) snapshot(ctx context.Context, from, to *side) (Copied, error) {
	if err := from.begin(ctx, false); err != nil {
		return Copied{}, err
	}
	if err := from.present(ctx); err != nil {
		return Copied{}, err
	}
	if err := to.begin(ctx, true); err != nil {
		return Copied{}, err
	}
	from.tables = slices.DeleteFunc(slices.Clone(from.tables), func(t Table) bool { return t.passing })
	copied, _, err := c.tables(ctx, from, to)
	if err != nil {
		return Copied{}, err
	}
	if err := to.commit(ctx); err != nil {
		return Copied{}, err
	}
	return copied, to.sound(ctx)
}

func unused(path string) error {
	_, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the backup cannot be written: %w", err)
	}
	return fmt.Errorf("%w: %s exists already, and a backup is never overwritten: name another file", ErrConflict, path)
}

// syncName makes a file, or a name in a folder, outlive a power cut.
func syncName(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
