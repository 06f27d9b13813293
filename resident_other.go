//go:build !linux

package main

// forgetProgram does nothing where nothing tells what may be forgotten.
func forgetProgram() {}
