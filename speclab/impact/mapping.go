package impact

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// mapping leads from a symbol of the generated code to the part of the spec that it was generated from, by the
// generator's own functions for names.
type mapping struct {
	*document
	symbols    *symbols
	components map[string]pointer // by the name of their type
}

// kinds are the components that the generator makes types of. Where two have one name, the first kind counts.
var kinds = []string{"schemas", "responses", "requestBodies", "parameters", "headers"}

func newMapping(d *document, s *symbols) *mapping {
	m := &mapping{document: d, symbols: s, components: make(map[string]pointer)}
	for _, kind := range kinds {
		for _, name := range slices.Sorted(maps.Keys(d.object(pointer{"components", kind}))) {
			typ := typeOf(name)
			if m.components[typ] == nil {
				m.components[typ] = pointer{"components", kind, name}
			}
		}
	}
	return m
}

// method is the operation that a method implements.
func (m *mapping) method(name string) pointer {
	if o := m.symbols.byName[name]; o != nil {
		return o.at
	}
	return pointer{"paths"}
}

// What the generator puts after the name of an operation, or of a component, to name a type.
var (
	ofResponse  = regexp.MustCompile(`^(\d{3}|[1-5]XX|[Dd]efault)`)
	ofComponent = regexp.MustCompile(`^(\w*Response|ResponseHeaders|\w*Body|_\w+|[A-Z]\w*)$`)
)

// typ is the part that a type was generated from.
func (m *mapping) typ(name string) pointer {
	if at := m.components[name]; at != nil {
		return at
	}
	if o, suffix := m.symbols.operationOf(name); o != nil {
		switch code := ofResponse.FindString(suffix); {
		case code != "":
			return o.at.with("responses", code)
		case strings.HasPrefix(suffix, "Params"):
			return o.at.with("parameters")
		case suffix == "ResponseObject":
			return o.at.with("responses")
		case strings.Contains(suffix, "Body"):
			return o.at.with("requestBody")
		}
		return o.at
	}
	for n := len(name) - 1; n > 0; n-- {
		if at := m.components[name[:n]]; at != nil && ofComponent.MatchString(name[n:]) {
			return at
		}
	}
	return pointer{"components"}
}

// ofOperation is what follows the name of an operation in the name of a type of it.
var ofOperation = regexp.MustCompile(
	`^(RequestObject|ResponseObject|Params\w*|\d{3}\w*|[1-5]XX\w*|[Dd]efault\w*|\w*Body\w*)$`)

// operationOf is the operation that a type belongs to, and the rest of the type's name. Of two, the one with the longer
// name.
func (s *symbols) operationOf(typ string) (found *operation, suffix string) {
	for n := len(typ) - 1; n > 0; n-- {
		if o := s.byName[typ[:n]]; o != nil && ofOperation.MatchString(typ[n:]) {
			return o, typ[n:]
		}
	}
	return nil, ""
}

// field is the part that a field was generated from.
func (m *mapping) field(t *goType, f goField) pointer {
	at := m.typ(t.name)
	if o, suffix := m.symbols.operationOf(t.name); o != nil && m.components[t.name] == nil {
		switch {
		case suffix == "RequestObject" && f.name == "Body":
			return o.at.with("requestBody")
		case suffix == "RequestObject" && f.name == "Params":
			return m.outOfPath(o.at)
		case suffix == "RequestObject", suffix == "Params":
			return m.parameter(o.at, f.json)
		}
	}
	if f.json == "" {
		return at
	}
	if found := m.property(at, f.json, 0); found != nil {
		return found
	}
	return at
}

// outOfPath are the parameters of an operation that are not in its path, or the only one.
func (m *mapping) outOfPath(operation pointer) pointer {
	var found []pointer
	for _, at := range m.children(operation.with("parameters")) {
		if m.object(m.resolve(at))["in"] != "path" {
			found = append(found, at)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return operation.with("parameters")
}

// parameter is a parameter of an operation, or of its path.
func (m *mapping) parameter(operation pointer, name string) pointer {
	for _, at := range []pointer{operation, operation.parent()} {
		if found := m.children(at.with("parameters"))[name]; found != nil {
			return found
		}
	}
	return operation
}

// property finds a field in a response, a body or a schema, wherever these refer to.
func (m *mapping) property(at pointer, name string, depth int) pointer {
	if depth > 12 { // a schema that contains itself
		return nil
	}
	at = m.resolve(at)
	part := m.object(at)
	if _, has := object(part, "properties")[name]; has {
		return at.with("properties", name)
	}
	var inner []pointer
	for _, key := range slices.Sorted(maps.Keys(object(part, "content"))) {
		inner = append(inner, at.with("content", key, "schema"))
	}
	for _, key := range []string{"schema", "items"} {
		if part[key] != nil {
			inner = append(inner, at.with(key))
		}
	}
	for _, key := range []string{"allOf", "oneOf", "anyOf"} {
		list, _ := part[key].([]any)
		for i := range list {
			inner = append(inner, at.with(key, itoa(i)))
		}
	}
	for _, way := range inner {
		if found := m.property(way, name, depth+1); found != nil {
			return found
		}
	}
	return nil
}
