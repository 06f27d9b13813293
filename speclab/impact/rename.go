package impact

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// newNames gives components of a part of an API names of their own, where the contract has another component of the
// same name that an operation needs which the part does not mention, or where both would be one type in Go. It maps the
// references to such components to new ones.
func newNames(edited, contract map[string]any, alias func(string) string) map[string]string {
	names := make(map[string]string)
	taken := make(map[string]string) // refs by the names of their types
	old := components(contract)
	for ref := range old {
		taken[typeName(ref)] = ref
	}
	needed := neededByRest(contract, edited, alias)
	own := components(edited)
	for _, ref := range slices.Sorted(maps.Keys(own)) {
		holder, known := taken[typeName(ref)]
		fits := holder == ref && (!needed[ref] || reflect.DeepEqual(own[ref], old[ref]))
		if !known || fits || strings.HasPrefix(ref, "#/components/securitySchemes/") {
			taken[typeName(ref)] = ref
			continue
		}
		name := ref
		for i := 2; taken[typeName(name)] != "" || own[name] != nil; i++ {
			name = ref + strconv.Itoa(i)
		}
		taken[typeName(name)] = name
		names[ref] = name
	}
	return names
}

// renameComponents gives components of a tree other names.
func renameComponents(tree map[string]any, names map[string]string) {
	for from, to := range names {
		kind, name := splitRef(from)
		_, now := splitRef(to)
		if all := object(object(tree, "components"), kind); all[name] != nil {
			all[now] = all[name]
			delete(all, name)
		}
	}
	renameReferences(tree, names)
}

// components are all components of a tree, by the references to them.
func components(tree map[string]any) map[string]any {
	all := make(map[string]any)
	for kind, of := range object(tree, "components") {
		of, _ := of.(map[string]any)
		for name, component := range of {
			all["#/components/"+kind+"/"+name] = component
		}
	}
	return all
}

func splitRef(ref string) (kind, name string) {
	kind, name, _ = strings.Cut(strings.TrimPrefix(ref, "#/components/"), "/")
	return kind, name
}

func typeName(ref string) string {
	kind, name := splitRef(ref)
	if kind == "securitySchemes" {
		return ref // of which no types are made
	}
	return typeOf(name)
}

// neededByRest are references to the components that the contract's other operations need: those that the spec does not
// mention.
func neededByRest(contract, edited map[string]any, alias func(string) string) map[string]bool {
	mentioned := make(map[string]bool)
	for path, item := range object(edited, "paths") {
		item, _ := item.(map[string]any)
		for method := range item {
			mentioned[method+templated.ReplaceAllString(alias(path), "{}")] = true
		}
	}
	needed, all := make(map[string]bool), components(contract)
	var need func(any)
	need = func(part any) {
		for _, ref := range references(part) {
			if !needed[ref] {
				needed[ref] = true
				need(all[ref])
			}
		}
	}
	for path, item := range object(contract, "paths") {
		item, _ := item.(map[string]any)
		for method, op := range item {
			if !mentioned[method+templated.ReplaceAllString(path, "{}")] {
				need(op)
			}
		}
	}
	return needed
}

// references are all in a part of a tree.
func references(part any) (refs []string) {
	switch part := part.(type) {
	case map[string]any:
		if ref, ok := part["$ref"].(string); ok {
			refs = append(refs, ref)
		}
		for _, inner := range part {
			refs = append(refs, references(inner)...)
		}
	case []any:
		for _, inner := range part {
			refs = append(refs, references(inner)...)
		}
	}
	return refs
}

// renameReferences gives references to components, and into them, the new names.
func renameReferences(part any, names map[string]string) {
	switch part := part.(type) {
	case map[string]any:
		for key, inner := range part {
			ref, ok := inner.(string)
			if !ok {
				renameReferences(inner, names)
				continue
			}
			kind, way := splitRef(ref)
			name, within, deeper := strings.Cut(way, "/")
			if now := names["#/components/"+kind+"/"+name]; now != "" &&
				(key == "$ref" || strings.HasPrefix(ref, "#/")) {
				part[key] = now
				if deeper {
					part[key] = now + "/" + within
				}
			}
		}
	case []any:
		for _, inner := range part {
			renameReferences(inner, names)
		}
	}
}
