package impact

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"postern/speclab/spec"
)

// Unnoticed is a change that may ask something of a handler and that the compiler does not notice: an optional field in
// an answer, a status, a narrower constraint.
type Unnoticed struct {
	Place    spec.Position `json:"place"`
	Text     string        `json:"text"`
	Handlers []Handler     `json:"handlers"`
}

// silent are kinds of changes that ask nothing of a handler: operations that are added or removed (the compiler notices
// these), names, labels, and deprecations.
var silent = regexp.MustCompile(
	`^(endpoint-|api-(removed|path-removed|path-added|operation-id|tag|deprecat|sunset|stability|global)|` +
		`.*(deprecat|sunset|stability|-tag-|example|description))`)

// unnoticed are the changes of operations with a handler that no compile error comes from.
func unnoticed(changes []Change, tasks []Task, handlerOf func(pointer) (Handler, bool)) (all []Unnoticed) {
	for _, c := range changes {
		if silent.MatchString(c.ID) || covered(c, tasks) {
			continue
		}
		var handlers []Handler
		for _, at := range c.at {
			if h, found := handlerOf(at); found && !slices.Contains(handlers, h) {
				handlers = append(handlers, h)
			}
		}
		if len(handlers) > 0 {
			all = append(all, Unnoticed{Place: c.Place, Text: c.Text, Handlers: handlers})
		}
	}
	return all
}

// covered reports whether a change is the cause of a task already.
func covered(c Change, tasks []Task) bool {
	for _, o := range tasks {
		there, was := pointer(o.Cause.Pointer), pointer(nil)
		if o.Cause.Was != nil {
			was = o.Cause.Was.Pointer
		}
		if len(was) > len(there) && was.within(there) { // what is gone has nothing in its place
			there = nil
		}
		for _, at := range []pointer{there, was} {
			if len(at) > 3 && (c.part.within(at) || len(c.was) > 0 && c.was.within(at)) {
				return true
			}
			if len(at) == 3 && at[0] == "paths" && len(c.at) == 1 && c.at[0].within(at) && o.Signature != "" {
				return true // the handler is yet to be written
			}
		}
	}
	return false
}

// movedOperations are the operations that keep their name and have another path or method. The generated routes follow;
// the handler may have the old path in its code.
func (c *check) movedOperations() (all []Unnoticed) {
	for _, now := range c.now.operations {
		for _, was := range c.old.operations {
			h, found := c.handlers.methods[now.goName]
			if !found || now.goName != was.goName || slices.Equal(now.at, was.at) {
				continue
			}
			h.Operation = now.name
			at := now.at[:2]
			if now.at[1] == was.at[1] {
				at = now.at
			}
			all = append(all, Unnoticed{
				Place: c.revision.position(at), Handlers: []Handler{h},
				Text: fmt.Sprintf("the operation %s is %s %s here, and %s %s in the contract",
					now.name, strings.ToUpper(now.at[2]), now.at[1], strings.ToUpper(was.at[2]), was.at[1]),
			})
		}
	}
	return all
}
