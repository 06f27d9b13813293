package impact

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// related are keywords that mean something only together with their siblings: of two schemas with some of them, one
// stays a schema of its own.
var related = [][]string{{"prefixItems", "items"}, {"contains", "minContains", "maxContains"}, {"if", "then", "else"},
	{"discriminator", "oneOf", "anyOf"}}

// separate lists the keywords of several schemas that cannot be merged with those of the first ones.
func separate(all []member) map[int][]string {
	apart := make(map[int][]string)
	if have := indices(all, fields); len(have) > 1 {
		for _, i := range have {
			if value := all[i].value.(map[string]any); !anything(value["additionalProperties"]) {
				apart[i] = append(apart[i], "additionalProperties")
			}
		}
	}
	for _, group := range related {
		have := indices(all, group)
		// Without the first keyword of a group the others mean what they always do.
		if slices.ContainsFunc(have, func(i int) bool { return all[i].has(group[:1]) }) {
			for _, i := range have[1:] {
				apart[i] = append(apart[i], group...)
			}
		}
	}
	return apart
}

// indices are those of the schemas that have one of several keywords.
func indices(all []member, keys []string) (found []int) {
	for i, m := range all {
		if m.has(keys) && !m.evaluates() {
			found = append(found, i)
		}
	}
	return found
}

// mergedNames are the keywords whose schemas are merged by their names.
var mergedNames = []string{"properties", "patternProperties", "dependentSchemas"}

// fields are the keywords that additionalProperties goes by: it is about what the others have not named.
var fields = []string{"properties", "patternProperties", "additionalProperties"}

// only is what a schema says under some keywords.
func only(schema map[string]any, keys []string) map[string]any {
	part := maps.Clone(schema)
	maps.DeleteFunc(part, func(key string, _ any) bool { return !slices.Contains(keys, key) })
	return part
}

// fence is the part of a schema that says which fields there may be, and nothing of those that it names.
func fence(schema map[string]any) map[string]any {
	part := map[string]any{"additionalProperties": schema["additionalProperties"]}
	for _, key := range fields[:2] {
		if named := object(schema, key); named != nil {
			names := make(map[string]any)
			for name := range named {
				names[name] = map[string]any{}
			}
			part[key] = names
		}
	}
	return part
}

// evaluates reports whether a schema inside an allOf says something of what it, and no schema around it, has not
// evaluated.
func (m member) evaluates() bool { return !m.outer && m.has(evaluating) }

func (m member) has(keys []string) bool {
	value, _ := m.value.(map[string]any)
	return slices.ContainsFunc(keys, func(key string) bool {
		return value[key] != nil && (key != "items" || !anything(value[key]))
	})
}

// merging is a schema that is being made of several.
type merging struct {
	*flat
	at      pointer
	inside  []string
	made    map[string]any
	several map[string][]member // schemas under a keyword, or those that have names under the keyword, name
	rest    []member            // what stays a schema of its own
}

// add adds what a schema asks for. The keywords that are named stay a schema of their own.
func (m *merging) add(one member, apart []string) {
	schema, ok := one.value.(map[string]any)
	if !ok || schema["$ref"] != nil || one.evaluates() {
		m.rest = append(m.rest, one)
		return
	}
	m.left -= len(schema) + len(object(schema, "properties"))
	own := only(schema, apart)
	if own["additionalProperties"] != nil {
		m.rest = append(m.rest, member{value: fence(schema), from: one.from})
	}
	for _, group := range related {
		if part := only(own, group); len(part) > 0 {
			m.rest = append(m.rest, member{value: part, from: one.from})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(schema)) {
		if own[key] != nil {
			continue
		}
		value, at := schema[key], one.from.with(key)
		named, isNamed := value.(map[string]any)
		switch {
		case slices.Contains(mergedNames, key) && isNamed:
			for name, inner := range named {
				way := pointer{key, name}.String()
				m.several[way] = append(m.several[way], member{value: inner, from: at.with(name)})
			}
		case key == "items" || key == "additionalProperties" || key == "propertyNames":
			m.several[key] = append(m.several[key], member{value: value, from: at})
		case m.made[key] == nil:
			m.made[key] = m.keyword(key, value, m.at.with(key), at, m.inside)
		default:
			m.both(key, value, at)
		}
	}
}

// both adds what a second schema says under a keyword. Where two values cannot be one, the first stays and the second
// goes into an allOf: their order is compared as it is written.
func (m *merging) both(key string, value any, from pointer) {
	old := m.made[key]
	number, isNumber := value.(float64)
	before, _ := old.(float64)
	values, isList := value.([]any)
	list, _ := old.([]any)
	flag, isFlag := value.(bool)
	switch {
	case key == "required" && isList:
		for i, name := range values {
			if !slices.Contains(list, name) {
				m.written(m.at.with(key, itoa(len(list))), from.with(itoa(i)))
				list = append(list[:len(list):len(list)], name)
			}
		}
		m.made[key] = list
	case key == "enum" && slices.ContainsFunc(values, isOneOf(list)):
		m.made[key] = slices.DeleteFunc(slices.Clone(values), func(v any) bool { return !isOneOf(list)(v) })
	case isNumber && slices.Contains(lowest, key):
		m.made[key] = m.narrower(key, old, value, number > before, from)
	case isNumber && slices.Contains(highest, key):
		m.made[key] = m.narrower(key, old, value, number < before, from)
	case isFlag && key != "deprecated":
		m.made[key] = m.narrower(key, old, value, flag, from)
	case !asks(key) || m.same(key, value, old):
	case key == "type" && value == "integer" && old == "number":
		m.made[key] = m.narrower(key, old, value, true, from)
	case key == "type" && value == "number" && old == "integer":
	default:
		m.rest = append(m.rest, member{value: map[string]any{key: value}, from: from.parent()})
	}
}

// same reports whether the flat form of a value is the one that is there. It counts the work, and notes no places.
func (m *merging) same(key string, value, old any) bool {
	scratch := *m.flat
	scratch.moved = make(map[string]pointer)
	made := scratch.keyword(key, value, nil, nil, m.inside)
	m.left = scratch.left
	return reflect.DeepEqual(made, old)
}

func isOneOf(list []any) func(any) bool {
	return func(v any) bool {
		return slices.ContainsFunc(list, func(w any) bool { return reflect.DeepEqual(v, w) })
	}
}

// schema is the merged schema.
func (m *merging) schema() any {
	for way, members := range inOrder(m.several) {
		key, name, named := strings.Cut(way, "\x00")
		if named {
			objectAt(m.made, key)[name] = m.flat.schema(members, m.at.with(key, name), m.inside)
		} else {
			m.made[key] = m.flat.schema(members, m.at.with(key), m.inside)
		}
	}
	if len(m.made) == 0 && len(m.rest) == 1 {
		return m.flat.schema(m.rest, m.at, m.inside)
	}
	var apart []any
	for i, one := range m.rest {
		apart = append(apart, m.flat.schema([]member{one}, m.at.with("allOf", itoa(i)), m.inside))
	}
	if len(apart) > 0 {
		m.made["allOf"] = apart
	}
	return m.made
}

// narrower takes the second of two values if it asks for more.
func (m *merging) narrower(key string, old, value any, second bool, from pointer) any {
	if !second {
		return old
	}
	m.moved[m.at.with(key).String()] = from
	return value
}
