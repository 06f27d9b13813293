package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"postern/db"
	"postern/tokens"
)

// newestKey is the number of the key that mints, or 0.
func newestKey(keys []db.RootKey) (id int64) {
	for _, k := range keys {
		if k.Retired.IsZero() {
			id = max(id, k.ID)
		}
	}
	return id
}

// prepareKeys gives the master key and sees to it that there is a root key. Both are made at the first start;
// after that a master key that is missing is an error, since a new one could not unwrap what the old one wrapped.
func (c *common) prepareKeys(ctx context.Context, w world, d *db.DB) (tokens.MasterKey, error) {
	keys, err := d.RootKeys(ctx)
	if err != nil {
		return tokens.MasterKey{}, err
	}
	master, err := c.masterKey(w, len(keys) == 0)
	if err != nil {
		return tokens.MasterKey{}, err
	}
	if newestKey(keys) != 0 {
		return master, c.checkOpens(master, keys)
	}
	_, err = addKey(ctx, d.AddFirstRootKey, master, keys)
	if errors.Is(err, db.ErrConflict) {
		err = nil // another process started first
	}
	return master, err
}

// checkOpens refuses a master key that does not open the root keys, before it does harm.
func (c *common) checkOpens(master tokens.MasterKey, keys []db.RootKey) error {
	for _, k := range keys {
		if !k.Retired.IsZero() {
			continue
		}
		if _, err := master.Unwrap(k.ID, k.Wrapped); err != nil {
			return fmt.Errorf("root key %d cannot be opened: %w; use the master key that this database was made with "+
				"(%s)", k.ID, err, c.masterKeyFile())
		}
	}
	return nil
}

// addKey makes a root key. Its number is the Unix second in which it was made: a number never comes back, not even if
// the database has forgotten that it was given (a failover, a restored backup, a new database). Clients may still have
// tokens of that key.
func addKey(ctx context.Context, add func(context.Context, db.RootKey) error, master tokens.MasterKey,
	keys []db.RootKey) (int64, error) {
	id := time.Now().Unix()
	for _, k := range keys {
		id = max(id, k.ID+1)
	}
	key, err := tokens.NewKey(id, rand.Reader)
	if err != nil {
		return 0, err
	}
	wrapped, err := master.Wrap(rand.Reader, key)
	if err != nil {
		return 0, err
	}
	return id, add(ctx, db.RootKey{ID: id, Wrapped: wrapped, Created: time.Now()})
}

// masterKeyFile is where the master key lies. It does not begin with the database's whole name, so that a
// backup of `postern.db*` does not take the key along.
func (c *common) masterKeyFile() string {
	if c.MasterKeyFile != "" {
		return c.MasterKeyFile
	}
	if c.onServer() {
		return "postern.key"
	}
	path := c.path()
	if filepath.Ext(path) == ".key" {
		return path + ".master"
	}
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".key"
}

// masterKey reads the master key from the environment or its file, and makes the file when it may.
func (c *common) masterKey(w world, first bool) (tokens.MasterKey, error) {
	if text := w.getenv("POSTERN_MASTER_KEY"); text != "" {
		master, err := tokens.ParseMasterKey(text)
		if err != nil {
			return master, fmt.Errorf("POSTERN_MASTER_KEY: %w", err)
		}
		return master, nil
	}
	file := c.masterKeyFile()
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist) && first:
		return makeMasterKey(file)
	case errors.Is(err, os.ErrNotExist):
		return tokens.MasterKey{}, fmt.Errorf(
			"the master key file %s is missing, and only it opens this database's root keys; "+
				"put it back, copy it from another replica, or name it with --master-key-file", file)
	case err != nil:
		return tokens.MasterKey{}, fmt.Errorf("the master key cannot be read: %w", err)
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintf(w.stderr, "warning: others on this machine can read %s; run: chmod 600 %s\n", file,
			shellWord(file))
	}
	master, err := tokens.ParseMasterKey(string(text))
	if err != nil {
		return master, fmt.Errorf("%s: %w", file, err)
	}
	return master, nil
}

// makeMasterKey writes a new master key. It is written whole under another name, synced, and then linked into
// place, so that a crash leaves no half of it, and one of two processes wins.
func makeMasterKey(file string) (tokens.MasterKey, error) {
	master, err := tokens.NewMasterKey(rand.Reader)
	if err != nil {
		return master, err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".master-key-*") // 0600
	if err != nil {
		return master, fmt.Errorf("the master key cannot be written: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(master.Text() + "\n")
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return master, fmt.Errorf("the master key cannot be written: %w", err)
	}
	if err := os.Link(temp.Name(), file); errors.Is(err, os.ErrExist) {
		text, err := os.ReadFile(file)
		if err != nil {
			return master, err
		}
		return tokens.ParseMasterKey(string(text))
	} else if err != nil {
		return master, fmt.Errorf("the master key cannot be written: %w", err)
	}
	return master, syncFolder(filepath.Dir(file))
}

// syncFolder makes a new name in a folder outlive a power cut: the database must not be there without its key.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
