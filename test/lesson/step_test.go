package lesson

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// step is a command of the lesson and what it prints.
type step struct {
	command, want string
	line          int
}

// read takes the commands out of the blocks that are marked as console. A line that begins with a dollar is a command,
// the others are what it prints.
func read(t *testing.T, file string) (steps []step) {
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
			steps = append(steps, step{command: strings.TrimSpace(command), line: i + 1})
		case inside && len(steps) > 0:
			steps[len(steps)-1].want += line
		}
	}
	return steps
}

// fits compares what was printed with what the lesson says. An ellipsis is anything on a line, or alone on one, any
// number of lines.
func (s step) fits(printed string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(s.want) {
		if line == "…\n" {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*"))
	}
	return regexp.MustCompile(`\A` + pattern.String() + `\z`).MatchString(printed)
}

// lasting says that the command goes on, or that another that does will print more because of it: there is no end to
// wait for.
func (s step) lasting() bool {
	return strings.HasSuffix(s.command, "&") || strings.Contains(s.want, "reloaded")
}
