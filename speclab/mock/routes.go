package mock

import (
	"net/http"
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
	var o *operation
	var values []string
	n.walk(strings.Split(path, "/"), nil, func(ends map[string]*operation, found []string) bool {
		o, values = ends[method], found
		return o != nil
	})
	switch {
	case o == nil && method == http.MethodHead:
		return n.find(http.MethodGet, path) // net/http leaves the body out
	case o == nil:
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

// at gives the operations that a path has, by method.
func (n *routes) at(path string) map[string]*operation {
	all := make(map[string]*operation)
	n.walk(strings.Split(path, "/"), nil, func(ends map[string]*operation, _ []string) bool {
		for method, o := range ends {
			if all[method] == nil {
				all[method] = o
			}
		}
		return false
	})
	return all
}

// walk visits the ends of a path, the one that wins first, until a visit says that it is done.
func (n *routes) walk(segments, values []string, visit func(map[string]*operation, []string) (done bool)) bool {
	if len(segments) == 0 {
		return visit(n.ends, values)
	}
	first, rest := segments[0], segments[1:]
	if next := n.literal[first]; next != nil && next.walk(rest, values, visit) {
		return true
	}
	values = values[:len(values):len(values)] // each branch appends to its own
	for _, m := range n.mixed {
		if parts := m.fits.FindStringSubmatch(first); parts != nil &&
			m.next.walk(rest, append(values, parts[1:]...), visit) {
			return true
		}
	}
	if n.any != nil && (first != "" || len(rest) == 0) { // a state key, the last segment, may be empty
		return n.any.walk(rest, append(values, first), visit)
	}
	return false
}

// shape is a path without the names of its parameters.
func shape(path string) string { return parameter.ReplaceAllString(path, "{}") }

func unescape(segment string) string {
	if text, err := url.PathUnescape(segment); err == nil {
		return text
	}
	return segment
}
