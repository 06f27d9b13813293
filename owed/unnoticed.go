package owed

import (
	"regexp"
	"slices"
)

// Unnoticed is a change that the compiler does not notice though it asks something of a handler: an optional field in an answer, a
// status, a narrower constraint.
type Unnoticed struct {
	Place    Place     `json:"place"`
	Text     string    `json:"text"`
	Handlers []Handler `json:"handlers"`
}

// silent are kinds of changes that ask nothing of a handler: operations that come and go (the compiler sees these), names, labels, and
// what is said about the future.
var silent = regexp.MustCompile(`^(endpoint-|api-(removed|path-removed|path-added|operation-id|tag|deprecat|sunset|stability|global)|.*(deprecat|sunset|stability|-tag-|example|description))`)

// unnoticed are the changes of operations with a handler that no compile error comes from.
func unnoticed(changes []Change, owed []Owed, handlerOf func(pointer) (Handler, bool)) (all []Unnoticed) {
	for _, c := range changes {
		if silent.MatchString(c.ID) || covered(c, owed) {
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

// covered reports whether a change is what something is owed for already.
func covered(c Change, owed []Owed) bool {
	for _, o := range owed {
		there, was := pointer(o.Cause.Pointer), pointer(nil)
		if o.Cause.Was != nil {
			was = o.Cause.Was.Pointer
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
