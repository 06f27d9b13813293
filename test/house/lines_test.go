package house

import (
	"go/scanner"
	"go/token"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// columns is how long a line may be; a tab counts as four.
const columns = 120

// TestLines lists the lines that are longer than 120 columns. Excepted are what a generator wrote, struct tags, and in
// tests the rows of tables and what is data in strings.
func TestLines(t *testing.T) {
	t.Parallel()
	for _, dir := range folders(t) {
		if fromContract(dir) {
			continue
		}
		for _, file := range sources(t, dir) {
			if file == "docs/lesson/start/api.go" {
				continue
			}
			for _, line := range tooLong(text(t, file), isTest(file)) {
				t.Errorf("%s:%d: %d columns", file, line.number, line.columns)
			}
		}
	}
}

type longLine struct{ number, columns int }

// tooLong finds the lines of a file that are too long and are not excepted.
func tooLong(code string, isTest bool) (found []longLine) {
	excepted := dataLines(code, isTest)
	for i, line := range strings.Split(code, "\n") {
		n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
		if n > columns && !(isTest && row.MatchString(line)) && !excepted[i+1] && !generated(line) {
			found = append(found, longLine{i + 1, n})
		}
	}
	return found
}

// generated reports whether a line is a directive, which cannot be wrapped.
func generated(line string) bool { return strings.HasPrefix(line, "//go:") }

// A row of a table in a test begins with its brace or with its key.
var row = regexp.MustCompile(`^\s*["{]`)

var tag = regexp.MustCompile("^`[a-z]+:\"")

// dataLines are the lines that hold data which wrapping would change: a struct tag, and in tests a raw string of
// several lines, and any string that alone takes up half a line.
func dataLines(code string, isTest bool) map[int]bool {
	lines := make(map[int]bool)
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(code))
	var s scanner.Scanner
	s.Init(file, []byte(code), nil, 0)
	for {
		pos, tok, literal := s.Scan()
		switch {
		case tok == token.EOF:
			return lines
		case tok != token.STRING:
			continue
		}
		first, raw := file.Line(pos), literal[0] == '`'
		last := first + strings.Count(literal, "\n")
		if raw && (isTest && last > first || tag.MatchString(literal)) || isTest && len(literal) > columns/2 {
			for line := first; line <= last; line++ {
				lines[line] = true
			}
		}
	}
}

// TestTooLong shows the check what it must find, and what it must pass.
func TestTooLong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", columns+1)
	for _, test := range []struct {
		code           string
		inCode, inTest int // how many lines are too long
	}{
		{"package x\n", 0, 0},
		{"// " + long, 1, 1},
		{"\tvar " + strings.Repeat("é", columns-8), 0, 0},
		{"\tvar " + strings.Repeat("é", columns-7), 1, 1},
		{"var s = \"" + long + "\"", 1, 0},
		{"var s = `a\n" + long + "\nb`", 1, 0},
		{"\t{" + long + "},", 1, 0},
		{"\t\"" + strings.Repeat("x", columns/3) + "\": " + long + ",", 1, 0},
		{"type s struct {\n\tA int `json:\"" + long + "\"`\n}", 0, 0},
		{"//go:embed " + long, 0, 0},
	} {
		if in, inTest := len(tooLong(test.code, false)), len(tooLong(test.code, true)); in != test.inCode ||
			inTest != test.inTest {
			t.Errorf("%s\nfinds %d, in a test %d, not %d, %d", test.code, in, inTest, test.inCode, test.inTest)
		}
	}
}
