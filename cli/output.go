package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"postern/handlers"
)

// table writes rows under a heading, in columns.
func table(out io.Writer, heading string, rows [][]string) error {
	t := newListing(out, heading)
	t.rows = append(t.rows, rows...)
	return t.flush()
}

// listing is a table of any length: it is written as it comes, some rows at a time, and a column gets wider when its
// cells do. What a cell holds cannot control the terminal, nor pass for what it is not; an empty one is a dash.
type listing struct {
	out    io.Writer
	widths []int
	rows   [][]string // that wait
}

// listingRows is how many rows wait for each other.
const listingRows = 500

func newListing(out io.Writer, heading string) *listing {
	names := strings.Split(heading, " ")
	return &listing{out: out, widths: make([]int, len(names)), rows: [][]string{names}}
}

// add adds a row, of one line.
func (l *listing) add(cells ...string) error {
	l.rows = append(l.rows, cells)
	if len(l.rows) < listingRows {
		return nil
	}
	return l.flush()
}

// flush writes the rows that wait.
func (l *listing) flush() error {
	for _, row := range l.rows {
		for i, cell := range row {
			row[i] = cmp.Or(handlers.Printable(cell), "-")
			l.widths[i] = max(l.widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var text strings.Builder
	for _, row := range l.rows {
		last := len(row) - 1
		for i, cell := range row[:last] {
			fmt.Fprintf(&text, "%-*s  ", l.widths[i], cell)
		}
		text.WriteString(row[last] + "\n")
	}
	l.rows = l.rows[:0]
	_, err := io.WriteString(l.out, text.String())
	return err
}

// when writes an instant for people, and a dash for none.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// plural writes a count with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printableLines is [handlers.Printable] for a text of several lines.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = handlers.Printable(line)
	}
	return strings.Join(lines, "\n")
}

// shellWord quotes what a shell would take apart.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' ||
			strings.ContainsRune("/._-:@%+,=", r)
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// yes is a mark in a table.
func yes(is bool) string {
	if is {
		return "yes"
	}
	return "-"
}
