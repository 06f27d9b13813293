package impact

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"postern/speclab/spec"
)

// methods are the keys of a path item that hold operations.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// located is an API whose parts can be found in its files.
type located struct {
	*document
	api          *spec.API
	forGenerator *document // see package spec, "Two forms"; nil before [revision.useGenerator]
	folder       string    // of its files
}

// position finds a part in the files.
func (l *located) position(at ...string) spec.Position {
	return l.api.At(at...).In(l.folder)
}

// revision is the API that a check is about: the spec or, when that is only a part of the API, the contract with the
// spec laid over it.
type revision struct {
	*document
	forGenerator     *document // nil before useGenerator
	edited, contract *located
	merger           *merger

	// from a part that the spec has (a path, an operation, a component) to it in edited; nil when it is edited
	sources   map[string]pointer
	leftAlone int // operations of the contract that a part does not mention
}

func newRevision(contract, edited *located, alias func(string) string, whole bool) *revision {
	m := &merger{alias: alias, whole: whole, contract: object(contract.tree, "paths")}
	if !whole {
		m.names = newNames(edited.tree, contract.tree, alias)
	}
	r := &revision{edited: edited, contract: contract, merger: m}
	r.document = m.merge(contract.tree, edited.tree)
	r.sources, r.leftAlone = m.sources, m.leftAlone
	return r
}

// useGenerator makes the forms that the generator takes.
func (r *revision) useGenerator() (err error) {
	for _, l := range []*located{r.contract, r.edited} {
		if l.forGenerator == nil {
			if l.forGenerator, err = generatorForm(l.api); err != nil {
				return err
			}
		}
	}
	r.forGenerator = r.merger.merge(r.contract.forGenerator.tree, r.edited.forGenerator.tree)
	return nil
}

// merger lays a spec over the contract.
type merger struct {
	alias    func(string) string
	whole    bool              // see Input
	names    map[string]string // components of the spec that get other names: see rename.go
	contract map[string]any    // the contract's paths

	paths      map[string]any // of the API that is made
	parameters map[string]any // of the spec, by name
	security   any            // that the spec asks for everywhere
	sources    map[string]pointer
	leftAlone  int
}

// merge gives the contract with the spec laid over it, or the spec alone when it is the whole API.
func (m *merger) merge(contract, edited map[string]any) *document {
	m.sources, m.leftAlone = make(map[string]pointer), 0
	tree, from := clone(contract), clone(edited)
	if m.whole {
		tree = clone(edited)
		tree["paths"], tree["components"] = map[string]any{}, map[string]any{}
	}
	renameComponents(from, m.names)
	m.paths, m.security = objectAt(tree, "paths"), from["security"]
	m.parameters = object(object(from, "components"), "parameters")
	m.mergePaths(object(from, "paths"))
	m.mergeComponents(objectAt(tree, "components"), from)
	return &document{tree}
}

// mergePaths puts the spec's paths over the contract's.
func (m *merger) mergePaths(edited map[string]any) {
	mentioned := make(map[string]bool)
	for _, path := range slices.Sorted(maps.Keys(edited)) {
		to := m.alias(path)
		if !m.whole {
			to = m.sharePath(to)
		}
		item, _ := edited[path].(map[string]any)
		m.sources[pointer{"paths", to}.String()] = pointer{"paths", path}
		for _, key := range slices.Sorted(maps.Keys(item)) {
			switch {
			case slices.Contains(methods, key):
				m.mergeOperation(to, key, item)
				mentioned[to+" "+key] = true
			case m.whole:
				objectAt(m.paths, to)[key] = item[key]
			default:
				continue
			}
			m.sources[pointer{"paths", to, key}.String()] = pointer{"paths", path, key}
		}
	}
	for path, item := range m.paths {
		for method := range item.(map[string]any) {
			if slices.Contains(methods, method) && !mentioned[path+" "+method] {
				m.leftAlone++
			}
		}
	}
}

// mergeOperation puts an operation of the spec over the contract's. The operations of old specs have no names: where
// the contract has the same path and method it is the same operation.
func (m *merger) mergeOperation(path, method string, item map[string]any) {
	op := clone(item[method].(map[string]any))
	if _, named := op["operationId"]; !named {
		if old, known := object(object(m.contract, path), method)["operationId"]; known {
			op["operationId"] = old
		}
	}
	if !m.whole { // what the spec says for all operations of a path, or of the API, goes into each
		if shared, _ := item["parameters"].([]any); len(shared) > 0 {
			own, _ := op["parameters"].([]any)
			op["parameters"] = m.withShared(own, shared)
		}
		if _, said := op["security"]; !said && m.security != nil {
			op["security"] = m.security
		}
		id, _ := op["operationId"].(string)
		m.removeMoved(id, path, method)
	}
	objectAt(m.paths, path)[method] = op
}

// withShared are an operation's parameters and those of its path that it does not override. OpenAPI 3.1, "Path Item
// Object".
func (m *merger) withShared(own, shared []any) []any {
	all := slices.Clone(own)
	for _, p := range shared {
		place, name := m.parameter(p)
		if !slices.ContainsFunc(own, func(o any) bool { in, as := m.parameter(o); return in == place && as == name }) {
			all = append(all, p)
		}
	}
	return all
}

// parameter is where a parameter of the spec is and its name.
func (m *merger) parameter(of any) (in, name any) {
	p, _ := of.(map[string]any)
	if ref, ok := p["$ref"].(string); ok {
		p, _ = m.parameters[strings.TrimPrefix(ref, "#/components/parameters/")].(map[string]any)
	}
	return p["in"], p["name"]
}

var templated = regexp.MustCompile(`\{[^}]*\}`)

// sharePath gives the parameters of the contract's path the names that the spec has for them, where the two paths
// differ in nothing else. It returns the path that both are then at.
func (m *merger) sharePath(path string) string {
	if m.paths[path] != nil {
		return path
	}
	for known := range m.contract {
		if m.paths[known] == nil || templated.ReplaceAllString(known, "{}") != templated.ReplaceAllString(path, "{}") {
			continue
		}
		item := object(m.paths, known)
		old, names := templated.FindAllString(known, -1), templated.FindAllString(path, -1)
		for i := range old {
			renameParameter(item, strings.Trim(old[i], "{}"), strings.Trim(names[i], "{}"))
		}
		delete(m.paths, known)
		m.paths[path] = item
	}
	return path
}

// renameParameter gives a path parameter another name.
func renameParameter(part any, from, to string) {
	switch part := part.(type) {
	case map[string]any:
		if part["in"] == "path" && part["name"] == from {
			part["name"] = to
		}
		for _, inner := range part {
			renameParameter(inner, from, to)
		}
	case []any:
		for _, inner := range part {
			renameParameter(inner, from, to)
		}
	}
}

// removeMoved removes the contract's operation of that name from another place: the spec has moved it.
func (m *merger) removeMoved(id, path, method string) {
	for known := range m.contract {
		item := object(m.paths, known)
		for _, other := range methods {
			if id != "" && (known != path || other != method) && object(item, other)["operationId"] == id {
				delete(item, other)
			}
		}
		if item != nil && len(item) == 0 {
			delete(m.paths, known)
		}
	}
}

// mergeComponents puts the spec's components over the contract's.
func (m *merger) mergeComponents(into, from map[string]any) {
	oldRefs := make(map[string]string) // by the new ones
	for old, renamed := range m.names {
		oldRefs[renamed] = old
	}
	for ref, component := range components(from) {
		kind, name := splitRef(ref)
		objectAt(into, kind)[name] = component
		source := pointer{"components", kind, name}
		if old, renamed := oldRefs[ref]; renamed {
			_, source[2] = splitRef(old)
		}
		m.sources[pointer{"components", kind, name}.String()] = source
	}
}

// object is the object under a key, or nil.
func object(in map[string]any, key string) map[string]any {
	inner, _ := in[key].(map[string]any)
	return inner
}

// objectAt is the object under a key, which is made when it is not there.
func objectAt(in map[string]any, key string) map[string]any {
	if object(in, key) == nil {
		in[key] = make(map[string]any)
	}
	return object(in, key)
}

func clone(tree map[string]any) map[string]any { return copyOf(tree).(map[string]any) }

func copyOf(value any) any {
	switch value := value.(type) {
	case map[string]any:
		copied := make(map[string]any, len(value))
		for key, inner := range value {
			copied[key] = copyOf(inner)
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for i, inner := range value {
			copied[i] = copyOf(inner)
		}
		return copied
	}
	return value
}

// position finds a part in the files: in the spec's when the spec has it, otherwise in the contract's.
func (r *revision) position(at pointer) spec.Position {
	if r.sources == nil {
		return r.edited.position(r.nearest(at)...)
	}
	if len(at) >= 3 && r.sources[at[:3].String()] == nil && r.has(at[:3]) {
		return r.contract.position(at...)
	}
	for n := min(len(at), 3); n > 0; n-- {
		if source, found := r.sources[at[:n].String()]; found {
			return r.edited.position(source.with(at[n:]...)...)
		}
	}
	return r.edited.position(r.nearest(at)...)
}

// nearest is the part of the API, or the part nearest to it that encloses it and is there.
func (r *revision) nearest(at pointer) pointer {
	for ; len(at) > 0; at = at.parent() {
		if _, there := r.get(at); there {
			return at
		}
	}
	return at
}
