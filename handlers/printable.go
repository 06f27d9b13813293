package handlers

import (
	"strconv"
	"strings"
	"unicode"
)

// Printable writes a text that somebody else chose so that it shows as what it is, on one line: control characters,
// those that turn the direction of writing and all others that nobody sees become escapes, such as \u202e. A name
// cannot then pass for another one, nor control the terminal of whoever reads it. Unicode Technical Report #36,
// section 2.5.
func Printable(text string) string {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
