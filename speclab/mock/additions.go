package mock

import (
	"maps"
	"slices"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

// gains are the fields that the edited spec adds to a real operation's answers, by status as the spec writes it.
type gains map[string]*gain

// gain is what one schema gains: fields of its own, and those of what is in it.
type gain struct {
	fields map[string]any   // each with what it is filled with
	inner  map[string]*gain // of fields that both know
	items  *gain            // of an array
}

// of finds the gain of a status.
func (g gains) of(status int) *gain {
	code := strconv.Itoa(status)
	for _, key := range []string{code, code[:1] + "XX", code[:1] + "xx", "default"} {
		if found, documented := g[key]; documented {
			return found
		}
	}
	return nil
}

// gainsOf compares the JSON answers of an operation. A status that gains nothing is there with nil, so that the default
// is not taken for it.
func gainsOf(edited, contract *openapi3.Operation) gains {
	if edited.Responses == nil {
		return nil
	}
	all, some := make(gains), false
	for code, ref := range edited.Responses.Map() {
		before := response(contract, code)
		if ref == nil || ref.Value == nil {
			continue
		}
		all[code] = nil
		if before == nil {
			continue
		}
		_, media := jsonOf(ref.Value.Content)
		_, was := jsonOf(before.Content)
		if media == nil || was == nil || media.Schema == nil || was.Schema == nil {
			continue
		}
		var examples []any
		if example, found, _ := exampleOf(media, ""); found {
			examples = append(examples, tidy(example))
		}
		all[code] = gainOf(media.Schema.Value, was.Schema.Value, examples, 0)
		some = some || all[code] != nil
	}
	if !some {
		return nil
	}
	return all
}

// gainOf compares two schemas, the edited one and the contract's. The examples are of the edited one's enclosing parts,
// cut down to it.
func gainOf(edited, contract *openapi3.Schema, examples []any, depth int) *gain {
	if edited == nil || contract == nil || edited == contract || depth > maxDepth {
		return nil
	}
	now, was := flatten(edited, 0, 0), flatten(contract, 0, 0)
	for _, written := range append([]any{now.Example}, now.Examples...) {
		if written != nil {
			examples = append(examples[:len(examples):len(examples)], tidy(written))
		}
	}
	g := &gain{fields: make(map[string]any), inner: make(map[string]*gain)}
	for _, name := range slices.Sorted(maps.Keys(now.Properties)) {
		field, before := now.Properties[name], was.Properties[name]
		if field == nil || field.Value == nil {
			continue
		}
		inside := cut(examples, name)
		switch {
		case before == nil:
			if value, found := filling(field.Value, inside, slices.Contains(now.Required, name)); found {
				g.fields[name] = value
			}
		case before.Value != nil:
			if more := gainOf(field.Value, before.Value, inside, depth+1); more != nil {
				g.inner[name] = more
			}
		}
	}
	if now.Items != nil && was.Items != nil {
		g.items = gainOf(now.Items.Value, was.Items.Value, cut(examples, ""), depth+1)
	}
	if len(g.fields) == 0 && len(g.inner) == 0 && g.items == nil {
		return nil
	}
	return g
}

// cut takes a field of each example, or the first item of those that are lists.
func cut(examples []any, name string) []any {
	var parts []any
	for _, one := range examples {
		switch one := one.(type) {
		case map[string]any:
			if value, there := one[name]; there {
				parts = append(parts, value)
			}
		case []any:
			if name == "" && len(one) > 0 {
				parts = append(parts, one[0])
			}
		}
	}
	return parts
}

// filling is what an added field is filled with: its own example, or the same field of an example around it, or, when
// it is required, what its schema allows. An optional field that nobody gave an example stays out: a default is what
// its absence means.
func filling(s *openapi3.Schema, examples []any, required bool) (any, bool) {
	m := newMaker()
	for _, written := range append([]any{s.Example}, s.Examples...) {
		if written != nil {
			return tidy(written), true
		}
	}
	if len(examples) > 0 {
		return examples[0], true
	}
	if required || exemplified(s, 0) {
		value, fits := m.value(s, 0, 0)
		return value, required || fits
	}
	return nil, false
}

// exemplified reports whether an author wrote an example somewhere inside a schema.
func exemplified(s *openapi3.Schema, depth int) bool {
	if s == nil || depth > maxDepth/2 {
		return false
	}
	if s.Example != nil || len(s.Examples) > 0 {
		return true
	}
	flat := flatten(s, 0, 0)
	for _, ref := range flat.Properties {
		if ref != nil && exemplified(ref.Value, depth+1) {
			return true
		}
	}
	return flat.Items != nil && exemplified(flat.Items.Value, depth+1)
}

// fill adds to a decoded answer what it lacks, and names what it added.
func (g *gain) fill(value any, path string) (names []string) {
	if g == nil {
		return nil
	}
	switch value := value.(type) {
	case map[string]any:
		for name, filling := range g.fields {
			if _, there := value[name]; !there {
				value[name] = filling
				names = append(names, path+name)
			}
		}
		for name, inner := range g.inner {
			names = append(names, inner.fill(value[name], path+name+".")...)
		}
	case []any:
		for _, item := range value {
			names = append(names, g.items.fill(item, path)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
