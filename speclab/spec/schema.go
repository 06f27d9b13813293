package spec

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// convertSchema converts a schema to JSON Schema 2020-12, which OpenAPI 3.1 uses.
func (b *bundler) convertSchema(n *node, c scope) *node {
	switch v := n.scalar.(type) {
	case bool:
		return newScalar(n.at, v)
	case nil:
		if n.kind == scalarNode {
			return newMapping(n.at)
		}
	}
	if !n.isMapping() {
		b.problem(n.at, "the schema must be a mapping", "write type: and the like below it, indented")
		return nil
	}
	s := &schema{b: b, raw: n, fields: make([]field, 0, len(n.fields))}
	s.prepare()
	s.fields = b.convertFields(schemaShape, s.raw.without("nullable"), c)
	return s.repair()
}

// schema is a schema that is being converted.
type schema struct {
	b      *bundler
	raw    *node
	fields []field
}

// prepare rewrites what older versions say in other types than 3.1 does, so that the grammar holds.
func (s *schema) prepare() {
	n := s.raw
	if list, ok := n.field("items"); ok && list.value.isSequence() { // draft 4's tuples
		n = n.without("items").with(field{"prefixItems", list.at, list.value})
	}
	for _, bound := range [][2]string{{"exclusiveMinimum", "minimum"}, {"exclusiveMaximum", "maximum"}} {
		if flag, ok := n.field(bound[0]); ok {
			switch limit, has := n.field(bound[1]); {
			case flag.value.scalar == true && has:
				n = n.without(bound[1]).with(field{bound[0], flag.at, limit.value})
			case flag.value.scalar == true, flag.value.scalar == false:
				n = n.without(bound[0])
			}
		}
	}
	if property, ok := n.field("discriminator"); ok && property.value.string() != "" {
		n = n.with(field{"discriminator", property.at,
			newMapping(property.at, field{"propertyName", property.at, property.value})})
	}
	if required, ok := n.field("required"); ok {
		if _, isFlag := required.value.scalar.(bool); isFlag {
			if required.value.isTrue() {
				s.b.gap(required.at, "required: true is no schema's and is left out",
					"list the name under required of the object around it")
			}
			n = n.without("required")
		}
	}
	for _, f := range n.fields {
		if f.name == "example" || f.name == "default" {
			if v := jsonIn(f.value); v != f.value && n.text("type") != "string" {
				n = n.with(field{f.name, f.at, v})
			}
		}
	}
	if id := n.get("definitions"); id.isMapping() {
		n = n.without("definitions")
	}
	s.raw = n.without("$id", "$schema", "$anchor", "$dynamicRef", "$dynamicAnchor", "id")
}

func (s *schema) get(name string) *node {
	i := slices.IndexFunc(s.fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return s.fields[i].value
}

func (s *schema) drop(name string) {
	s.fields = slices.DeleteFunc(s.fields, func(f field) bool { return f.name == name })
}

// set gives a keyword a value, at the place of the one it had, else of the schema.
func (s *schema) set(name string, value *node) {
	for i, f := range s.fields {
		if f.name == name {
			s.fields[i].value = value
			return
		}
	}
	s.fields = append(s.fields, field{name, value.at, value})
}

// repair makes a schema of 3.1 of the converted fields.
func (s *schema) repair() *node {
	s.types()
	s.enum()
	s.nullable()
	s.patterns()
	if required := s.get("required"); required != nil {
		if names := distinct(required); len(names.items) == 0 {
			s.drop("required")
		} else {
			s.set("required", names)
		}
	}
	for _, name := range []string{"allOf", "anyOf", "oneOf", "prefixItems"} {
		if members := s.get(name); members != nil && len(members.items) == 0 {
			s.drop(name)
		}
	}
	if s.isA("array") && s.get("items") == nil {
		s.set("items", newMapping(s.raw.at))
	}
	return newMapping(s.raw.at, s.fields...)
}

func (s *schema) isA(name string) bool {
	t := s.get("type")
	return t.string() == name || t != nil &&
		slices.ContainsFunc(t.items, func(item *node) bool { return item.string() == name })
}

// intendedTypes are the types that JSON Schema does not have, and what their authors meant. An empty one is any.
var intendedTypes = map[string]string{"file": "string", "any": "", "dict": "object", "map": "object", "hash": "object",
	"list": "array", "int": "integer",
	"long": "integer", "float": "number", "double": "number", "bool": "boolean", "str": "string", "date": "string",
	"timestamp": "integer",
	"enum":      "string", "text": "string", "json": "", "mixed": "", "Object": "object", "String": "string"}

var jsonTypes = []string{"null", "boolean", "object", "array", "number", "string", "integer"}

func (s *schema) types() {
	written := s.get("type")
	if written == nil {
		return
	}
	names := newSequence(written.at)
	for _, item := range items(written) {
		name := item.string()
		if item.kind == scalarNode && item.scalar == nil {
			name = "null"
		}
		if instead, known := intendedTypes[name]; known {
			if name == "file" && s.get("format") == nil {
				s.set("format", newScalar(written.at, "binary"))
			} else if name != "file" {
				s.b.gap(item.at, fmt.Sprintf("there is no type %q; it is read as %q", name, instead),
					"write one of JSON Schema's types")
			}
			if name = instead; name == "" {
				s.drop("type")
				return
			}
		}
		if !slices.Contains(jsonTypes, name) {
			s.b.problem(item.at, fmt.Sprintf("there is no type %q", name),
				"write string, number, integer, boolean, array, object or null")
			s.drop("type")
			return
		}
		names.items = append(names.items, newScalar(item.at, name))
	}
	switch names = distinct(names); len(names.items) {
	case 0:
		s.drop("type")
	case 1:
		s.set("type", names.items[0])
	default:
		s.set("type", names)
	}
}

// items are those of a list, or one value that was written instead of a list.
func items(n *node) []*node {
	if n.isSequence() {
		return n.items
	}
	return []*node{n}
}

// distinct is a list without repetitions.
func distinct(n *node) *node {
	kept, seen := newSequence(n.at), make(map[any]bool)
	for _, item := range items(n) {
		if item.kind == scalarNode && seen[item.scalar] {
			continue
		}
		if item.kind == scalarNode {
			seen[item.scalar] = true
		}
		kept.items = append(kept.items, item)
	}
	return kept
}

// enum writes numbers and words like yes as the text that an enum of texts means by them.
func (s *schema) enum() {
	enum := s.get("enum")
	if enum == nil {
		return
	}
	values := newSequence(enum.at)
	for _, item := range enum.items {
		if v := item.scalar; s.get("type").string() == "string" && item.kind == scalarNode && v != nil {
			item = newScalar(item.at, fmt.Sprint(v))
		}
		values.items = append(values.items, item)
	}
	if values = distinct(values); len(values.items) == 0 {
		s.drop("enum")
		return
	}
	s.set("enum", values)
}

// nullable is how 3.0 says that null is allowed too.
func (s *schema) nullable() {
	flag := s.raw.get("nullable")
	if !flag.isTrue() && s.raw.get("x-nullable").scalarIs(true) {
		flag = s.raw.get("x-nullable")
	}
	if !flag.isTrue() {
		return
	}
	null := newScalar(flag.at, "null")
	if enum := s.get("enum"); enum != nil &&
		!slices.ContainsFunc(enum.items, func(n *node) bool { return n.kind == scalarNode && n.scalar == nil }) {
		s.set("enum", newSequence(enum.at, append(slices.Clone(enum.items), newScalar(flag.at, nil))...))
	}
	switch t := s.get("type"); {
	case t != nil:
		s.set("type", distinct(newSequence(t.at, append(slices.Clone(items(t)), null)...)))
	case s.get("allOf") != nil || s.get("oneOf") != nil || s.get("anyOf") != nil:
		inner := newMapping(s.raw.at, slices.DeleteFunc(slices.Clone(s.fields),
			func(f field) bool { return isExtension(f.name) })...)
		s.fields = slices.DeleteFunc(s.fields,
			func(f field) bool { return !isExtension(f.name) && f.name != "description" && f.name != "title" })
		s.set("anyOf", newSequence(flag.at, inner, newMapping(flag.at, field{"type", flag.at, null})))
	}
}

func (n *node) scalarIs(v any) bool { return n != nil && n.kind == scalarNode && n.scalar == v }

var codepoint = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// Pattern is a pattern of a spec, which is ECMAScript's, as Go writes it. Go's cannot look ahead or behind.
func Pattern(pattern string) string { return codepoint.ReplaceAllString(pattern, `\x{$1}`) }

// patterns drops what Go's expressions cannot hold.
func (s *schema) patterns() {
	if pattern := s.get("pattern"); pattern != nil && !s.canCheck(pattern.at, pattern.string()) {
		s.drop("pattern")
	}
	named := s.get("patternProperties")
	if named == nil {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(named.fields), func(f field) bool { return !s.canCheck(f.at, f.name) })
	s.set("patternProperties", newMapping(named.at, kept...))
}

// canCheck reports whether Go can read a pattern; if not, it has said so.
func (s *schema) canCheck(at Position, pattern string) bool {
	_, err := regexp.Compile(Pattern(pattern))
	if err != nil {
		s.b.gap(at, fmt.Sprintf("the pattern %q cannot be checked and is left out", pattern),
			"write it without looking ahead or behind")
	}
	return err == nil
}
