package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"postern/handlers"
)

// listFlags say how a list is written.
type listFlags struct {
	Format string `enum:"table,json" default:"table" help:"table, for people, or json: an array of objects, named as in the admin API, with times (…_ts) in Unix milliseconds."`
}

// table writes rows under a heading, in columns.
func table(out io.Writer, heading string, rows [][]string) error {
	t := newListing(out, heading)
	t.rows = append(t.rows, rows...)
	return t.end(nil)
}

// listing is a list of any length: it is written as it comes, some rows at a time, and a column gets wider when its
// cells do. What a cell holds cannot control the terminal, nor pass for what it is not; an empty one is a dash. In JSON
// it is an array, which is closed only when all of it was written. After an error nothing more is written.
type listing struct {
	out    io.Writer
	widths []int
	rows   [][]string // that wait
	json   bool
	begun  bool  // in JSON: there was a row
	err    error // the first one
}

// listing begins the list of a command.
func (f listFlags) listing(out io.Writer, heading string) *listing {
	l := newListing(out, heading)
	l.json = f.Format == "json"
	return l
}

// listingRows is how many rows wait for each other.
const listingRows = 500

func newListing(out io.Writer, heading string) *listing {
	names := strings.Split(heading, " ")
	return &listing{out: out, widths: make([]int, len(names)), rows: [][]string{names}}
}

// add adds a row, of one line: what JSON shows of it, and its cells. Its error is that of end as well.
func (l *listing) add(shown any, cells ...string) error {
	if l.json {
		return l.addJSON(shown)
	}
	l.rows = append(l.rows, cells)
	if len(l.rows) < listingRows {
		return nil
	}
	return l.flush()
}

// addJSON writes an element of the array, of one line.
func (l *listing) addJSON(shown any) error {
	raw, err := json.Marshal(shown)
	l.err = cmp.Or(l.err, err)
	before := ",\n"
	if !l.begun {
		l.begun, before = true, "[\n"
	}
	return l.write(before + visibleJSON(raw))
}

// visibleJSON escapes what cannot be seen, or turns what stands behind it: see [handlers.Printable].
func visibleJSON(raw []byte) string {
	var b strings.Builder
	for _, r := range string(raw) {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, "\\u%04x", unit)
		}
	}
	return b.String()
}

// end writes what waits, and ends the list, unless an error has cut it short.
func (l *listing) end(err error) error {
	switch {
	case !l.json:
		return cmp.Or(err, l.flush())
	case err != nil:
		return err
	case !l.begun:
		return l.write("[]\n")
	}
	return l.write("\n]\n")
}

func (l *listing) write(text string) error {
	if l.err == nil {
		_, l.err = io.WriteString(l.out, text)
	}
	return l.err
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
	return l.write(text.String())
}

// cell is what a field holds that JSON may leave out.
func cell[T any](field *T) string {
	if field == nil {
		return ""
	}
	return fmt.Sprint(*field)
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
