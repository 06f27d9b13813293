//go:build !linux

package cli

// forgetProgram does nothing where nothing tells what may be forgotten.
func forgetProgram() {}
