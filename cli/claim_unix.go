//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package cli

import (
	"os"
	"syscall"
)

// claim says whether a server is the only one on a file, and has others find this one until it is ended or the process
// is.
type claim struct {
	alone bool
	file  *os.File // which is locked, or will be as soon as the other server is gone; nil: it cannot be made
}

// newClaim locks a file, which it makes. The database itself cannot be locked so: SQLite loses its own locks when the
// process closes the file. Where no file can be made nobody is found.
func newClaim(path string) claim {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return claim{alone: true}
	}
	lock := int(f.Fd())
	if syscall.Flock(lock, syscall.LOCK_EX|syscall.LOCK_NB) != syscall.EWOULDBLOCK {
		return claim{alone: true, file: f}
	}
	go func() { _ = syscall.Flock(lock, syscall.LOCK_EX) }()
	return claim{file: f}
}

func (c claim) end() { _ = c.file.Close() } // of none, too
