package handlers

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/gen"
)

// contract is api/login.yaml, as it was when gen was made, ready to check requests against.
type contract struct {
	operations map[route]operation
	templates  map[string][]pathTemplate // by the last segment
}

// operation is what the server asks of the contract about one operation.
type operation struct {
	id       string                // its operation id, which is the specification's
	body     *openapi3.Schema      // nil when it has no body
	required bool                  // whether the body must be there
	secured  bool                  // whether an access token must be sent
	form     bool                  // whether its body is a form
	query    []*openapi3.Parameter // those in the query
	oauth    bool                  // whether it is of the OAuth 2.0 API, and not served without that
	rfc6749  bool                  // whether its errors are OAuth 2.0's and not Matrix's
}

// readContract gives the contract that the binary was made from. Reading it takes milliseconds, and it never changes.
var readContract = sync.OnceValues(parseContract)

func parseContract() (*contract, error) {
	spec, err := gen.GetSpec()
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	return newContract(spec), nil
}

func newContract(spec *openapi3.T) *contract {
	c := &contract{operations: make(map[route]operation), templates: make(map[string][]pathTemplate)}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			o := describe(op)
			// Clients ask for the metadata to find out whether there is an OAuth 2.0 API.
			o.oauth = slices.Contains(op.Tags, "oauth") && o.id != "getAuthMetadata"
			o.rfc6749 = o.oauth && !strings.HasPrefix(path, "/_matrix/")
			c.operations[routeOf(method, path)] = o
		}
		t := pathTemplate{path: routeOf("", path).path}
		t.segments = strings.Split(t.path, "/")
		c.templates[last(t.path)] = append(c.templates[last(t.path)], t)
	}
	return c
}

func describe(op *openapi3.Operation) operation {
	o := operation{id: op.OperationID, secured: secured(op)}
	if op.RequestBody != nil {
		body := op.RequestBody.Value
		o.required = body.Required
		if media := body.Content.Get("application/json"); media != nil && media.Schema != nil {
			o.body = media.Schema.Value
		}
		o.form = body.Content.Get("application/x-www-form-urlencoded") != nil
	}
	for _, p := range op.Parameters {
		if p.Value.In == openapi3.ParameterInQuery {
			o.query = append(o.query, p.Value)
		}
	}
	return o
}

// secured reports whether every alternative of the operation's security asks for something. An empty
// requirement, `{}`, makes the token optional.
func secured(op *openapi3.Operation) bool {
	if op.Security == nil || len(*op.Security) == 0 {
		return false
	}
	for _, requirement := range *op.Security {
		if len(requirement) == 0 {
			return false
		}
	}
	return true
}

// route is how the router names an operation; path parameters are written `:name`.
type route struct{ method, path string }

// routeOf turns a path of the contract, with parameters written `{name}`, into a route.
func routeOf(method, path string) route {
	return route{method, strings.NewReplacer("{", ":", "}", "").Replace(path)}
}

// find is the operation that serves a path as it came, escaped.
func (c *contract) find(method, path string) (operation, bool) {
	op, found := c.operations[route{method, c.template(path)}]
	return op, found
}

// oauth reports whether a template is one of the OAuth 2.0 API's.
func (c *contract) oauth(template string) bool {
	for _, method := range [...]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if c.operations[route{method, template}].oauth {
			return true
		}
	}
	return false
}

// template is the path of the contract that a path as it came, escaped, fits; empty if there is none.
func (c *contract) template(path string) string {
	for _, key := range [...]string{last(path), ":"} {
		for _, t := range c.templates[key] {
			if t.fits(path) {
				return t.path
			}
		}
	}
	return ""
}

// pathTemplate is a path of the contract.
type pathTemplate struct {
	path     string // with parameters as the router has them
	segments []string
}

func (t pathTemplate) fits(path string) bool {
	for i, want := range t.segments {
		is, rest, more := strings.Cut(path, "/")
		if want != is && (is == "" || !strings.HasPrefix(want, ":")) || more == (i == len(t.segments)-1) {
			return false
		}
		path = rest
	}
	return true
}

// last is the last segment of a path, or ":" for a parameter.
func last(path string) string {
	if s := path[strings.LastIndexByte(path, '/')+1:]; !strings.HasPrefix(s, ":") {
		return s
	}
	return ":"
}

// goName is the operation's name in the generated code.
func (o operation) goName() string {
	upper := true
	return strings.Map(func(r rune) rune {
		name := r
		if upper {
			name = unicode.ToUpper(r)
		}
		if upper = r == '_' || unicode.IsDigit(r); r == '_' {
			return -1
		}
		return name
	}, o.id)
}

// check holds a decoded JSON body against the contract and names the first thing that is wrong.
func (o operation) check(body any) error {
	err := o.body.VisitJSON(body)
	if err == nil {
		return nil
	}
	var schema *openapi3.SchemaError
	if !errors.As(err, &schema) {
		return badRequest("M_BAD_JSON", "The body does not fit the contract.").because(err)
	}
	return schemaError(schema)
}

// schemaError maps the JSON Schema keyword that failed to the Matrix error codes of a bad request.
// Client-Server API v1.19, "Common error codes".
func schemaError(e *openapi3.SchemaError) *Error {
	field := strings.Join(e.JSONPointer(), ".")
	if e.SchemaField == "properties" { // there is no other reason
		return badRequest("M_INVALID_PARAM", "Unknown parameter: "+unknownField(e))
	}
	wrongType := e.SchemaField == "type" || e.SchemaField == "nullable"
	switch {
	case e.SchemaField == "required":
		return missingParam("Missing parameter: " + field)
	case wrongType && field == "":
		return badRequest("M_BAD_JSON", "The body must be a JSON object.")
	case wrongType:
		return badRequest("M_BAD_JSON", "Wrong type of parameter: "+field)
	default:
		return badRequest("M_INVALID_PARAM", fmt.Sprintf("Bad value of parameter: %s (%s)", field, e.SchemaField))
	}
}

// unknownField is the first field, by name, of an object that its schema does not have.
func unknownField(e *openapi3.SchemaError) string {
	object, _ := e.Value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if e.Schema.Properties[name] == nil {
			return strings.Join(append(e.JSONPointer(), Printable(name)), ".")
		}
	}
	return "" // unreachable
}
