//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package front

import "syscall"

const canTellQuiet = false

// quiet is not called here.
func quiet(syscall.RawConn) bool { return false }
