//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package cli

// claim does nothing where files cannot be locked as on a Unix.
type claim struct{ alone bool }

func newClaim(string) claim { return claim{alone: true} }

func (claim) end() {}
