package spec

import (
	"slices"
	"strings"
	"testing"
)

// TestHabitsOfTheWorld: what published specs of others do is read, and what is left out of it is reported. See
// docs/specs-tried.md.
func TestHabitsOfTheWorld(t *testing.T) {
	t.Parallel()
	const info = "info: {title: t, version: '1'}\n"
	const answers = "{responses: {200: {description: ok}}}"
	for _, test := range []struct{ name, spec, gap, want string }{
		{"OpenAPI 3.2", "openapi: 3.2.0\n" + info + "paths: {/a: {get: " + answers + ", query: " + answers + "}}\n",
			"spec.yaml:1:1: openapi: 3.2.0 is read as 3.1, and what 3.2 added to it is left out", `"/a":{"get"`},
		{"a field that an operation does not have", "openapi: 3.1.0\n" + info +
			"paths: {/a: {get: {produces: [a/b], responses: {200: {description: ok}}}}}\n",
			`"produces" is no field of an operation and is left out`, `"/a":{"get"`},
		{"a code point in a pattern", "openapi: 3.1.0\n" + info +
			`components: {schemas: {A: {type: string, pattern: '^[\u0080-\u024F]+$'}}}` + "\n",
			"", `"pattern":"^[\\u0080-\\u024F]+$"`},
		{"a description in another file", "-- spec.yaml --\nopenapi: 3.0.3\n" +
			"info: {title: t, version: '1', description: {$ref: 'words.yaml#/intro'}}\n-- words.yaml --\nintro: Hello.\n",
			"", `"description":"Hello."`},
		{"a description in a file that is not there", "openapi: 3.0.3\n" +
			"info: {title: t, version: '1', description: {$ref: 'words.yaml#/intro'}}\npaths: {/a: {get: " + answers + "}}\n",
			"spec.yaml:2:46: the file of the reference \"words.yaml#/intro\" is not there", `"/a":{"get"`},
		{"a license with two addresses", "openapi: 3.1.0\n" +
			"info: {title: t, version: '1', license: {name: MIT, url: 'https://example.org', identifier: MIT}}\n",
			"spec.yaml:2:81: a license has an identifier or a url, not both: the identifier is left out",
			`"url":"https://example.org"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			api, err := Load(folder(test.spec), "spec.yaml")
			if err != nil {
				t.Fatal(err)
			}
			text, err := api.Doc.MarshalJSON()
			if err != nil || !strings.Contains(string(text), test.want) {
				t.Errorf("the document is %s, %v; want %s in it", text, err, test.want)
			}
			told := slices.ContainsFunc(api.Gaps, func(p Problem) bool {
				return strings.Contains(p.Error(), test.gap) && p.Fix != ""
			})
			if told != (test.gap != "") {
				t.Errorf("the gaps are %v, want %q", api.Gaps, test.gap)
			}
		})
	}
}

// worldConstructs are what specs of others hold that the generator makes no Go of.
func worldConstructs() []construct {
	const head = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n"
	schema := func(text string) string { return withSchema("3.0.3", text) }
	return []construct{
		{name: "world: two names of a digit", spec: schema("type: object\nproperties: {'-1': {type: integer}, " +
			"'+1': {type: integer}, '1': {type: integer}}")},
		{name: "world: both unions", spec: schema("oneOf: [{type: string}, {type: integer}]\n" +
			"anyOf: [{type: object, properties: {a: {type: string}}}, {type: array, items: {type: string}}]")},
		{name: "world: a list of constants in a union", spec: schema("type: object\nproperties:\n" +
			"  meta: {oneOf: [{type: string}, {type: array, items: {type: string, enum: [a, b]}}]}")},
		{name: "world: a schema whose name begins with a digit", spec: head + `
paths: {/a: {get: {responses: {'200': {description: ok, content: {application/json: {schema:
  {$ref: '#/components/schemas/3ds'}}}}}}}}
components: {schemas: {3ds: {type: object, properties: {value: {oneOf: [{type: string}, {type: integer}]}}}}}
`},
		{name: "world: a reference to a member of a union", spec: head + `
paths: {/a: {get: {responses: {'200': {description: ok, content: {application/json: {schema:
  {$ref: '#/components/schemas/S/oneOf/1'}}}}}}}}
components: {schemas: {S: {oneOf: [{type: string}, {type: object, properties: {v: {oneOf: [{type: string},
  {type: integer}]}}}]}}}
`},
		{name: "world: constants in an answer of XML", spec: head + `
paths: {/a: {get: {operationId: getA, responses: {'200': {description: ok, content: {
  application/json: {schema: {type: object, properties: {s: {type: string, enum: [x, y]}}}},
  application/xml: {schema: {type: object, properties: {s: {type: string, enum: [x, y]}}}}}}}},
  post: {operationId: postA, responses: {'200': {description: ok, content: {application/xml: {schema: {type: array,
  items: {allOf: [{$ref: '#/components/schemas/S'}, {type: object, properties: {t: {type: string}}}]}}}}}}}}}
components: {schemas: {S: {type: object, properties: {s: {type: string, enum: [x, y]}}}}}
`},
		{name: "world: constants and a union in an answer of many", spec: head + `
paths: {/a: {get: {operationId: getA, responses: {'200': {$ref: '#/components/responses/Good'}}}}}
components: {responses: {Good: {description: ok, content: {application/json: {schema: {type: object, properties: {
  s: {type: string, enum: [x, y]}, f: {type: object, properties: {t: {type: string, enum: [x, y]}}},
  rows: {type: array, items: {type: object, additionalProperties: {oneOf: [{type: string}, {type: integer}]}}}}}}}}}}
`},
		{name: "world: a constant with the name of an operation's type", spec: head + `
paths: {/a: {post: {operationId: createA, responses: {'200': {description: ok, content: {application/json: {schema:
  {$ref: '#/components/schemas/CreateAResponse'}}}}}}}}
components: {schemas: {CreateAResponse: {type: object, properties: {object: {type: string, enum: [a.b]}}}}}
`},
	}
}
