package spec

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Position is a place in a spec file. Lines and columns begin with 1; 0 is unknown.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String is the position as compilers write it, which editors and terminals follow.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// In is the position with the folder that its file's name begins in.
func (p Position) In(folder string) Position {
	p.File = filepath.ToSlash(filepath.Join(folder, filepath.FromSlash(p.File)))
	return p
}

// Problem is something wrong with a spec: an error or a warning.
//
// It is an error, for which [Load] refuses the spec, when nobody can tell what is meant: text that is not YAML, a
// reference to nothing, a type that does not exist. It is a warning, in [API.Warnings], when one reading is left: a
// parameter of the path that is defined nowhere is text, two operations of one name get two, an example that does not
// match its schema is the answer all the same. The spec is used as it was read then.
type Problem struct {
	Position `json:"place"`
	What     string `json:"what"`          // lower case, without a full stop
	Fix      string `json:"fix,omitempty"` // what to write instead
	// See is the other place that it is about, if there is one.
	See Position `json:"see,omitzero"`
}

// Error is the problem on one line.
func (p Problem) Error() string { return p.Position.String() + ": " + p.Text() }

// Warning is the problem on one line, when it is a warning.
func (p Problem) Warning() string { return p.Position.String() + ": warning: " + p.Text() }

// Text is the problem without its place.
func (p Problem) Text() string {
	text := p.What
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	if p.See != (Position{}) {
		text += " (see " + p.See.String() + ")"
	}
	return text
}

// Problems are all that is wrong with a spec.
type Problems []Problem

// Error is one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// In gives the problems with the folder that their files' names begin in.
func (ps Problems) In(folder string) (all Problems) {
	for _, p := range ps {
		p.Position = p.Position.In(folder)
		if p.See.File != "" {
			p.See = p.See.In(folder)
		}
		all = append(all, p)
	}
	return all
}

// Since are the problems that there were not before, wherever in their files they are now.
func (ps Problems) Since(before Problems) Problems {
	type words struct{ file, what string }
	known := make(map[words]int)
	for _, p := range before {
		known[words{p.File, p.What}]++
	}
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool {
		known[words{p.File, p.What}]--
		return known[words{p.File, p.What}] >= 0
	})
}

// WarningsAfter is what is printed, line by line, of the warnings after a save: those that there were not before, and
// how many others there are. Nothing is printed where nothing has changed.
func WarningsAfter(before, now Problems) (lines []string) {
	const most = 20
	fresh := now.Since(before)
	for _, p := range fresh[:min(most, len(fresh))] {
		lines = append(lines, p.Warning())
	}
	if more := len(fresh) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more; postern spec check reports all", more))
	}
	kept := len(now) - len(fresh)
	switch changed := len(fresh) > 0 || kept < len(before); {
	case changed && len(now) == 0:
		lines = append(lines, "no warnings any more")
	case changed && kept > 0:
		lines = append(lines, fmt.Sprintf("warnings as before: %d", kept))
	}
	return lines
}
