package impact

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"postern/speclab/spec"
)

// methods are the keys of a path item that hold operations.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// revision is the API that is asked for: the spec, or when that is only a part of the API, the contract with the spec
// laid over it.
type revision struct {
	*document
	made             *document // as the generator takes it
	edited, contract *located

	own       map[string]string // pointers of the parts that the spec has, to the spec's own pointers
	leftAlone int               // operations of the contract that a part does not mention
}

// located is an API whose parts can be found in its files.
type located struct {
	*document
	made *document // as the generator takes it
	at   func(...string) spec.Position
}

// revise makes the API that is asked for.
func revise(contract, edited *located, alias func(string) string, whole bool) (*revision, error) {
	r := &revision{edited: edited, contract: contract}
	names := map[string]string(nil)
	if !whole {
		names = otherNames(edited.tree, contract.tree, alias)
	}
	var err error
	if r.made, err = r.lay(contract.made.tree, edited.made.tree, names, alias, whole); err != nil {
		return nil, err
	}
	r.document, err = r.lay(contract.tree, edited.tree, names, alias, whole)
	return r, err
}

// lay puts a spec over a contract, and notes what is whose.
func (r *revision) lay(contract, edited map[string]any, names map[string]string, alias func(string) string,
	whole bool) (*document, error) {
	r.own, r.leftAlone = make(map[string]string), 0
	tree, from := clone(contract), clone(edited)
	if whole {
		tree = clone(edited)
		tree["paths"], tree["components"] = map[string]any{}, map[string]any{}
	}
	rename(from, names)
	r.layPaths(tree, from, alias, whole)
	r.layComponents(tree, from, names)
	return documentOf(tree)
}

// layPaths puts the spec's operations over the contract's.
func (r *revision) layPaths(tree, from map[string]any, alias func(string) string, whole bool) {
	paths := grown(tree, "paths")
	l := laying{paths: paths, contract: object(r.contract.tree, "paths"), root: from["security"]}
	mentioned := make(map[string]bool)
	edited := object(from, "paths")
	for _, path := range slices.Sorted(maps.Keys(edited)) {
		to := alias(path)
		if !whole {
			to = l.meet(to)
		}
		item, _ := edited[path].(map[string]any)
		r.own[pointer{"paths", to}.String()] = pointer{"paths", path}.String()
		for _, key := range slices.Sorted(maps.Keys(item)) {
			at := pointer{"paths", to, key}
			switch {
			case slices.Contains(methods, key):
				op := l.operation(to, key, item, whole)
				id, _ := op["operationId"].(string)
				if !whole {
					l.move(id, to, key)
				}
				grown(paths, to)[key] = op
				mentioned[to+" "+key] = true
			case whole:
				grown(paths, to)[key] = item[key]
			default:
				continue
			}
			r.own[at.String()] = pointer{"paths", path, key}.String()
		}
	}
	for path, item := range paths {
		for method := range item.(map[string]any) {
			if slices.Contains(methods, method) && !mentioned[path+" "+method] {
				r.leftAlone++
			}
		}
	}
}

// laying is what it takes to lay one operation.
type laying struct {
	paths, contract map[string]any
	root            any // security that the spec asks for everywhere
}

// operation is the spec's operation, complete in itself. The operations of old specs have no names: where the contract
// has the same path and method it is the same operation.
func (l *laying) operation(path, method string, item map[string]any, whole bool) map[string]any {
	op := clone(item[method].(map[string]any))
	if _, named := op["operationId"]; !named {
		if old, known := object(object(l.contract, path), method)["operationId"]; known {
			op["operationId"] = old
		}
	}
	if whole {
		return op
	}
	if shared, _ := item["parameters"].([]any); len(shared) > 0 {
		own, _ := op["parameters"].([]any)
		op["parameters"] = append(own, shared...)
	}
	if _, said := op["security"]; !said && l.root != nil {
		op["security"] = l.root
	}
	return op
}

var templated = regexp.MustCompile(`\{[^}]*\}`)

// meet gives the path under which the contract knows a path whose parameters have other names, after giving them the
// spec's.
func (l *laying) meet(path string) string {
	if l.paths[path] != nil {
		return path
	}
	for known := range l.contract {
		if l.paths[known] == nil || templated.ReplaceAllString(known, "{}") != templated.ReplaceAllString(path, "{}") {
			continue
		}
		item := object(l.paths, known)
		old, names := templated.FindAllString(known, -1), templated.FindAllString(path, -1)
		for i := range old {
			renameParameter(item, strings.Trim(old[i], "{}"), strings.Trim(names[i], "{}"))
		}
		delete(l.paths, known)
		l.paths[path] = item
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

// move takes away the contract's operation of that name when it stands elsewhere: the spec has moved it.
func (l *laying) move(id, path, method string) {
	for known := range l.contract {
		item := object(l.paths, known)
		for _, m := range methods {
			if id != "" && (known != path || m != method) && object(item, m)["operationId"] == id {
				delete(item, m)
			}
		}
		if item != nil && len(item) == 0 {
			delete(l.paths, known)
		}
	}
}

// layComponents puts the spec's components over the contract's. Some have other names than in the spec's files.
func (r *revision) layComponents(tree, from map[string]any, names map[string]string) {
	into := grown(tree, "components")
	files := make(map[string]string)
	for file, now := range names {
		files[now] = file
	}
	for ref, component := range components(from) {
		kind, name := partsOf(ref)
		grown(into, kind)[name] = component
		own := pointer{"components", kind, name}
		if file, other := files[ref]; other {
			_, own[2] = partsOf(file)
		}
		r.own[pointer{"components", kind, name}.String()] = own.String()
	}
}

// object is the object under a key, or nil.
func object(in map[string]any, key string) map[string]any {
	inner, _ := in[key].(map[string]any)
	return inner
}

// grown is the object under a key, which is made when it is not there.
func grown(in map[string]any, key string) map[string]any {
	if object(in, key) == nil {
		in[key] = make(map[string]any)
	}
	return object(in, key)
}

func clone(tree map[string]any) map[string]any {
	raw, err := json.Marshal(tree)
	if err != nil {
		panic(err) // unreachable: it came from JSON
	}
	var copied map[string]any
	_ = json.Unmarshal(raw, &copied)
	return copied
}

// position finds a part: in the spec when it is the spec's, else in the contract.
func (r *revision) position(at pointer) spec.Position {
	if len(at) >= 3 && r.own[at[:3].String()] == "" && r.has(at[:3]) {
		return r.contract.at(at...) // the spec has none
	}
	for n := min(len(at), 3); n > 0; n-- {
		if own, found := r.own[at[:n].String()]; found {
			return r.edited.at(append(strings.Split(own, "\x00"), at[n:]...)...)
		}
	}
	return r.edited.at(r.nearest(at)...)
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
