//go:build !unix

package db

// header would save asking the engine; on this system it is asked every time. See header_unix.go.
type header struct{}

func newHeader(string) *header          { return &header{} }
func (*header) look() (seen [12]uint32) { return seen }
func (*header) unchanged() bool         { return false }
func (*header) forget()                 {}
func (*header) confirm([12]uint32)      {}
