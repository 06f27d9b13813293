package impact

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nestedAllOf are schemas with keywords that depend on their siblings, and the same with an allOf inside an allOf.
// JSON Schema 2020-12: unevaluatedProperties and unevaluatedItems go by the siblings and by what is in their allOf
// (Core, sections 11.2 and 11.3), additionalProperties and items by the siblings alone (sections 10.3.2.3, 10.3.1.2).
var nestedAllOf = []struct{ name, plain, nested string }{
	{"the fields that others leave", `{"required": ["a", "b"], "unevaluatedProperties": {"type": "object"}}`,
		`{"allOf": [{}, {"allOf": [{"required": ["a", "b"]}], "unevaluatedProperties": {"type": "object"}}]}`},
	{"the fields that named ones leave", `{"properties": {"a": {"type": "string"}}, "unevaluatedProperties": false}`,
		`{"allOf": [{}, {"allOf": [{"properties": {"a": {"type": "string"}}}], "unevaluatedProperties": false}]}`},
	{"the elements that others leave", `{"prefixItems": [{"type": "string"}], "unevaluatedItems": false}`,
		`{"allOf": [{}, {"allOf": [{"prefixItems": [{"type": "string"}]}], "unevaluatedItems": false}]}`},
	{"a field that two parts have", `{"properties": {"a": {"minProperties": 1, "unevaluatedProperties": false}}}`,
		`{"properties": {"a": {}}, "allOf": [{"properties": {"a":
			{"allOf": [{"minProperties": 1}], "unevaluatedProperties": false}}}]}`},
	{"beside a sibling that asks", `{"type": "object",
		"allOf": [{"properties": {"a": {}}, "unevaluatedProperties": false}]}`,
		`{"type": "object", "allOf": [{}, {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": false}]}`},
	{"two deep", `{"properties": {"a": {}}, "unevaluatedProperties": false}`,
		`{"allOf": [{}, {"allOf": [{}, {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": false}]}]}`},
	{"an anyOf of one", `{"properties": {"a": {}}, "unevaluatedProperties": false}`,
		`{"allOf": [{}, {"anyOf": [{"properties": {"a": {}}}], "unevaluatedProperties": false}]}`},
	{"additionalProperties", `{"required": ["a"], "properties": {"a": {}}, "additionalProperties": false}`,
		`{"allOf": [{}, {"allOf": [{"required": ["a"]}], "properties": {"a": {}}, "additionalProperties": false}]}`},
	{"items", `{"minItems": 1, "prefixItems": [{"type": "string"}], "items": {"type": "object"}}`,
		`{"allOf": [{}, {"allOf": [{"minItems": 1}], "prefixItems": [{"type": "string"}],
			"items": {"type": "object"}}]}`},
	{"any other fields", `{"additionalProperties": {}}`,
		`{"additionalProperties": {"allOf": [{}, {}]}, "allOf": [{"additionalProperties": {}}]}`},
	{"a pattern that two parts have", `{"patternProperties": {"^x": {"type": "string", "minLength": 1}}}`,
		`{"patternProperties": {"^x": {"type": "string"}}, "allOf": [{"patternProperties": {"^x": {"minLength": 1}}}]}`},
	{"true", `{"properties": {"a": {}}}`, `{"properties": {"a": {"anyOf": [true]}}}`},
}

// TestNestedAllOfIsEqual: an allOf inside an allOf is the same, and it is the same change where it is new.
func TestNestedAllOfIsEqual(t *testing.T) {
	t.Parallel()
	for _, test := range nestedAllOf {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			empty, plain, nested := specWith(t, `{}`), specWith(t, test.plain), specWith(t, test.nested)
			if all := what(changesOf(t, plain, nested)); len(all) > 0 {
				t.Errorf("this is equal: %q", all)
			}
			want, got := what(changesOf(t, empty, plain)), what(changesOf(t, empty, nested))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("nested, it is another change (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNestedAllOfDiffers: what a keyword goes by does not follow it into an allOf, nor out of it.
func TestNestedAllOfDiffers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, plain, nested string }{
		{"unevaluatedProperties", `{"properties": {"a": {}}, "unevaluatedProperties": false}`,
			`{"properties": {"a": {}}, "allOf": [{"unevaluatedProperties": false}]}`},
		{"unevaluatedItems", `{"prefixItems": [{}], "unevaluatedItems": false}`,
			`{"allOf": [{"prefixItems": [{}]}, {"unevaluatedItems": false}]}`},
		{"additionalProperties", `{"properties": {"a": {}}, "additionalProperties": false}`,
			`{"allOf": [{"properties": {"a": {}}}], "additionalProperties": false}`},
		{"items", `{"prefixItems": [{}], "items": false}`, `{"allOf": [{"prefixItems": [{}]}], "items": false}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			changes := changesOf(t, specWith(t, test.plain), specWith(t, test.nested))
			if !slices.ContainsFunc(changes, func(c Change) bool { return c.Severity != Harmless }) {
				t.Errorf("this is not equal: %+v", changes)
			}
		})
	}
}

// specWith is a spec with one body of that schema.
func specWith(t *testing.T, schema string) string {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal([]byte(schema), &value); err != nil {
		t.Fatal(err)
	}
	return textOf(t, specOf([]map[string]any{value}))
}
