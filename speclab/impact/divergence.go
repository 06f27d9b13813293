package impact

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// divergence is what one of two APIs says, and the other does not, about the same request or response. oasdiff has
// checks for most, but not for all: additionalProperties, not, and what is below a condition are examples.
type divergence struct {
	operation pointer // in the API that is asked for
	response  bool
	subject   string // such as: the request body
	path      string // of fields and keywords, below the subject
	keyword   string
	now, was  pointer // in the flat APIs; nil where it is not there
	target    pointer // that now or was refers to
	schema    pointer // that has the keyword, or has it no more
	value     [2]any  // that it was, and that it is
	effect    effect
}

// effect is what a difference does to the set of values that fit.
type effect int

const (
	widens  effect = -1
	unknown effect = 0
	narrows effect = 1
)

// severity is oasdiff's law: a request breaks when fewer fit, a response when more do.
func (d divergence) severity() Severity {
	if d.effect == unknown || (d.effect == narrows) != d.response {
		return Breaks
	}
	return Harmless
}

func (d divergence) text() string {
	was, is := shown(d.value[0]), shown(d.value[1])
	switch {
	case d.was == nil:
		return fmt.Sprintf("added `%s` %s to %s", d.keyword, is, d.subject)
	case d.now == nil:
		return fmt.Sprintf("removed `%s` %s from %s", d.keyword, was, d.subject)
	}
	return fmt.Sprintf("changed `%s` of %s from %s to %s", d.keyword, d.subject, was, is)
}

// shown is a value as a line has room for it.
func shown(value any) string {
	const most = 100
	if schema, is := value.(map[string]any); is {
		value = maps.Clone(schema)
		maps.DeleteFunc(value.(map[string]any), func(key string, _ any) bool { return !asks(key) })
	}
	raw, err := json.Marshal(value)
	if err != nil || len(raw) > most {
		return "(see there)"
	}
	return "`" + string(raw) + "`"
}

var upperCase = regexp.MustCompile(`[A-Z]`)

// id is a name in the way of oasdiff's, such as request-additional-properties-added.
func (d divergence) id() string {
	side, what := "request", "changed"
	if d.response {
		side = "response"
	}
	if d.was == nil {
		what = "added"
	} else if d.now == nil {
		what = "removed"
	}
	keyword := strings.ToLower(upperCase.ReplaceAllString(strings.TrimPrefix(d.keyword, "$"), "-$0"))
	return strings.Join([]string{side, keyword, what}, "-")
}
