package mock

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// answeredByMark is the extension of each operation of the document.
const answeredByMark = "x-postern-answered-by"

// ours is what the contract's components are called beside the edited spec's.
const ours = "postern."

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
			adopt(document, theirs, o, path, taken)
		}
		if op := within(document, "paths", path, method); op != nil {
			op[answeredByMark] = o.by()
			if o.place != "" {
				op["x-postern-spec"] = o.place
			}
		}
	}
	raw, err := json.Marshal(document)
	return string(raw), err
}

// by tells who answers an operation.
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

// within goes down a document; nil when there is nothing.
func within(object map[string]any, path ...string) map[string]any {
	for _, name := range path {
		object, _ = object[name].(map[string]any)
	}
	return object
}

// adopt copies an operation of the contract, with the components that it needs, under names of their own: both may have
// an Error.
func adopt(document, contract map[string]any, o *operation, path string, taken map[string]bool) {
	item := within(contract, "paths", o.path)
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
		op["parameters"] = o.calledAs(path, contract, op)
	}
	copied := renamed(op, func(kind, name string) { component(document, contract, kind, name, taken) })
	if security, _ := op["security"].([]any); security != nil {
		copied.(map[string]any)["security"] = renamedSecurity(document, contract, security, taken)
	}
	open(open(document, "paths"), path)[strings.ToLower(o.method)] = copied
}

// calledAs gives the parameters of an operation with the names that another path of its shape has for them.
func (o *operation) calledAs(path string, contract, op map[string]any) []any {
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
		if target, found := inside(ref); found {
			p = within(contract, target...)
		}
		if p = maps.Clone(p); p["in"] == "path" {
			p["name"] = names[p["name"]]
		}
		renamed[i] = p
	}
	return renamed
}

func open(object map[string]any, name string) map[string]any {
	inner, ok := object[name].(map[string]any)
	if !ok {
		inner = make(map[string]any)
		object[name] = inner
	}
	return inner
}

// component copies one component, once.
func component(document, contract map[string]any, kind, name string, taken map[string]bool) {
	if taken[kind+"/"+name] {
		return
	}
	taken[kind+"/"+name] = true
	original := within(contract, "components", kind)[name]
	open(open(document, "components"), kind)[ours+name] = renamed(original,
		func(kind, name string) { component(document, contract, kind, name, taken) })
}

// renamed copies a part of the contract with its references led to the copies.
func renamed(part any, meet func(kind, name string)) any {
	switch part := part.(type) {
	case map[string]any:
		copied := make(map[string]any, len(part))
		for key, value := range part {
			if ref, ok := value.(string); ok && key == "$ref" {
				copied[key] = renamedRef(ref, meet)
				continue
			}
			copied[key] = renamed(value, meet)
		}
		return copied
	case []any:
		copied := make([]any, len(part))
		for i, value := range part {
			copied[i] = renamed(value, meet)
		}
		return copied
	}
	return part
}

func renamedRef(ref string, meet func(kind, name string)) string {
	parts, found := inside(ref)
	if !found || len(parts) < 3 || parts[0] != "components" {
		return ref
	}
	meet(parts[1], parts[2])
	parts[2] = ours + parts[2]
	return "#/" + strings.Join(escape(parts), "/")
}

func renamedSecurity(document, contract map[string]any, security []any, taken map[string]bool) []any {
	copied := make([]any, len(security))
	for i, one := range security {
		requirement := make(map[string]any)
		if schemes, ok := one.(map[string]any); ok {
			for name, scopes := range schemes {
				component(document, contract, "securitySchemes", name, taken)
				requirement[ours+name] = scopes
			}
		}
		copied[i] = requirement
	}
	return copied
}
