// Package console reads the blocks of a document that are marked as console, for tests that type every command there
// and compare what is printed.
package console

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Step is a command of a document and what it prints.
type Step struct {
	Command, Want string
	Line          int
}

// Read takes the commands out of the blocks that are marked as console. A line that begins with a dollar is a command,
// the others are what it prints.
func Read(t testing.TB, file string) (steps []Step) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for i, line := range strings.SplitAfter(string(raw), "\n") {
		command, typed := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```console"
		case inside && typed:
			steps = append(steps, Step{Command: strings.TrimSpace(command), Line: i + 1})
		case inside && len(steps) > 0:
			steps[len(steps)-1].Want += line
		}
	}
	return steps
}

// Stays reports whether a command is for those after it as well, which a test that gives each command a shell of its
// own types again before them.
func (s Step) Stays() bool {
	return strings.HasPrefix(s.Command, "export ") || strings.HasPrefix(s.Command, "umask ")
}

// Fits compares what was printed with what the document says. An ellipsis is anything on a line, or alone on one, any
// number of lines.
func (s Step) Fits(printed string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(s.Want) {
		if line == "…\n" {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*"))
	}
	return regexp.MustCompile(`\A` + pattern.String() + `\z`).MatchString(printed)
}
