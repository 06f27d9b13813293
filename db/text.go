package db

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Some texts are stored by one engine only: those that hold NUL, or bytes that are not UTF-8. PostgreSQL fails a
// statement that is given one, even if it only looks for it. So no statement is: it gets NULL instead, which equals
// nothing, so that what is looked for is not found, and which no column takes, so that what is to be stored is refused
// with [ErrText]. Texts whose meaning does not depend on it go through [Clip].

// storable gives the arguments of a statement with NULL for what some engine does not store.
func storable(args []any) []any {
	copied := false
	for i, a := range args {
		if text, ok := a.(string); ok && !Stores(text) {
			if !copied {
				args, copied = slices.Clone(args), true // they are the caller's
			}
			args[i] = nil
		}
	}
	return args
}

// Stores reports whether every engine stores a text.
func Stores(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

// Clip is the first n bytes of a text at most, without what some engine does not store: bytes that are not UTF-8, and
// NUL.
func Clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	if !Stores(s) {
		s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
	}
	return s
}
