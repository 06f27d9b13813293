package delegation

import (
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff shows the change as a unified diff. Values that look like secrets stay hidden: a diff is pasted into chats.
func (c Change) Diff() string {
	text := string(diff.Diff(c.Path, c.Before, c.Path, c.After))
	_, text, _ = strings.Cut(text, "\n") // "diff PATH PATH"; the two lines that follow name the file too
	var out strings.Builder
	for line := range strings.Lines(text) {
		body, _ := cutEnding(line)
		out.WriteString(hide(body) + "\n")
	}
	return out.String()
}
