package impact

import (
	"maps"
	"slices"
)

// flat is an API in the form that is compared: what can be one schema is one. An allOf and what it says are then equal,
// wherever its author divides it.
//
// oasdiff can merge schemas too (flatten/allof). It is not used: it loses which line a schema is on, it drops the
// keywords of OpenAPI 3.1 inside an allOf, and it refuses a whole document for one allOf that contradicts itself.
type flat struct {
	*document
	parsed
	from  *document          // that it was made of
	moved map[string]pointer // from a part to the one of from, where that is not at the same place in the same parent
	left  int                // how many more values are merged

	evaluates bool // some schema asks what others have evaluated
}

// mostMerged bounds the work: each allOf can repeat all of the others. What is beyond is compared as it is written.
// Matrix's whole client-server API merges 600.
const mostMerged = 20_000

func flatten(d *document) (*flat, error) {
	f := &flat{from: d, moved: make(map[string]pointer), left: mostMerged}
	tree, _ := f.part(d.tree, nil).(map[string]any)
	f.document = &document{tree}
	var err error
	f.parsed, err = parse(tree)
	return f, err
}

// origin is the part of the document that a part of the flat one was made of.
func (f *flat) origin(at pointer) pointer {
	for n := len(at); n > 0; n-- {
		if from, found := f.moved[at[:n].String()]; found {
			return from.with(at[n:]...)
		}
	}
	return at
}

// written notes where a part of the flat document was written.
func (f *flat) written(at, from pointer) {
	if !slices.Equal(f.origin(at), from) {
		f.moved[at.String()] = from
	}
}

// part copies a part of the document that is no schema.
func (f *flat) part(value any, at pointer) any {
	switch value := value.(type) {
	case map[string]any:
		schemas := len(at) == 2 && at[0] == "components" && at[1] == "schemas"
		copied := make(map[string]any, len(value))
		for key, inner := range inOrder(value) {
			switch there := at.with(key); {
			case schemas:
				copied[key] = f.schema(one(inner, there), there, []string{there.String()})
			case key == "schema":
				copied[key] = f.schema(one(inner, there), there, nil)
			case key == "example" || key == "examples":
				copied[key] = inner
			default:
				copied[key] = f.part(inner, there)
			}
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for i, inner := range value {
			copied[i] = f.part(inner, at.with(itoa(i)))
		}
		return copied
	}
	return value
}

// member is a schema, and where it is written. Of several a value must fit each.
type member struct {
	value any
	from  pointer
	outer bool // it is the whole schema, or what the schema says beside its own allOf
}

func one(value any, from pointer) []member { return []member{{value: value, from: from}} }

// alone is a schema that no other is merged with.
func (m member) alone() member {
	m.outer = true
	return m
}

// schema makes one schema of several. The components that it is inside of are not written into themselves.
func (f *flat) schema(members []member, at pointer, inside []string) any {
	f.written(at, members[0].from)
	var all []member
	if len(members) == 1 {
		all, inside = f.unfold(members[0].alone(), nil, inside)
	} else {
		all, inside = f.unfoldEach(members, nil, inside)
	}
	all = asking(all)
	if len(all) == 1 && all[0].evaluates() { // its siblings ask nothing: it is the whole schema
		all, inside = f.unfold(all[0].alone(), nil, inside)
		all = asking(all)
	}
	if len(all) == 1 {
		return f.single(all[0], at, inside)
	}
	m := merging{flat: f, at: at, inside: inside, made: make(map[string]any), several: make(map[string][]member)}
	apart := separate(all)
	for i, one := range all {
		m.add(one, apart[i])
	}
	return m.schema()
}

// asking are the schemas that ask anything, or one that does not, or one that no value fits.
func asking(all []member) []member {
	kept := slices.DeleteFunc(slices.Clone(all), func(m member) bool { return anything(m.value) })
	if i := slices.IndexFunc(all, func(m member) bool { return m.value == false }); i >= 0 || len(kept) == 0 {
		return all[max(i, 0) : max(i, 0)+1]
	}
	return kept
}

// single copies a schema that is not merged with others.
func (f *flat) single(m member, at pointer, inside []string) any {
	f.written(at, m.from)
	value, ok := m.value.(map[string]any)
	if m.value == true {
		return map[string]any{} // JSON Schema, Core, section 4.3.2: true is the same
	}
	if !ok || value["$ref"] != nil {
		return m.value
	}
	copied := maps.Clone(value)
	for key, inner := range inOrder(value) {
		copied[key] = f.keyword(key, inner, at.with(key), m.from.with(key), inside)
	}
	return copied
}

// keyword copies what is under a keyword.
func (f *flat) keyword(key string, value any, at, from pointer, inside []string) any {
	f.written(at, from)
	f.evaluates = f.evaluates || slices.Contains(evaluating, key)
	list, isList := value.([]any)
	named, isNamed := value.(map[string]any)
	switch {
	case slices.Contains(innerSchemas, key):
		return f.schema(one(value, from), at, inside)
	case isList && slices.Contains(listedSchemas, key):
		copied := make([]any, len(list))
		for i, inner := range list {
			copied[i] = f.schema(one(inner, from.with(itoa(i))), at.with(itoa(i)), inside)
		}
		return copied
	case isNamed && slices.Contains(namedSchemas, key):
		copied := make(map[string]any, len(named))
		for name, inner := range inOrder(named) {
			copied[name] = f.schema(one(inner, from.with(name)), at.with(name), inside)
		}
		return copied
	}
	return value
}

// parts returns what a schema says by its other keywords, and the schemas of its allOf. An anyOf or oneOf of one schema
// is that schema.
func (m member) parts() (own map[string]any, parts []member) {
	value, _ := m.value.(map[string]any)
	own = maps.Clone(value)
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := value[key].([]any)
		if key != "allOf" && (len(list) != 1 || value["discriminator"] != nil) {
			continue
		}
		delete(own, key)
		for i, part := range list {
			parts = append(parts, member{value: part, from: m.from.with(key, itoa(i))})
		}
	}
	return own, parts
}

// unfold adds a schema to a list, or instead what it says beside its allOf and the schemas of that.
func (f *flat) unfold(m member, all []member, inside []string) ([]member, []string) {
	value, ok := m.value.(map[string]any)
	if !ok || f.left <= 0 || value["$ref"] != nil {
		return append(all, m), inside
	}
	own, parts := m.parts()
	if len(parts) == 0 {
		return append(all, m), inside
	}
	if len(parts) == 1 && !says(own) && m.outer { // a reference with a description of its own stays one
		return f.unfold(parts[0].alone(), all, inside)
	}
	return f.unfoldEach(parts, append(all, member{own, m.from, m.outer}), inside)
}

// unfoldEach unfolds schemas that a value must all fit, and what their references lead to.
func (f *flat) unfoldEach(parts, all []member, inside []string) ([]member, []string) {
	for _, part := range parts {
		to := f.from.resolve(part.from)
		if slices.Contains(inside, to.String()) {
			all = append(all, part)
			continue
		}
		resolved := part
		if !slices.Equal(to, part.from) {
			resolved = member{value: f.from.object(to), from: to}
		}
		if resolved.evaluates() {
			all = append(all, part)
			continue
		}
		if !slices.Equal(to, part.from) {
			inside = append(inside[:len(inside):len(inside)], to.String())
		}
		all, inside = f.unfold(resolved, all, inside)
	}
	return all, inside
}
