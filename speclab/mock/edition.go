package mock

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// edition is the edited spec as one save left it, ready to answer. What answers requests is never changed and needs no
// lock.
type edition struct {
	api        *spec.API // nil: there is none beside the contract
	routes     *routes
	operations []*operation // by path and method
	document   string
	since      time.Time
	keywords   keywords
	warnings   func() spec.Problems // takes a while the first time
}

// operation is one that is served.
type operation struct {
	id           string
	method, path string
	place        string // file and line, where the spec has it

	item     *openapi3.PathItem
	edited   *openapi3.Operation // as the edited spec has it; nil when only the contract has it
	contract *openapi3.Operation // as the contract has it; nil when the spec answers

	parameters []param
	body       *body
	secured    bool
	additions  additions // to the real handler's answers
}

// operationKey names an operation whatever its parameters are called.
type operationKey struct{ method, path string }

// newEdition prepares a spec; without one everything is the contract's.
func newEdition(c Config, api *spec.API) (*edition, error) {
	e := &edition{api: api, routes: &routes{}, since: c.Now(),
		warnings: func() spec.Problems { return nil }}
	known := make(map[operationKey]*openapi3.Operation)
	eachOperation(c.Contract.Doc, func(path, method string, _ *openapi3.PathItem, op *openapi3.Operation) {
		known[operationKey{method, shape(c.Alias(path))}] = op
	})
	met := make(map[operationKey]bool)
	if api != nil {
		e.keywords = keywordsOf(api.Doc)
		var aliased []*operation
		eachOperation(api.Doc, func(path, method string, item *openapi3.PathItem, op *openapi3.Operation) {
			as := operationKey{method, shape(c.Alias(path))}
			met[as] = true
			o := e.describe(path, method, item, op, known[as])
			e.operations = append(e.operations, o)
			if c.Alias(path) != path {
				aliased = append(aliased, o) // when a spec has both, the current path counts
				return
			}
			e.routes.add(path, o)
		})
		for _, o := range aliased {
			e.routes.add(c.Alias(o.path), o)
		}
	}
	eachOperation(c.Contract.Doc, func(path, method string, item *openapi3.PathItem, op *openapi3.Operation) {
		if !met[operationKey{method, shape(c.Alias(path))}] {
			o := &operation{id: nameOf(op, method, path), method: method, path: path, item: item, contract: op}
			e.operations = append(e.operations, o)
			e.routes.add(path, o)
		}
	})
	slices.SortFunc(e.operations, func(a, b *operation) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.method, b.method))
	})
	var err error
	e.document, err = e.render(c.Contract.Doc)
	return e, err
}

func (e *edition) describe(path, method string, item *openapi3.PathItem, op, contract *openapi3.Operation) *operation {
	pointer := []string{"paths", path, strings.ToLower(method)}
	o := &operation{
		id: nameOf(op, method, path), method: method, path: path, place: fileAndLine(e.api.At(pointer...)),
		item: item, edited: op, contract: contract,
		parameters: parametersOf(item, op, pointer), body: e.bodyOf(op, pointer),
		secured: secured(op, e.api.Doc),
	}
	if contract != nil {
		o.additions = e.keywords.additionsOf(op, contract)
	}
	return o
}

// fileAndLine is a place without its column, which nobody needs to find an operation.
func fileAndLine(p spec.Position) string {
	p.Column = 0
	return p.String()
}

// parameterNames are those of the path, in its order.
func (o *operation) parameterNames() []string {
	var names []string
	for _, found := range parameter.FindAllStringSubmatch(o.path, -1) {
		names = append(names, found[1])
	}
	return names
}

// nameOf is the operation's id; specs before 2016 had none.
func nameOf(op *openapi3.Operation, method, path string) string {
	return cmp.Or(op.OperationID, method+" "+path)
}

// eachOperation visits the operations in the order of their paths.
func eachOperation(doc *openapi3.T, visit func(path, method string, item *openapi3.PathItem, op *openapi3.Operation)) {
	if doc.Paths == nil {
		return
	}
	items := doc.Paths.Map()
	for _, path := range slices.Sorted(maps.Keys(items)) {
		operations := items[path].Operations()
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			visit(path, method, items[path], operations[method])
		}
	}
}

// secured reports whether every alternative of the operation's security, or else of the document's, asks for something.
func secured(op *openapi3.Operation, doc *openapi3.T) bool {
	requirements := doc.Security
	if op.Security != nil {
		requirements = *op.Security
	}
	for _, one := range requirements {
		if len(one) == 0 {
			return false
		}
	}
	return len(requirements) > 0
}

// response finds what an operation documents for a status: the status itself, its range, or the default.
func response(op *openapi3.Operation, code string) *openapi3.Response {
	if op == nil || op.Responses == nil || code == "" {
		return nil
	}
	for _, key := range statusKeys(code) {
		if ref := op.Responses.Value(key); ref != nil && ref.Value != nil {
			return ref.Value
		}
	}
	return nil
}

// statusKeys are the keys of responses that may document a status: itself, its range, the default.
func statusKeys(code string) []string {
	return []string{code, code[:1] + "XX", code[:1] + "xx", "default"}
}

// inContract reports whether the contract documents a status, so that it is the real handler's to give.
func (o *operation) inContract(code string) bool { return response(o.contract, code) != nil }

// jsonOf is the JSON of a body's content: its media type's name and the media type, or nil.
func jsonOf(content openapi3.Content) (string, *openapi3.MediaType) {
	if kinds := kindsIn(content); len(kinds) > 0 && spec.IsJSON(kinds[0]) {
		return kinds[0], content[kinds[0]]
	}
	return "", nil
}

// kindsIn are the media types of a content: plain JSON comes first, then other JSON, then the rest by name.
func kindsIn(content openapi3.Content) (all []string) {
	isPlainJSON := func(kind string) bool { return spec.MediaType(kind) == "application/json" }
	for _, fits := range []func(string) bool{isPlainJSON, spec.IsJSON, func(string) bool { return true }} {
		for _, kind := range slices.Sorted(maps.Keys(content)) {
			if fits(kind) && content[kind] != nil && !slices.Contains(all, kind) {
				all = append(all, kind)
			}
		}
	}
	return all
}
