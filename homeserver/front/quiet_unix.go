//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package front

import "syscall"

// canTellQuiet says that quiet works on this system.
const canTellQuiet = true

// quiet reports whether a connection is open and nothing came on it that was not read.
func quiet(raw syscall.RawConn) (yes bool) {
	var first [1]byte
	_ = raw.Read(func(fd uintptr) bool { // an error is of a connection that is closed here
		_, _, err := syscall.Recvfrom(int(fd), first[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		yes = err == syscall.EAGAIN
		return true
	})
	return yes
}
