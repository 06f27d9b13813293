package spec

import (
	"fmt"
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

// Problem is something wrong with a spec.
type Problem struct {
	Position `json:"place"`
	What     string `json:"what"`          // lower case, without a full stop
	Fix      string `json:"fix,omitempty"` // what to write instead
}

// Error is the problem on one line.
func (p Problem) Error() string {
	text := p.Position.String() + ": " + p.What
	if p.Fix != "" {
		text += "; " + p.Fix
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
