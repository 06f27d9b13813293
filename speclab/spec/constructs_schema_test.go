package spec

import (
	"encoding/json"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// schemaS is the component S as the document has it.
func schemaS(t *testing.T, a *API) string {
	t.Helper()
	text, err := json.Marshal(a.Doc.Components.Schemas["S"])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// accepts asks that S takes a value, or does not.
func accepts(yes bool, values ...any) func(*testing.T, *API) {
	return func(t *testing.T, a *API) {
		t.Helper()
		for _, v := range values {
			if err := a.Doc.ValidateSchemaJSON(a.Doc.Components.Schemas["S"].Value, v,
				openapi3.EnableJSONSchema2020()); (err == nil) != yes {
				t.Errorf("S accepts %v: %v, want %v (%v)\n%s", v, err == nil, yes, err, schemaS(t, a))
			}
		}
	}
}

func both(checks ...func(*testing.T, *API)) func(*testing.T, *API) {
	return func(t *testing.T, a *API) {
		t.Helper()
		for _, check := range checks {
			check(t, a)
		}
	}
}

type object = map[string]any

func schemaConstructs() []construct {
	var all []construct
	for _, c := range []struct {
		name, version, schema string
		want                  func(*testing.T, *API)
	}{
		{"two types", "3.1.0", "type: [object, string]\nproperties: {a: {type: string}}", both(accepts(true, "x", object{"a": "b"}), accepts(false, 1.0, object{"a": 1.0}))},
		{"types with null", "3.1.0", "type: [string, 'null']", both(accepts(true, "x", nil), accepts(false, 1.0))},
		{"four types", "3.1.0", "type: [string, integer, boolean, 'null']", both(accepts(true, "x", nil, true, 1.0), accepts(false, []any{}))},
		{"integer or number", "3.1.0", "type: [integer, number]", accepts(true, 1.5)},
		{"null alone", "3.1.0", "type: 'null'", both(accepts(true, nil), accepts(false, "x"))},
		{"null without quotes", "3.1.0", "type: [string, null]", accepts(true, nil, "x")},
		{"object or null", "3.1.0", "type: [object, 'null']\nproperties: {a: {type: string}}", accepts(true, nil, object{"a": "b"})},
		{"array or null", "3.1.0", "type: [array, 'null']\nitems: {type: string}", accepts(true, nil, []any{"b"})},
		{"array without items", "3.0.3", "type: array", accepts(true, []any{1.0, "x"})},
		{"tuple", "3.0.3", "type: array\nitems: [{type: string}, {type: integer}]", both(accepts(true, []any{"x", 1.0}), accepts(false, []any{1.0, "x"}))},
		{"prefixItems", "3.1.0", "type: array\nprefixItems: [{type: string}, {type: integer}]", accepts(false, []any{1.0, "x"})},
		{"array of arrays of two types", "3.1.0", "type: array\nitems: {type: array, items: {type: [string, integer]}}", accepts(true, []any{[]any{"x", 1.0}})},
		{"array of maps", "3.1.0", "type: array\nitems: {type: object, additionalProperties: {type: string}}", nil},
		{"nullable", "3.0.3", "type: string\nnullable: true", both(accepts(true, "x", nil), accepts(false, 1.0))},
		{"nullable enum", "3.0.3", "type: string\nnullable: true\nenum: [a, b]", both(accepts(true, "a", nil), accepts(false, "c"))},
		{"nullable reference", "3.0.3", "nullable: true\nallOf: [{$ref: '#/components/schemas/Text'}]", both(accepts(true, "a", nil), accepts(false, 1.0))},
		{"nullable beside a reference", "3.0.3", "$ref: '#/components/schemas/Text'\nnullable: true", accepts(true, "a", nil)},
		{"nullable without a type", "3.0.3", "nullable: true\nproperties: {a: {type: string}}", nil},
		{"exclusive flags", "3.0.3", "type: number\nminimum: 1\nexclusiveMinimum: true\nmaximum: 5\nexclusiveMaximum: false", both(accepts(true, 5.0, 2.0), accepts(false, 1.0))},
		{"exclusive numbers", "3.1.0", "type: number\nexclusiveMinimum: 1\nexclusiveMaximum: 5", both(accepts(true, 2.0), accepts(false, 1.0, 5.0))},
		{"const", "3.1.0", "const: m.login.token", both(accepts(true, "m.login.token"), accepts(false, "x"))},
		{"const of a type", "3.1.0", "type: string\nconst: m.login.token", accepts(false, "x")},
		{"const number", "3.1.0", "type: integer\nconst: 2", accepts(false, 1.0)},
		{"const object", "3.1.0", "type: object\nconst: {a: 1}", nil},
		{"if then else", "3.1.0", "type: object\nproperties: {a: {type: string}, b: {type: string}}\nif: {required: [a]}\nthen: {required: [b]}\nelse: {maxProperties: 0}",
			both(accepts(true, object{"a": "x", "b": "y"}, object{}),
				accepts(false, object{"a": "x"}, object{"b": "x"}))},
		{"patternProperties", "3.1.0", "type: object\npatternProperties:\n  '^@': {type: object, title: Joined Room, properties: {n: {type: integer}}}", both(accepts(true, object{"@a": object{"n": 1.0}}), accepts(false, object{"@a": 1.0}))},
		{"several patternProperties", "3.1.0", "type: object\npatternProperties: {'^a': {type: string}, '^b': {type: integer}}", accepts(false, object{"a": 1.0})},
		{"patternProperties of 2.0", "3.0.3", "type: object\nx-patternProperties: {a: b}\npatternProperties: {'.*': {type: string}}\nadditionalProperties: false", nil},
		{"propertyNames", "3.1.0", "type: object\npropertyNames: {pattern: '^a'}\nadditionalProperties: {type: integer}", accepts(false, object{"b": 1.0})},
		{"dependent", "3.1.0", "type: object\ndependentRequired: {a: [b]}\ndependentSchemas: {c: {required: [d]}}\nproperties: {a: {}, b: {}, c: {}, d: {}}", nil},
		{"additionalProperties true", "3.0.3", "type: object\nadditionalProperties: true\nproperties: {a: {type: string}}", nil},
		{"additionalProperties false", "3.0.3", "type: object\nadditionalProperties: false\nproperties: {a: {type: string}}", accepts(false, object{"b": 1.0})},
		{"additionalProperties schema", "3.0.3", "type: object\nadditionalProperties: {title: Thing, type: object, properties: {x: {type: string}}}\nproperties: {a: {type: string}}", nil},
		{"additionalProperties reference", "3.0.3", "type: object\nadditionalProperties: {$ref: '#/components/schemas/Other'}", nil},
		{"additionalProperties of any type", "3.1.0", "type: object\nadditionalProperties: {type: [string, object]}\nproperties: {additionalProperties: {type: string}}", nil},
		{"additionalProperties beside a property of its name", "3.1.0", "type: object\nadditionalProperties: {type: string}\nproperties: {additional_properties: {type: string}}", nil},
		{"allOf references", "3.0.3", "allOf:\n  - $ref: '#/components/schemas/Other'\n  - type: object\n    properties: {b: {type: integer}}\n    required: [b]", both(accepts(true, object{"o": "x", "b": 1.0}), accepts(false, object{"o": "x"}))},
		{"allOf beside properties", "3.0.3", "type: object\nproperties: {b: {type: integer}}\nallOf:\n  - $ref: '#/components/schemas/Other'", accepts(false, object{"b": "x"})},
		{"allOf with a description", "3.0.3", "description: d\nallOf:\n  - $ref: '#/components/schemas/Other'", nil},
		{"allOf with a default", "3.0.3", "default: x\nallOf:\n  - $ref: '#/components/schemas/Text'\n  - description: more", nil},
		{"allOf of two types", "3.1.0", "allOf: [{type: string}, {type: integer}]", accepts(false, "x")},
		{"allOf of two formats", "3.1.0", "allOf: [{type: string, format: uri}, {type: string, maxLength: 3}]", nil},
		{"allOf of allOf", "3.0.3", "allOf:\n  - allOf: [{$ref: '#/components/schemas/Other'}]\n  - {type: object, additionalProperties: {type: string}}\n  - {type: object, additionalProperties: true}", nil},
		{"allOf with an enum", "3.0.3", "type: object\nproperties:\n  a: {allOf: [{type: string, enum: [a, b]}, {description: d}]}", nil},
		{"oneOf references", "3.0.3", "oneOf: [{$ref: '#/components/schemas/Other'}, {$ref: '#/components/schemas/Text'}]", accepts(true, object{}, "x")},
		{"oneOf inline", "3.0.3", "oneOf: [{type: string}, {type: object, properties: {a: {type: string}}}, {type: array, items: {type: string}}]", accepts(false, 1.0)},
		{"oneOf with titles", "3.0.3", "oneOf: [{type: object, title: One Thing, properties: {a: {type: string}}}, {type: object, title: One Thing, properties: {b: {type: string}}}]", nil},
		{"oneOf beside properties", "3.0.3", "type: object\nproperties: {a: {type: string}}\noneOf: [{required: [a]}, {required: [b]}]", nil},
		{"oneOf two types", "3.1.0", "oneOf: [{type: [string, integer]}, {type: object}]", nil},
		{"oneOf same reference twice", "3.1.0", "anyOf: [{$ref: '#/components/schemas/Other'}, {$ref: '#/components/schemas/Other'}]", nil},
		{"anyOf with null", "3.1.0", "anyOf: [{$ref: '#/components/schemas/Other'}, {type: 'null'}]", accepts(true, nil, object{})},
		{"anyOf in an array", "3.0.3", "type: array\nitems: {anyOf: [{type: string}, {type: integer}]}", nil},
		{"anyOf in a map", "3.0.3", "type: object\nadditionalProperties: {oneOf: [{type: string}, {type: integer}]}", nil},
		{"empty allOf", "3.0.3", "allOf: []", nil},
		{"not", "3.0.3", "type: object\nnot: {required: [a]}", accepts(false, object{"a": 1.0})},
		{"discriminator", "3.0.3", "oneOf: [{$ref: '#/components/schemas/Other'}, {$ref: '#/components/schemas/Holder'}]\ndiscriminator: {propertyName: o, mapping: {x: '#/components/schemas/Other', y: Holder}}", nil},
		{"discriminator of names", "3.0.3", "oneOf: [{$ref: '#/components/schemas/Other'}, {$ref: '#/components/schemas/Holder'}]\ndiscriminator: {propertyName: o}", nil},
		{"discriminator alone", "3.0.3", "type: object\nproperties: {kind: {type: string}}\ndiscriminator: {propertyName: kind}", nil},
		{"extensions", "3.1.0", "type: object\nx-addedInMatrixVersion: '1.7'\nproperties: {x-a: {type: string}, a: {type: string, x-weird: {b: [1]}}}", nil},
		{"recursion", "3.0.3", "type: object\nproperties:\n  child: {$ref: '#/components/schemas/S'}\n  children: {type: array, items: {$ref: '#/components/schemas/S'}}", nil},
		{"required recursion", "3.0.3", "type: object\nrequired: [child]\nproperties: {child: {type: object, required: [deep], properties: {deep: {$ref: '#/components/schemas/S'}}}}", nil},
		{"recursive array", "3.0.3", "type: array\nitems: {$ref: '#/components/schemas/S'}", nil},
		{"recursive map", "3.0.3", "type: object\nadditionalProperties: {$ref: '#/components/schemas/S'}", nil},
		{"recursive union", "3.0.3", "oneOf: [{type: string}, {type: array, items: {$ref: '#/components/schemas/S'}}]", nil},
		{"enum with null", "3.1.0", "type: [string, 'null']\nenum: [a, null]", accepts(true, "a", nil)},
		{"enum of several types", "3.1.0", "enum: [a, 1, true, null]", accepts(true, "a", 1.0, true, nil)},
		{"enum of numbers as texts", "3.0.3", "type: string\nenum: [1, 2, yes, no, true]", both(accepts(true, "1", "true"), accepts(false, "3"))},
		{"enum of one value twice", "3.0.3", "type: string\nenum: [a, a, b]", nil},
		{"enum of names that collide", "3.0.3", "type: string\nenum: [foo_bar, fooBar, 'foo bar', '', '1', '-1', 'm.foo', '<', '>', type]", nil},
		{"enum of numbers", "3.0.3", "type: integer\nenum: [0, -1, 1]", nil},
		{"enum of fractions", "3.0.3", "type: number\nenum: [0.5, 1.5]", nil},
		{"enum of booleans", "3.0.3", "type: boolean\nenum: [true]", nil},
		{"enum in an array", "3.0.3", "type: array\nitems: {type: string, enum: [a, b]}", nil},
		{"enum that is empty", "3.0.3", "type: string\nenum: []", accepts(true, "x")},
		{"enum with quotes", "3.0.3", "type: string\nenum: ['a\"b', 'c`d', \"e\\nf\"]", nil},
		{"enum of objects", "3.1.0", "enum: [{a: 1}, [1]]", nil},
		{"keywords of Go", "3.0.3", "type: object\nproperties: {type: {type: string}, func: {type: string}, interface: {type: string}, range: {type: string}, error: {type: string}, string: {type: integer}, nil: {type: string}}", nil},
		{"odd names", "3.0.3", "type: object\nproperties: {'1st': {type: string}, '.dot': {type: string}, 'm.foo': {type: string}, '$dollar': {type: string}, '@at': {type: string}, 'a b': {type: string}, '-': {type: string}, '_': {type: string}, '日本': {type: string}, 'ed25519:KEY': {type: string}}", nil},
		{"names that collide", "3.0.3", "type: object\nproperties: {foo_bar: {type: string}, fooBar: {type: integer}, 'foo.bar': {$ref: '#/components/schemas/Other'}, FOOBAR: {type: string}, user_id: {type: string}, userId: {type: string}}", nil},
		{"property that is named $ref", "3.0.3", "type: object\nproperties: {$ref: {type: string}, a: {type: string}}", accepts(false, object{"$ref": 1.0})},
		{"number formats", "3.0.3", "type: object\nproperties: {a: {type: integer, format: int64}, b: {type: number, format: float}, c: {type: integer, format: mx-ms}, d: {type: number, format: int32}, e: {type: boolean, format: flag}, f: {type: integer, format: byte}, g: {type: integer, format: int53}}", nil},
		{"text formats", "3.0.3", "type: object\nproperties: {a: {type: string, format: uri}, b: {type: string, format: byte}, c: {type: string, format: mx-user-id}, d: {type: string, format: date-time}, e: {type: string, format: uuid}, f: {type: string, format: binary}, g: {type: string, format: email}, h: {type: string, format: date}, i: {type: string, format: json}, j: {type: string, format: int64}}", nil},
		{"required flag", "3.0.3", "type: object\nproperties: {a: {type: string, required: true}}", nil},
		{"required of nothing", "3.0.3", "type: object\nrequired: []\nproperties: {a: {type: string}}", nil},
		{"required names twice and unknown", "3.0.3", "type: object\nrequired: [a, a, b]\nproperties: {a: {type: string}}", nil},
		{"required text", "3.0.3", "type: object\nrequired: a\nproperties: {a: {type: string}}", accepts(false, object{})},
		{"looking ahead", "3.0.3", "type: string\npattern: '^(?!a)'", accepts(true, "a")},
		{"texts that are long", "3.0.3", "type: object\ntitle: |-\n  a title\n  of two lines\nproperties:\n  a:\n    type: string\n    title: \"x\\ny\"\n    description: \"ends */ here `tick`\\n\\n* a\\ttab\\r\\nfunc main() {\\u2028next\"\n  b:\n    deprecated: true\n    description: \"a\\n\\nb\"\n    type: string", nil},
		{"boolean schemas", "3.1.0", "type: object\nproperties: {a: true, b: false}", accepts(false, object{"b": 1.0})},
		{"empty schema", "3.1.0", "{}", accepts(true, 1.0)},
		{"any", "3.0.3", "description: anything", accepts(true, 1.0, "x")},
		{"defaults", "3.0.3", "type: object\nproperties: {a: {type: string, default: x}, b: {type: integer, default: x}, c: {type: object, default: {}}, d: {type: boolean, default: null}}", nil},
		{"examples in texts", "3.0.3", "type: object\nexample: |-\n  {\"a\": 1}\nproperties: {a: {type: integer, example: '1'}}", func(t *testing.T, a *API) {
			if example, ok := a.Doc.Components.Schemas["S"].Value.Example.(map[string]any); !ok || example["a"] == nil {
				t.Errorf("the example is %#v", a.Doc.Components.Schemas["S"].Value.Example)
			}
		}},
		{"annotations beside a reference", "3.0.3", "$ref: '#/components/schemas/Other'\ndescription: more\ntype: string", accepts(true, object{})},
		{"keywords beside a reference", "3.1.0", "$ref: '#/components/schemas/Other'\nrequired: [o]\ndescription: more", accepts(false, object{})},
		{"wrong keywords beside a reference", "3.1.0", "$ref: '#/components/schemas/Other'\ntype: string", nil},
		{"read and write only", "3.0.3", "type: object\nproperties: {a: {type: string, readOnly: true}, b: {allOf: [{$ref: '#/components/schemas/Text'}], writeOnly: true}}", nil},
		{"title as a type", "3.0.3", "type: object\ntitle: Server Interface\nproperties: {a: {type: object, title: PostA, properties: {b: {type: string}}}}", nil},
		{"$defs", "3.1.0", "type: object\n$defs: {x: {type: string}}\nproperties: {a: {type: string}}", nil},
		{"numbers as texts", "3.0.3", "type: object\nmaxProperties: '5'\nproperties: {a: {type: string, minLength: 1.0, deprecated: 'true'}}", nil},
		{"types of other languages", "3.0.3", "type: object\nproperties: {a: {type: file}, b: {type: dict}, c: {type: any}, d: {type: list}}", nil},
		{"unevaluated", "3.1.0", "type: object\nunevaluatedProperties: false\nproperties: {a: {type: string}}", accepts(false, object{"b": 1.0})},
		{"contains", "3.1.0", "type: array\ncontains: {type: string}\nminContains: 1", nil},
		{"content of a text", "3.1.0", "type: string\ncontentMediaType: application/json\ncontentEncoding: base64\ncontentSchema: {type: object}", nil},
		{"xml and documentation", "3.0.3", "type: object\nxml: {name: x}\nexternalDocs: {url: 'https://example.org'}\nproperties: {a: {type: string, xml: {attribute: true}}}", nil},
		{"types by their properties alone", "3.0.3", "properties: {a: {type: string}}", nil},
		{"items alone", "3.0.3", "items: {type: string}", nil},
	} {
		all = append(all, construct{name: "schema: " + c.name, spec: withSchema(c.version, c.schema), want: c.want})
	}
	return all
}
