package mock

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// Finder gives the id of the operation that a spec has for a method and an escaped path, or "" when it has none. The
// alias is that of [Config.Alias].
func Finder(api *spec.API, alias func(path string) string) (func(method, path string) string, error) {
	none := &spec.API{Doc: &openapi3.T{}}
	e, err := newEdition(Config{Contract: none, Alias: alias, Now: time.Now}, api)
	if err != nil {
		return nil, err
	}
	return func(method, path string) string {
		if o, _ := e.routes.find(method, alias(path)); o != nil {
			return o.id
		}
		return ""
	}, nil
}

// routes find the operation of a request. They are a tree of path segments; a literal one wins over a parameter, and a
// path that turns out to have no such method is tried on.
type routes struct {
	literal map[string]*routes
	mixed   []mixed // segments such as {name}.json
	any     *routes // segments that are one parameter
	ends    map[string]*operation
}

// mixed is a segment that is a parameter in part.
type mixed struct {
	shape string
	fits  *regexp.Regexp
	next  *routes
}

var parameter = regexp.MustCompile(`\{([^{}]*)\}`)

// add enters an operation. One that is there already stays.
func (n *routes) add(path string, o *operation) {
	for segment := range strings.SplitSeq(path, "/") {
		n = n.step(segment)
	}
	if n.ends == nil {
		n.ends = make(map[string]*operation)
	}
	if n.ends[o.method] == nil {
		n.ends[o.method] = o
	}
}

func (n *routes) step(segment string) *routes {
	shape := parameter.ReplaceAllString(segment, "{}")
	switch {
	case !strings.Contains(shape, "{}"):
		if n.literal == nil {
			n.literal = make(map[string]*routes)
		}
		if n.literal[segment] == nil {
			n.literal[segment] = &routes{}
		}
		return n.literal[segment]
	case shape == "{}":
		if n.any == nil {
			n.any = &routes{}
		}
		return n.any
	}
	for _, m := range n.mixed {
		if m.shape == shape {
			return m.next
		}
	}
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(shape), `\{\}`, "(.+)") + "$"
	m := mixed{shape, regexp.MustCompile(pattern), &routes{}}
	n.mixed = append(n.mixed, m)
	return m.next
}

// find gives the operation of a path, as it came with its escapes, and the values of its parameters by name.
func (n *routes) find(method, path string) (*operation, map[string]string) {
	o, values := n.follow(method, strings.Split(path, "/"), nil)
	if o == nil {
		return nil, nil
	}
	named := make(map[string]string, len(values))
	for i, name := range o.parameterNames() {
		if i < len(values) {
			named[name] = unescape(values[i])
		}
	}
	return o, named
}

func (n *routes) follow(method string, segments, values []string) (*operation, []string) {
	if len(segments) == 0 {
		return n.ends[method], values
	}
	first, rest := segments[0], segments[1:]
	if next := n.literal[first]; next != nil {
		if o, found := next.follow(method, rest, values); o != nil {
			return o, found
		}
	}
	values = values[:len(values):len(values)] // each branch appends to its own
	for _, m := range n.mixed {
		if parts := m.fits.FindStringSubmatch(first); parts != nil {
			if o, found := m.next.follow(method, rest, append(values, parts[1:]...)); o != nil {
				return o, found
			}
		}
	}
	if n.any != nil && (first != "" || len(rest) == 0) { // a state key, the last segment, may be empty
		return n.any.follow(method, rest, append(values, first))
	}
	return nil, nil
}

// shape is a path without the names of its parameters.
func shape(path string) string { return parameter.ReplaceAllString(path, "{}") }

func unescape(segment string) string {
	if text, err := url.PathUnescape(segment); err == nil {
		return text
	}
	return segment
}
