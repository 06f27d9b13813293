package impact

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/oasdiff/oasdiff/checker"
)

// told is what a check of oasdiff has found, and where in the flat APIs.
type told struct {
	id, operation string // the operation's shape
	names         []string
	now, was      pointer
}

func toldOf(c checker.Change, now, was *flat) told {
	t := told{id: c.GetId()}
	if c.GetPath() != "" {
		t.operation = shapeOf(pointer{"paths", c.GetPath(), strings.ToLower(c.GetOperation())})
	}
	for _, arg := range c.GetArgs() {
		t.names = append(t.names, fmt.Sprint(arg))
	}
	if s := c.GetRevisionSource(); s != nil {
		t.now = now.atLine(s.Line)
	}
	if s := c.GetBaseSource(); s != nil {
		t.was = was.atLine(s.Line)
	}
	return t
}

// withUntold adds the divergences that no check has found. A list of schemas where there was none is judged here: the
// checks of oneOf take each of its schemas for one more way to fit.
func withUntold(all []Change, found []divergence, change func(divergence) Change) []Change {
	for _, d := range found {
		tells := func(c Change) bool { return c.told.tells(d) }
		switch {
		case d.isNewList() && !slices.ContainsFunc(all, func(c Change) bool {
			return tells(c) && c.told.isTransition()
		}):
			all = append(slices.DeleteFunc(all, tells), change(d))
		case !slices.ContainsFunc(all, tells):
			all = append(all, change(d))
		}
	}
	return all
}

// isNewList reports whether there is a list of schemas now, or was one, and only one of the two.
func (d divergence) isNewList() bool {
	if !slices.Contains(listedSchemas, d.keyword) {
		return false
	}
	return d.was == nil && d.now[len(d.now)-1] == d.keyword || d.now == nil && d.was[len(d.was)-1] == d.keyword
}

// A transition is one change of several keywords of a schema.
var transition = regexp.MustCompile(`-(became-(not-)?nullable|list-of-types-\w+|wrapped-in-one-of)`)

func (t told) isTransition() bool { return transition.MatchString(t.id) }

// tells reports whether a check has found a divergence: at its keyword, at one of its elements, in the list that it is
// in, at a schema around it that is new or gone as a whole, or as a part of a transition.
func (t told) tells(d divergence) bool {
	if t.operation != shapeOf(d.operation) || d.response != strings.Contains(t.id, "response") {
		return false
	}
	if t.isTransition() {
		return d.path == "" && !strings.Contains(t.id, "property") || slices.Contains(t.names, d.path)
	}
	return t.isAt(t.now, d.now, d.keyword) || t.isAt(t.was, d.was, d.keyword) || // or it is new, or gone:
		d.was == nil && t.isAt(t.now, d.target, d.keyword) || d.now == nil && t.isAt(t.was, d.target, d.keyword)
}

// whole are findings about schemas as a whole.
var whole = regexp.MustCompile(`^new-|-(added|removed|deleted)$`)

func (t told) isAt(there, at pointer, keyword string) bool {
	if at == nil || there == nil {
		return false
	}
	if n := len(at); slices.Contains(listedSchemas, at[n-2]) {
		at = at.parent() // one finding is about all that are new in a list
	}
	n := len(there)
	return there.within(at) ||
		keyword == "format" && slices.Equal(there, at.parent().with("type")) || // a check of types
		n > 1 && whole.MatchString(t.id) && at.within(there) &&
			slices.Contains(slices.Concat(namedSchemas, listedSchemas), there[n-2])
}

// untold is the change that a divergence is.
func (r *revision) untold(d divergence, now, was *flat) Change {
	one := Change{ID: d.id(), Text: d.text(), Severity: d.severity(), at: []pointer{d.operation},
		Operations: []string{strings.ToUpper(d.operation[2]) + " " + d.operation[1]}}
	if d.was != nil {
		one.was = was.origin(d.was).whole()
	}
	one.part = now.origin(d.schema).whole()
	if d.now != nil {
		one.part = now.origin(d.now).whole()
	}
	return r.placed(one)
}
