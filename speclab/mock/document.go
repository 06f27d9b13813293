package mock

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// answeredByMark is the extension of each operation of the document.
const answeredByMark = "x-postern-answered-by"

// preferMark is the extension of an operation that the spec answers: the values of the header Prefer that choose its
// answer.
const preferMark = "x-postern-prefer"

// brokenMark is the extension of the document that says why the last save is not served.
const brokenMark = "x-postern-broken"

// contractPrefix begins the names of the contract's components beside the edited spec's.
const contractPrefix = "postern."

// render writes the document: the edited spec, marked, and with it the operations that only the contract has.
func (e *edition) render(contract *openapi3.T) (string, error) {
	theirs, err := tree(contract)
	if err != nil {
		return "", err
	}
	document := theirs
	if e.api != nil {
		if document, err = tree(e.api.Doc); err != nil {
			return "", err
		}
	}
	taken := make(map[string]bool)
	paths := make(map[string]string)
	for _, o := range e.operations {
		if o.edited != nil {
			paths[shape(o.path)] = o.path
		}
	}
	for _, o := range e.operations {
		path, method := o.path, strings.ToLower(o.method)
		if o.edited == nil && e.api != nil {
			if theirs := paths[shape(path)]; theirs != "" {
				path = theirs // one path of a shape is all that a document may have
			}
			copyOperation(document, theirs, o, path, taken)
		}
		if op := lookUp(document, "paths", path, method); op != nil {
			op[answeredByMark] = o.by()
			if o.contract == nil {
				op[preferMark] = o.preferences()
			}
			if o.place != "" {
				op["x-postern-spec"] = o.place
			}
		}
	}
	raw, err := json.Marshal(document)
	return string(raw), err
}

// documentWith is the document, which is served on, with what is wrong with the save that came after it.
func (e *edition) documentWith(err error) string {
	var problems spec.Problems
	if !errors.As(err, &problems) {
		problems = spec.Problems{{What: err.Error()}}
	}
	said, err := json.Marshal(map[string]any{brokenMark: map[string]any{"since": e.since, "problems": problems}})
	if err != nil {
		panic(err) // unreachable: texts and numbers
	}
	return string(said[:len(said)-1]) + "," + e.document[1:] // two objects in one
}

// by is who answers an operation.
func (o *operation) by() string {
	if o.contract == nil {
		return "spec"
	}
	return "real"
}

// tree is a document as JSON has it.
func tree(doc *openapi3.T) (map[string]any, error) {
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	return object, json.Unmarshal(raw, &object)
}

// lookUp is the object at a path of keys, or nil.
func lookUp(object map[string]any, path ...string) map[string]any {
	for _, name := range path {
		object, _ = object[name].(map[string]any)
	}
	return object
}

// copyOperation copies an operation of the contract, and the components that it needs under names of their own: both
// specs may have an Error.
func copyOperation(document, contract map[string]any, o *operation, path string, taken map[string]bool) {
	item := lookUp(contract, "paths", o.path)
	op, _ := item[strings.ToLower(o.method)].(map[string]any)
	if op == nil {
		return
	}
	op = maps.Clone(op)
	if shared, _ := item["parameters"].([]any); len(shared) > 0 { // the path may have others in the edited spec
		own, _ := op["parameters"].([]any)
		op["parameters"] = append(append([]any{}, shared...), own...)
	}
	if path != o.path {
		op["parameters"] = o.parametersFor(path, contract, op)
	}
	copied := copyWithRefs(op, func(kind, name string) { copyComponent(document, contract, kind, name, taken) })
	if security, _ := op["security"].([]any); security != nil {
		copied.(map[string]any)["security"] = copySecurity(document, contract, security, taken)
	}
	objectAt(objectAt(document, "paths"), path)[strings.ToLower(o.method)] = copied
}

// parametersFor gives the parameters of an operation with the names that another path of its shape has for them.
func (o *operation) parametersFor(path string, contract, op map[string]any) []any {
	names := make(map[any]string)
	other := &operation{path: path}
	for i, name := range o.parameterNames() {
		names[name] = other.parameterNames()[i]
	}
	parameters, _ := op["parameters"].([]any)
	renamed := make([]any, len(parameters))
	for i, one := range parameters {
		p, _ := one.(map[string]any)
		ref, _ := p["$ref"].(string)
		if target, found := spec.PointerOf(ref); found {
			p = lookUp(contract, target...)
		}
		if p = maps.Clone(p); p["in"] == "path" {
			p["name"] = names[p["name"]]
		}
		renamed[i] = p
	}
	return renamed
}

// objectAt is the object under a key, which is made when it is not there.
func objectAt(object map[string]any, name string) map[string]any {
	inner, ok := object[name].(map[string]any)
	if !ok {
		inner = make(map[string]any)
		object[name] = inner
	}
	return inner
}

// copyComponent copies one component, once.
func copyComponent(document, contract map[string]any, kind, name string, taken map[string]bool) {
	if taken[kind+"/"+name] {
		return
	}
	taken[kind+"/"+name] = true
	original := lookUp(contract, "components", kind)[name]
	objectAt(objectAt(document, "components"), kind)[contractPrefix+name] = copyWithRefs(original,
		func(kind, name string) { copyComponent(document, contract, kind, name, taken) })
}

// copyWithRefs copies a part of the contract. Its references refer to the copies of components; visit is called for
// each.
func copyWithRefs(part any, visit func(kind, name string)) any {
	switch part := part.(type) {
	case map[string]any:
		copied := make(map[string]any, len(part))
		for key, value := range part {
			if ref, ok := value.(string); ok && key == "$ref" {
				copied[key] = copyRef(ref, visit)
				continue
			}
			copied[key] = copyWithRefs(value, visit)
		}
		return copied
	case []any:
		copied := make([]any, len(part))
		for i, value := range part {
			copied[i] = copyWithRefs(value, visit)
		}
		return copied
	}
	return part
}

func copyRef(ref string, visit func(kind, name string)) string {
	parts, found := spec.PointerOf(ref)
	if !found || len(parts) < 3 || parts[0] != "components" {
		return ref
	}
	visit(parts[1], parts[2])
	parts[2] = contractPrefix + parts[2]
	return spec.Reference(parts)
}

func copySecurity(document, contract map[string]any, security []any, taken map[string]bool) []any {
	copied := make([]any, len(security))
	for i, one := range security {
		requirement := make(map[string]any)
		if schemes, ok := one.(map[string]any); ok {
			for name, scopes := range schemes {
				copyComponent(document, contract, "securitySchemes", name, taken)
				requirement[contractPrefix+name] = scopes
			}
		}
		copied[i] = requirement
	}
	return copied
}
