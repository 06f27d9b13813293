package mock

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// addition is a field that the edited spec adds to an answer of the real handler, and what it is filled with.
type addition struct {
	path  []string // names of fields from the top of the answer; "" is each item of a list
	value any
}

// additions are those of an operation, by status as the spec writes it.
type additions map[string][]addition

// of gives the additions to an answer with a status.
func (a additions) of(status int) []addition {
	for _, key := range statusKeys(strconv.Itoa(status)) {
		if found, documented := a[key]; documented {
			return found
		}
	}
	return nil
}

// additionsOf compares the JSON answers of an operation. A status without additions has an empty entry, so that those
// of the default are not taken for it.
func (k keywords) additionsOf(edited, contract *openapi3.Operation) additions {
	all := make(additions)
	if edited.Responses == nil {
		return all
	}
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
		if example, found := exampleOf(media, ""); found {
			examples = append(examples, tidy(example))
		}
		all[code] = k.compareSchemas(media.Schema.Value, was.Schema.Value, examples, nil)
	}
	return all
}

// compareSchemas finds the fields that the edited schema has and the contract's has not. Both are those of the part of
// the answer at the path. The examples are what the enclosing parts of the edited spec give for that part.
func (k keywords) compareSchemas(edited, contract *openapi3.Schema, examples []any, path []string) (all []addition) {
	if edited == nil || contract == nil || edited == contract || len(path) > maxDepth {
		return nil
	}
	now, was := flatten(edited, 0, 0), flatten(contract, 0, 0)
	for _, written := range append([]any{now.Example}, now.Examples...) {
		if written != nil {
			examples = append(examples[:len(examples):len(examples)], tidy(written))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now.Properties)) {
		field, before := now.Properties[name], was.Properties[name]
		if field == nil || field.Value == nil {
			continue
		}
		at, inside := append(slices.Clone(path), name), partsOf(examples, name)
		switch {
		case before == nil:
			if value, found := k.filling(field.Value, inside, slices.Contains(now.Required, name)); found {
				all = append(all, addition{at, value})
			}
		case before.Value != nil:
			all = append(all, k.compareSchemas(field.Value, before.Value, inside, at)...)
		}
	}
	if now.Items != nil && was.Items != nil {
		all = append(all, k.compareSchemas(now.Items.Value, was.Items.Value, partsOf(examples, ""),
			append(slices.Clone(path), ""))...)
	}
	return all
}

// partsOf takes a field of each example, or the first item of those that are lists.
func partsOf(examples []any, name string) []any {
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
func (k keywords) filling(s *openapi3.Schema, examples []any, required bool) (any, bool) {
	m := k.newMaker()
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

// fill adds to a decoded answer what it lacks, and gives the names of the fields that it added.
func fill(answer any, all []addition) (names []string) {
	for _, one := range all {
		if one.fill(answer, one.path) {
			names = append(names, strings.Join(slices.DeleteFunc(slices.Clone(one.path), isItem), "."))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func isItem(name string) bool { return name == "" }

// fill adds the field to the part that the path leads to from here, and reports whether it was not there.
func (a addition) fill(part any, path []string) (added bool) {
	name, rest := path[0], path[1:]
	switch part := part.(type) {
	case map[string]any:
		value, there := part[name]
		switch {
		case len(rest) > 0:
			return a.fill(value, rest)
		case !there:
			part[name] = a.value
			return true
		}
	case []any:
		for _, item := range part {
			if isItem(name) && a.fill(item, rest) {
				added = true
			}
		}
	}
	return added
}
