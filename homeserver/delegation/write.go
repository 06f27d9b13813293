package delegation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// kept is how the name of a copy goes on.
const kept = ".before-postern"

// ours reports whether setup has made a file, by its name.
func ours(name string) bool {
	return strings.Contains(name, kept) || name == secretName || name == pepperName
}

// Keep copies the file as it is, beside it, under a name that is not taken, and gives that name. A copy of these very
// bytes is not made twice. Others may not read it, even if they may read the file: it is forgotten more easily.
func (c Change) Keep() (string, error) {
	for _, name := range copies(c.Path) {
		if text, err := os.ReadFile(name); err == nil && string(text) == string(c.Before) {
			return name, nil
		}
	}
	info, err := os.Stat(c.Path)
	if err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		name := c.Path + kept
		if n > 1 {
			name += "-" + strconv.Itoa(n)
		}
		err := create(name, c.Before, info.Mode().Perm()&^0o007, info)
		if !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
}

// Write puts the new text in the file's place, whole or not at all, with the same owner and mode. It refuses if the
// file is not what was read any more.
func (c Change) Write() error {
	now, err := os.ReadFile(c.Path)
	if err != nil {
		return err
	}
	if string(now) != string(c.Before) {
		return fmt.Errorf("%s was changed meanwhile; nothing was written to it; run this again", c.Path)
	}
	info, err := os.Stat(c.Path)
	if err != nil {
		return err
	}
	beside := c.Path + ".postern-new"
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a run that was killed
		return err
	}
	if err := create(beside, c.After, info.Mode().Perm(), info); err != nil {
		return err
	}
	if err := os.Rename(beside, c.Path); err != nil {
		return errors.Join(err, os.Remove(beside))
	}
	return syncFolder(filepath.Dir(c.Path))
}

// makeSecret makes a file with a secret, with the owner and group of another file (see Config.ownerFile). The owner may
// read it, and the group if it reads the other file where strangers do not. It leaves a file that is there alone, and
// reports whether it made one.
func makeSecret(path string, secret []byte, ownerFile string) (made bool, err error) {
	if _, err := os.Stat(path); err == nil {
		return false, nil
	}
	info, err := os.Stat(ownerFile)
	if err != nil {
		return false, err
	}
	mode := fs.FileMode(0o600)
	// else the group was not chosen: in Debian it is nogroup, which many share
	if perm := info.Mode().Perm(); perm&0o004 == 0 {
		mode |= perm & 0o040
	}
	err = create(path, secret, mode, info)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// create writes a file that is not there yet, down to the disk. Its mode is set before its owner gets it, and narrow
// before that.
func create(path string, text []byte, mode fs.FileMode, like fs.FileInfo) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = own(f, like)
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return syncFolder(filepath.Dir(path))
}
