package requests

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// maxCalls and maxName bound what a stranger can have the log remember.
const (
	maxCalls = 500
	maxName  = 300
)

// Call is a request that was made, under a name without its ids.
type Call struct {
	Name     string `json:"name"` // method and path; an id in it is {}
	Count    int    `json:"count"`
	Statuses []int  `json:"statuses"` // that it was answered with
}

// Calls counts requests by what they asked.
type Calls struct {
	byName map[string]*Call
	more   bool // whether some were not counted
}

// idLike is a segment of a path that is hardly the name of anything: it begins as Matrix's ids do, escaped or not, or
// has a long number in it.
var idLike = regexp.MustCompile(`(?i)^(?:[!@$#+]|%21|%40|%24|%23|%2b)|\d{5}|^\d+$`)

// nameOf is the name of a call.
func nameOf(method, path string) string {
	segments := strings.Split(scrub(path), "/")
	for i, segment := range segments {
		if idLike.MatchString(segment) {
			segments[i] = "{}"
		}
	}
	name := method + " " + strings.Join(segments, "/")
	if len(name) > maxName {
		name = name[:maxName] + "…"
	}
	return name
}

// Add counts a request; the path is as it was sent, escaped.
func (c *Calls) Add(method, path string, status int) {
	name := nameOf(method, path)
	call := c.byName[name]
	switch {
	case call == nil && len(c.byName) >= maxCalls:
		c.more = true
		return
	case call == nil:
		if c.byName == nil {
			c.byName = make(map[string]*Call)
		}
		call = &Call{Name: name}
		c.byName[name] = call
	}
	call.Count++
	if !slices.Contains(call.Statuses, status) {
		call.Statuses = append(call.Statuses, status)
		slices.Sort(call.Statuses)
	}
}

// List gives the calls by path.
func (c *Calls) List() []Call {
	list := make([]Call, 0, len(c.byName))
	for _, call := range slices.SortedFunc(maps.Values(c.byName), func(a, b *Call) int {
		_, one, _ := strings.Cut(a.Name, " ")
		_, other, _ := strings.Cut(b.Name, " ")
		return cmp.Or(strings.Compare(one, other), strings.Compare(a.Name, b.Name))
	}) {
		one := *call
		one.Statuses = slices.Clone(call.Statuses)
		list = append(list, one)
	}
	return list
}

// Summary lists the calls for a console, a line each; it is empty when there are none.
func (c *Calls) Summary() string {
	if len(c.byName) == 0 {
		return ""
	}
	var b strings.Builder
	what := fmt.Sprintf("%d operations were called that the spec does not have:", len(c.byName))
	if len(c.byName) == 1 {
		what = "1 operation was called that the spec does not have:"
	}
	fmt.Fprintln(&b, what)
	for _, call := range c.List() {
		fmt.Fprintf(&b, "  %s  %s, answered %s\n", line(call.Name), times(call.Count), list(call.Statuses))
	}
	if c.more {
		fmt.Fprintf(&b, "  and more: %d are all that are counted\n", maxCalls)
	}
	return b.String()
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func list(numbers []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(numbers)), ", "), "[]")
}
