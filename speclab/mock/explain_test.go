package mock_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const (
	missing = "M_MISSING_PARAM"
	badJSON = "M_BAD_JSON"
	invalid = "M_INVALID_PARAM"
)

// reasons are keywords, a body that each refuses, and what the refusal says: the innermost field, the reason, and the
// place, where the spec has this text.
var reasons = []struct{ schema, body, code, text, at string }{
	{`{properties: {o: {properties: {a: {}}, unevaluatedProperties: false}}}`, `{"o":{"a":1,"z":1}}`, invalid,
		"Bad value of parameter: o.z: there is no such field (unevaluatedProperties)", "unevaluatedProperties:"},
	{`{properties: {a: {}}, unevaluatedProperties: false}`, `{"a":1,"z":1}`, invalid,
		"Bad value of parameter: z: there is no such field (unevaluatedProperties)", "unevaluatedProperties:"},
	{`{properties: {a: {}}, unevaluatedProperties: {type: string}}`, `{"a":1,"z":1}`, badJSON,
		"Wrong type of parameter: z; it must be of type string", "type: string"},
	{`{properties: {o: {properties: {a: {}}, additionalProperties: false}}}`, `{"o":{"a":1,"z":1}}`, invalid,
		"Bad value of parameter: o.z: there is no such field (additionalProperties)", "additionalProperties:"},
	{`{additionalProperties: {type: string}}`, `{"z":1}`, badJSON,
		"Wrong type of parameter: z; it must be of type string", "type: string"},
	{`{if: {properties: {t: {const: x}}, required: [t]}, then: {required: [u]}}`, `{"t":"x"}`, missing,
		"Missing parameter: u, since `if` fits", "required: [u]"},
	{`{properties: {o: {if: {required: [t]}, then: {properties: {u: {type: string}}}}}}`, `{"o":{"t":"x","u":1}}`,
		badJSON, "Wrong type of parameter: o.u; it must be of type string, since `if` fits", "type: string"},
	{`{if: {required: [t]}, else: {required: [u]}}`, `{}`, missing,
		"Missing parameter: u, since `if` does not fit", "required: [u]"},
	{`{properties: {l: {prefixItems: [{type: string}, {type: integer}]}}}`, `{"l":["a","b"]}`, badJSON,
		"Wrong type of parameter: l.1; it must be of type integer", "type: integer"},
	{`{properties: {l: {prefixItems: [{type: object, required: [k]}]}}}`, `{"l":[{}]}`, missing,
		"Missing parameter: l.0.k", "required: [k]"},
	{`{properties: {l: {prefixItems: [{}], items: false}}}`, `{"l":["a","b"]}`, invalid,
		"Bad value of parameter: l.1: there are no more items (items)", "items: false"},
	{`{properties: {l: {prefixItems: [{}], unevaluatedItems: false}}}`, `{"l":["a","b"]}`, invalid,
		"Bad value of parameter: l.1: there are no more items (unevaluatedItems)", "unevaluatedItems:"},
	{`{properties: {l: {contains: {type: string}}}}`, `{"l":[1]}`, invalid,
		"Bad value of parameter: l: no item fits what `contains` says", "contains:"},
	{`{properties: {l: {contains: {type: string}, minContains: 2}}}`, `{"l":["a"]}`, invalid,
		"Bad value of parameter: l: minContains 2", "minContains:"},
	{`{properties: {l: {contains: {type: string}, maxContains: 1}}}`, `{"l":["a","b"]}`, invalid,
		"Bad value of parameter: l: maxContains 1", "maxContains:"},
	{`{dependentRequired: {a: [b, c]}}`, `{"a":1,"b":2}`, missing,
		"Missing parameter: c, since a is there", "a: [b, c]"},
	{`{properties: {o: {dependentRequired: {a: [b]}}}}`, `{"o":{"a":1}}`, missing,
		"Missing parameter: o.b, since a is there", "a: [b]"},
	{`{dependentSchemas: {a: {required: [b]}}}`, `{"a":1}`, missing,
		"Missing parameter: b, since a is there", "required: [b]"},
	{`{properties: {o: {dependentSchemas: {a: {properties: {b: {type: string}}}}}}}`, `{"o":{"a":1,"b":1}}`, badJSON,
		"Wrong type of parameter: o.b; it must be of type string, since a is there", "type: string"},
	{`{not: {required: [a]}}`, `{"a":1}`, invalid,
		"Bad value of the body: it must not fit what `not` says: {\"required\":[\"a\"]}", "not:"},
	{`{properties: {o: {not: {required: [a]}}}}`, `{"o":{"a":1}}`, invalid,
		"Bad value of parameter: o: it must not fit what `not` says: {\"required\":[\"a\"]}", "not:"},
	{`{properties: {o: {type: object, required: [a, b]}}}`, `{"o":{"a":1}}`, missing,
		"Missing parameter: o.b", "required: [a, b]"},
	{`{properties: {o: {type: object, required: [a]}, c: {const: 1}}}`, `{"o":{}}`, missing,
		"Missing parameter: o.a", "required: [a]"},
	{`{properties: {l: {type: array, items: {required: [a], properties: {a: {const: x}}}}}}`, `{"l":[{"a":"x"},{}]}`,
		missing, "Missing parameter: l.1.a", "required: [a]"},
	{`{patternProperties: {"^x": {type: string}}}`, `{"x1":1}`, badJSON,
		"Wrong type of parameter: x1; it must be of type string", "type: string"},
	{`{propertyNames: {maxLength: 2}}`, `{"long":1}`, invalid,
		"Bad value of parameter: long: its name does not fit: maxLength 2", "maxLength: 2"},
	{`{properties: {c: {const: x}}}`, `{"c":"y"}`, invalid, `Bad value of parameter: c: it must be "x"`, "const: x"},
	{`{properties: {c: {const: x}, n: {enum: [a, b]}}}`, `{"n":"s"}`, invalid,
		`Bad value of parameter: n: it must be one of "a", "b"`, "enum: [a, b]"},
	{`{properties: {c: {const: x}, n: {type: string, format: date}}}`, `{"n":"s"}`, invalid,
		"Bad value of parameter: n: format date", "format: date"},
	{`{properties: {n: {exclusiveMaximum: 2.5}}}`, `{"n":3}`, invalid,
		"Bad value of parameter: n: exclusiveMaximum 2.5", "exclusiveMaximum:"},
	{`{properties: {n: {type: string, pattern: "^a"}}}`, `{"n":"b"}`, invalid,
		"Bad value of parameter: n: pattern ^a", "pattern:"},
	{`{properties: {l: {uniqueItems: true}}}`, `{"l":[2,2]}`, invalid,
		"Bad value of parameter: l: items 0 and 1 are equal (uniqueItems)", "uniqueItems:"},
	{`{properties: {m: false}}`, `{"m":2}`, invalid, "Bad value of parameter: m: the spec allows no value here", "m: false"},
	{`{properties: {m: {readOnly: true}}}`, `{"m":2}`, invalid, "Bad value of parameter: m: readOnly", "schema:"},
	{`{properties: {m: {oneOf: [{type: string}, {type: object, required: [a]}]}}}`, `{"m":{}}`, missing,
		"Missing parameter: m.a", "required: [a]"},
	{`{properties: {m: {anyOf: [{required: [t, a], properties: {t: {const: x}}},
        {required: [t, b], properties: {t: {const: y}}}]}}}`, `{"m":{"t":"y","a":1}}`, missing,
		"Missing parameter: m.b", "required: [t, b]"},
	{`{properties: {m: {anyOf: [{type: string}, {type: boolean}]}}}`, `{"m":2}`, invalid,
		"Bad value of parameter: m: it fits none of the schemas of anyOf", "anyOf:"},
	{`{properties: {m: {oneOf: [{required: [b]}, {required: [a]}]}}}`, `{"m":{"a":1,"b":2}}`, invalid,
		"Bad value of parameter: m: it fits more than one schema of oneOf: number 1 and number 2", "oneOf:"},
	{`{properties: {m: {allOf: [{$ref: "#/components/schemas/R"}]}}}`, `{"m":{}}`, missing,
		"Missing parameter: m.r", "required: [r]"},
	{`{type: array}`, `{}`, badJSON, "The body must be of type array", "type: array"},
	{`{minProperties: 2}`, `{"a":1}`, invalid, "Bad value of the body: minProperties 2", "minProperties: 2"},
}

var placeOf = regexp.MustCompile(`^(.*) \(k\.yaml:(\d+):(\d+)\)$`)

// TestReasons: a refusal names the innermost field, the reason, and where the spec says so.
func TestReasons(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths:\n")
	for i, r := range reasons {
		fmt.Fprintf(&text, `  /k%d:
    post:
      operationId: k%d
      requestBody: {required: true, content: {application/json: {schema: %s}}}
      responses: {"204": {description: done}}
`, i, i, r.schema)
	}
	text.WriteString("components: {schemas: {R: {type: object, required: [r]}}}\n")
	lines := strings.Split(text.String(), "\n")
	b := newBench(t, "k.yaml", text.String())
	for i, r := range reasons {
		a := b.ask("POST", fmt.Sprintf("/k%d", i), "", r.body)
		said, _ := a.JSON["error"].(string)
		place := placeOf.FindStringSubmatch(said)
		if a.Status != 400 || a.JSON["errcode"] != r.code || place == nil || place[1] != r.text {
			t.Errorf("%s refuses %s with %d %s, want %s %s", r.schema, r.body, a.Status, a.Raw, r.code, r.text)
			continue
		}
		line, _ := strconv.Atoi(place[2])
		column, _ := strconv.Atoi(place[3])
		if at := lines[line-1][column-1:]; !strings.HasPrefix(at, r.at) {
			t.Errorf("%s refuses %s at %q, want %q", r.schema, r.body, at, r.at)
		}
	}
}

// TestReasonsOfParameters: a parameter that does not fit is refused with the same reasons.
func TestReasonsOfParameters(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ parameter, query, text string }{
		{`name: q, in: query, schema: {const: x}`, "?q=y", `q: it must be "x"`},
		{`name: q, in: query, schema: {type: integer}`, "?q=y", "q: it must be of type integer"},
		{`name: q, in: query, schema: {$ref: "#/components/schemas/R"}`, "?q=long", "q: maxLength 2"},
		{`name: q, in: query, style: deepObject, schema: {type: object, required: [a], properties: {b: {type: string}}}`,
			"?q[b]=c", "q.a: it is missing"},
	} {
		b := newBench(t, "k.yaml", `openapi: 3.1.0
info: {title: x, version: '1'}
paths:
  /k:
    get:
      operationId: k
      parameters: [{`+test.parameter+`}]
      responses: {"204": {description: done}}
components: {schemas: {R: {type: string, maxLength: 2}}}
`)
		b.refused(b.ask("GET", "/k"+test.query, "", ""), 400, invalid,
			"Bad value of parameter: "+test.text+" (k.yaml:7:")
	}
}

// TestUncheckedParameter: what cannot be checked passes.
func TestUncheckedParameter(t *testing.T) {
	t.Parallel()
	b := newBench(t, "k.yaml", `openapi: 3.1.0
info: {title: x, version: '1'}
paths:
  /k:
    get:
      operationId: k
      parameters: [{name: q, in: query, schema: {type: string, not: {const: y}}}]
      responses: {"204": {description: done}}
`)
	b.want(b.ask("GET", "/k?q=x", "", ""), 204, "spec")
}
