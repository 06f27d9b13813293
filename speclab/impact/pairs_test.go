package impact

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawDivided draws the same schema divided into an allOf, here or further inside. Keywords that mean something only
// together stay together. Some parts become components.
func drawDivided(t *rapid.T, schema map[string]any, components map[string]any) map[string]any {
	divided := maps.Clone(schema)
	for _, key := range slices.Sorted(maps.Keys(divided)) {
		switch {
		case slices.Contains(innerSchemas, key):
			divided[key] = dividedValue(t, divided[key], components)
		case slices.Contains(namedSchemas, key):
			divided[key] = dividedNames(t, divided[key].(map[string]any), components)
		case slices.Contains(listedSchemas, key):
			list := slices.Clone(divided[key].([]any))
			for i := range list { // oasdiff takes a reference in a list for another schema than what it refers to
				list[i] = dividedValue(t, list[i], nil)
			}
			divided[key] = list
		}
	}
	if !rapid.Bool().Draw(t, "divide") {
		return divided
	}
	var parts []any
	for _, group := range [][]string{{"properties", "patternProperties", "additionalProperties"},
		{"if", "then", "else"}, {"items", "prefixItems"}, {"type", "enum"}, {"required"},
		{"minLength", "maximum", "pattern", "not"}, {"anyOf"}, {"oneOf"}} {
		part := make(map[string]any)
		for _, key := range group {
			if value, has := divided[key]; has {
				part[key] = value
			}
		}
		if len(part) == 0 || inTurn(divided, group[0]) || !rapid.Bool().Draw(t, "move") {
			continue
		}
		maps.DeleteFunc(divided, func(key string, _ any) bool { return part[key] != nil })
		parts = append(parts, drawPart(t, part, components))
	}
	if len(parts) > 0 {
		old, _ := divided["allOf"].([]any)
		divided["allOf"] = append(parts, old...)
	}
	if rapid.Bool().Draw(t, "wrap") { // a sibling that asks nothing evaluates nothing
		return map[string]any{"allOf": []any{map[string]any{}, divided}}
	}
	return divided
}

// inTurn reports whether a keyword is an anyOf or oneOf of one schema, beside other parts of the schema. It is not
// moved before them: the order of values that cannot be one is compared as it is written (see merging.both).
func inTurn(schema map[string]any, key string) bool {
	_, parts := member{value: schema}.parts()
	list, _ := schema[key].([]any)
	return (key == "anyOf" || key == "oneOf") && len(list) == 1 && len(parts) > 1
}

func drawPart(t *rapid.T, part, components map[string]any) any {
	switch form := rapid.IntRange(0, 3).Draw(t, "form"); {
	case form == 0 && components != nil:
		name := "C" + itoa(len(components))
		components[name] = part
		return map[string]any{"$ref": "#/components/schemas/" + name}
	case form == 1:
		return map[string]any{"allOf": []any{part}, "description": "a part"}
	case form == 2:
		if required, _ := part["required"].([]any); len(required) > 1 {
			return map[string]any{"allOf": []any{map[string]any{"required": required[:1]},
				map[string]any{"required": required}}}
		}
	}
	return part
}

func dividedValue(t *rapid.T, value any, components map[string]any) any {
	if schema, is := value.(map[string]any); is {
		return drawDivided(t, schema, components)
	}
	return value
}

func dividedNames(t *rapid.T, named, components map[string]any) map[string]any {
	divided := make(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		divided[name] = dividedValue(t, named[name], components)
	}
	return divided
}

// asWritten is what depends on how a schema is written: its value, and how oasdiff names one in a list.
var asWritten = regexp.MustCompile(
	"`[\\[{][^`]*`|`(true|false)`|\\(see there\\)|" +
		"(subschema #\\d+|#/components/schemas/\\w+)( -> #/components/schemas/\\w+)?")

// what is what a report says of a change, without its place.
func what(changes []Change) (all []string) {
	for _, c := range changes {
		text := asWritten.ReplaceAllString(c.Text, "a schema")
		all = append(all, c.ID+": "+text+" ("+string(c.Severity)+") in "+c.where())
	}
	slices.Sort(all)
	return all
}

// TestDividedIsEqual: a schema that is divided into an allOf is the same, and what changes inside of it is what would
// change without.
func TestDividedIsEqual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var before, divided, edited, editedDivided []map[string]any
		components := make(map[string]any)
		for range 2 {
			one := drawSchema(t, 2)
			edit := drawEdit(t, one)
			before, edited = append(before, one), append(edited, edit)
			divided = append(divided, drawDivided(t, one, components))
			editedDivided = append(editedDivided, drawDivided(t, edit, components))
		}
		text := func(schemas []map[string]any) string {
			tree := specOf(schemas)
			tree["components"] = map[string]any{"schemas": components}
			return textOf(t, tree)
		}
		was := loaded(t, "before.yaml", text(before))
		if all := what(changesFrom(t, was, text(divided))); len(all) > 0 {
			t.Fatalf("this is equal: %q\n%s\n%s", all, text(before), text(divided))
		}
		want := what(changesFrom(t, was, text(edited)))
		got := what(changesFrom(t, was, text(editedDivided)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("divided, the edits are others (-want +got):\n%s\n%s\n%s", diff, text(before), text(editedDivided))
		}
	})
}
