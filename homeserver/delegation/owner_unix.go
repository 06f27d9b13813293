//go:build unix

package delegation

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// own gives a file the owner and group of another.
func own(f *os.File, like fs.FileInfo) error {
	want, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil // unreachable
	}
	if info, err := f.Stat(); err == nil {
		if is, ok := info.Sys().(*syscall.Stat_t); ok && is.Uid == want.Uid && is.Gid == want.Gid {
			return nil
		}
	}
	if err := f.Chown(int(want.Uid), int(want.Gid)); err != nil {
		return fmt.Errorf("%w: it cannot be given to the owner of Synapse's configuration; run this as root", err)
	}
	return nil
}

// syncFolder makes sure that a name is on the disk.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closing := d.Close(); err == nil {
		err = closing
	}
	return err
}
