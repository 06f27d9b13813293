//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package cli

import (
	"os"
	"syscall"
)

// claim locks a file, which it makes, until it is ended or the process is, and reports whether nobody else has. The
// database itself cannot be locked so: SQLite loses its own locks when the process closes the file. Where no file can
// be made nobody is found.
func claim(path string) (end func(), alone bool) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return func() {}, true
	}
	alone = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != syscall.EWOULDBLOCK
	return func() { _ = f.Close() }, alone
}
