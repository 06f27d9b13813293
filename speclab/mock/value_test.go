package mock

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"

	"postern/speclab/spec"
)

// schemaOf reads a schema as a spec would have it.
func schemaOf(t rapid.TB, text string) *openapi3.SchemaRef {
	t.Helper()
	document := "openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths: {}\ncomponents:\n  schemas:\n    It: " + text +
		"\n"
	doc, err := openapi3.NewLoader().LoadFromData([]byte(document))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return doc.Components.Schemas["It"]
}

// TestMade: what is made of a schema that has no example.
func TestMade(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ schema, want string }{
		{`{type: string}`, `"string"`},
		{`{type: string, example: x}`, `"x"`},
		{`{type: string, examples: [y, z]}`, `"y"`},
		{`{type: string, default: d}`, `"d"`},
		{`{type: string, example: 5}`, `"string"`},
		{`{type: string, enum: [a, b]}`, `"a"`},
		{`{const: c}`, `"c"`},
		{`{type: string, format: uri}`, `"https://example.org/"`},
		{`{type: string, format: date-time}`, `"2015-01-01T00:00:00Z"`},
		{`{type: string, format: byte}`, `"cG9zdGVybg=="`},
		{`{type: string, format: mx-user-id}`, `"@alice:example.org"`},
		{`{type: string, minLength: 8}`, `"stringxx"`},
		{`{type: string, maxLength: 2}`, `"st"`},
		{`{type: string, pattern: "^@"}`, `"@alice:example.org"`},
		{`{type: string, pattern: "^[A-Z]{3}-[0-9]+$"}`, `"AAA-0"`},
		{`{type: string, pattern: "^(?=lookahead)x"}`, `"string"`},
		{`{type: string, pattern: "^a+$", minLength: 4}`, `"aaaa"`},
		{`{type: integer}`, `1`},
		{`{type: integer, minimum: 5}`, `5`},
		{`{type: integer, exclusiveMinimum: 5}`, `6`},
		{`{type: integer, maximum: -2}`, `-2`},
		{`{type: integer, multipleOf: 7, minimum: 8}`, `14`},
		{`{type: number, exclusiveMinimum: 0, exclusiveMaximum: 1}`, `0.5`},
		{`{type: integer, format: int64, example: 1400000000000}`, `1400000000000`},
		{`{type: boolean}`, `true`},
		{`{type: "null"}`, `null`},
		{`{type: [string, "null"]}`, `"string"`},
		{`{type: [object, string]}`, `{}`},
		{`{type: array, items: {type: string}}`, `["string"]`},
		{`{type: array, items: {type: string}, minItems: 2, uniqueItems: true}`, `["string","string1"]`},
		{`{type: array, items: {type: integer}, maxItems: 0}`, `[]`},
		{`{type: array, items: {}}`, `[]`},
		{`{type: array, items: {}, minItems: 1}`, `[{}]`},
		{`{type: array, prefixItems: [{type: integer}, {type: string}]}`, `[1,"string"]`},
		{`{type: object, required: [a], properties: {a: {type: string}, b: {type: integer}}}`, `{"a":"string","b":1}`},
		{`{type: object, required: [free]}`, `{"free":"string"}`},
		{`{type: object, properties: {a: {type: string}, w: {type: string, writeOnly: true}}}`, `{"a":"string"}`},
		{`{type: object, required: [a, w], properties: {a: {type: string}, w: {type: string, writeOnly: true}}}`, `{"a":"string"}`},
		{`{type: object, additionalProperties: {type: integer}}`, `{"example":1}`},
		{`{type: object, patternProperties: {"^x-": {type: integer}}}`, `{"x-":1}`},
		{`{type: object, minProperties: 2}`, `{"example":"string","example1":"string"}`},
		{`{allOf: [{type: object, properties: {a: {type: string}}}, {required: [b], properties: {b: {type: integer}}}]}`, `{"a":"string","b":1}`},
		{`{allOf: [{type: integer, minimum: 3}, {minimum: 9}]}`, `9`},
		{`{oneOf: [{type: integer}, {type: string}]}`, `1`},
		// as deep as it may be, and no deeper
		{`{type: object, properties: {n: {$ref: "#/components/schemas/It"}}}`, ``},
		{`{oneOf: [{type: string, maxLength: 3}, {type: string, minLength: 4}, {type: integer}]}`, `"str"`},
		{`{oneOf: [{type: string}, {type: string}, {type: integer}]}`, `1`}, // the first two are never right alone
		{`{}`, `{}`},
	} {
		ref := schemaOf(t, test.schema)
		value := keywords(nil).makeValue(ref)
		raw, err := spec.JSON(value)
		if err != nil {
			t.Fatal(err)
		}
		if test.want != "" && string(raw) != test.want {
			t.Errorf("%s makes %s, want %s", test.schema, raw, test.want)
		}
		if !keywords(nil).newMaker().fits(ref.Value, value) {
			t.Errorf("%s makes %s, which does not fit", test.schema, raw)
		}
		if again, _ := spec.JSON(keywords(nil).makeValue(ref)); string(again) != string(raw) {
			t.Errorf("%s makes %s and then %s", test.schema, raw, again)
		}
	}
}

// TestSample: what a client may send has what is only for it, and not what only an answer has.
func TestSample(t *testing.T) {
	t.Parallel()
	ref := schemaOf(t, `{type: object, required: [a, r, w], properties: {a: {type: string},
      r: {type: string, readOnly: true}, w: {type: string, writeOnly: true}}}`)
	value := Sample(ref)
	if raw, err := spec.JSON(value); err != nil || string(raw) != `{"a":"string","w":"string"}` {
		t.Errorf("the sample is %s, %v", raw, err)
	}
	if err := keywords(nil).checker(ref.Value).visit(ref.Value, value, openapi3.VisitAsRequest()); err != nil {
		t.Errorf("it is refused: %v", err)
	}
}

// TestMadeOfAnySchema: whatever can be satisfied is.
func TestMadeOfAnySchema(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		schema := anySchema(3).Draw(t, "schema")
		raw, err := json.Marshal(schema)
		if err != nil {
			t.Fatal(err)
		}
		ref := schemaOf(t, string(raw))
		value := keywords(nil).makeValue(ref)
		if err := keywords(nil).checker(ref.Value).visit(ref.Value, value, openapi3.VisitAsResponse()); err != nil {
			out, _ := spec.JSON(value)
			t.Fatalf("%s makes %s: %v", raw, out, err)
		}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		value = keywords(nil).makeDynamic(ref, random)
		if err := keywords(nil).checker(ref.Value).visit(ref.Value, value, openapi3.VisitAsResponse()); err != nil {
			out, _ := spec.JSON(value)
			t.Fatalf("%s makes at random %s: %v", raw, out, err)
		}
	})
}

// TestDynamic: what is made at random fits, is another value again and again, and is not what the author wrote down.
func TestDynamic(t *testing.T) {
	t.Parallel()
	schemas := []string{
		`{type: string, example: x}`, `{type: string, default: x}`, `{type: string, maxLength: 2}`,
		`{type: string, minLength: 90}`, `{type: string, pattern: "^@[a-z]+$"}`,
		`{type: string, pattern: "^(ab|cd){2}$"}`, `{type: string, pattern: "^[^a]+$", maxLength: 3}`,
		`{type: string, enum: [a, b]}`, `{type: [string, "null"], enum: [a, null]}`, `{type: integer}`,
		`{type: integer, minimum: 5, maximum: 6}`, `{type: integer, exclusiveMinimum: -9, exclusiveMaximum: -6}`,
		`{type: integer, multipleOf: 7, minimum: 8}`, `{type: number, exclusiveMinimum: 0, exclusiveMaximum: 1}`,
		`{type: number, maximum: -1000000}`, `{type: number, multipleOf: 0.01}`, `{type: boolean}`,
		`{type: [integer, "null"], minimum: 1, maximum: 1}`, `{type: array, items: {type: boolean}}`,
		`{type: array, items: {type: string}, minItems: 3, uniqueItems: true}`,
		`{type: array, items: {type: integer}, maxItems: 1}`,
		`{type: array, prefixItems: [{type: integer}, {type: string}]}`,
		`{type: object, required: [a], properties: {a: {type: string, example: x}, b: {const: c}}}`,
		`{type: object, additionalProperties: {type: integer}}`, `{oneOf: [{type: integer}, {type: string}]}`,
		`{allOf: [{type: object, properties: {a: {type: string}}}, {properties: {b: {type: integer}}}]}`,
	}
	for name := range formats {
		schemas = append(schemas, `{type: string, format: `+name+`}`)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, text := range schemas {
		ref, met := schemaOf(t, text), make(map[string]bool)
		for range 60 {
			value := keywords(nil).makeDynamic(ref, random)
			raw, err := spec.JSON(value)
			fatalIf(t, err)
			if !keywords(nil).newMaker().fits(ref.Value, value) || string(raw) == `"x"` {
				t.Errorf("%s makes %s", text, raw)
			}
			met[string(raw)] = true
		}
		if len(met) < 2 {
			t.Errorf("%s always makes %v", text, met)
		}
	}
}

func fatalIf(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// anySchema draws schemas that something fits.
func anySchema(depth int) *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		kinds := []string{"string", "integer", "number", "boolean", "enum"}
		if depth > 0 {
			kinds = append(kinds, "array", "object", "map", "allOf", "oneOf", "anyOf")
		}
		small := rapid.IntRange(0, 9)
		switch kind := rapid.SampledFrom(kinds).Draw(t, "kind"); kind {
		case "string":
			s := map[string]any{"type": "string"}
			switch small.Draw(t, "how") {
			case 0:
				s["format"] = rapid.SampledFrom([]string{"uri", "date-time", "byte", "email", "uuid", "mx-user-id",
					"unknown"}).Draw(t, "format")
			case 1:
				s["pattern"] = rapid.SampledFrom([]string{"^@", "^[a-z0-9]+$", "^v[0-9]+[.][0-9]+$", "x",
					"^(ab|cd){2}$", "^[^a]$"}).Draw(t, "pattern")
			case 2, 3:
				low := small.Draw(t, "low")
				s["minLength"], s["maxLength"] = low, low+small.Draw(t, "more")
			}
			return s
		case "integer", "number":
			s := map[string]any{"type": kind}
			if rapid.Bool().Draw(t, "bounded") {
				low := rapid.IntRange(-50, 50).Draw(t, "low")
				s["minimum"], s["maximum"] = low, low+7+small.Draw(t, "more")
				if rapid.Bool().Draw(t, "stepped") {
					s["multipleOf"] = 1 + small.Draw(t, "step")%6
				}
			}
			return s
		case "enum":
			return map[string]any{"enum": []any{rapid.SampledFrom([]any{"a", 1, true}).Draw(t, "first"), "z"}}
		case "array":
			low := small.Draw(t, "low") % 4
			return map[string]any{"type": "array", "items": anySchema(depth-1).Draw(t, "items"), "minItems": low,
				"maxItems": low + small.Draw(t, "more")}
		case "map":
			return map[string]any{"type": "object", "additionalProperties": anySchema(depth-1).Draw(t, "entries"),
				"minProperties": small.Draw(t, "low") % 3}
		case "object":
			return anyObject(t, depth, "")
		case "allOf":
			return map[string]any{"allOf": []any{anyObject(t, depth, "a"), anyObject(t, depth, "b")}}
		case "oneOf", "anyOf":
			return map[string]any{kind: []any{map[string]any{"type": "boolean"},
				anySchema(depth-1).Filter(func(s map[string]any) bool { return s["type"] == "string" }).Draw(t,
					"other")}}
		default: // boolean
			return map[string]any{"type": "boolean"}
		}
	})
}

func anyObject(t *rapid.T, depth int, prefix string) map[string]any {
	properties, required := make(map[string]any), []any{}
	for i := range rapid.IntRange(0, 3).Draw(t, "properties") {
		name := prefix + string(rune('p'+i))
		properties[name] = anySchema(depth-1).Draw(t, name)
		if rapid.Bool().Draw(t, "required") {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

// FuzzMade: a schema of any kind ends, in a value that is JSON.
func FuzzMade(f *testing.F) {
	f.Add(`{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/components/schemas/It"}}}`)
	f.Add(`{"type":"object","required":["a","b"],"properties":{"a":{"$ref":"#/components/schemas/It"},"b":{"$ref":"#/components/schemas/It"}}}`)
	f.Add(`{"allOf":[{"$ref":"#/components/schemas/It"},{"type":"string"}]}`)
	f.Add(`{"oneOf":[{"$ref":"#/components/schemas/It"},{"$ref":"#/components/schemas/It"},{"type":"array","minItems":99,"items":{"$ref":"#/components/schemas/It"}}]}`)
	f.Add(`{"type":"array","minItems":99999999,"items":{"type":"string","minLength":99999999}}`)
	f.Add(`{"type":"string","pattern":"((((a{99}){9}){9}))"}`)
	f.Add(`{"not":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var schema map[string]any
		if len(text) > 2000 || json.Unmarshal([]byte(text), &schema) != nil {
			t.Skip("no JSON")
		}
		raw, err := json.Marshal(schema)
		if err != nil {
			t.Skip("no JSON")
		}
		document := fmt.Sprintf(`{"openapi":"3.1.0","info":{"title":"x","version":"1"},"paths":{},"components":{"schemas":{"It":%s}}}`, raw)
		doc, err := openapi3.NewLoader().LoadFromData([]byte(document))
		if err != nil {
			t.Skip("no schema")
		}
		it := doc.Components.Schemas["It"]
		drawn, _ := keywords(nil).newDynamicMaker(rand.New(rand.NewPCG(1, 2))).value(it.Value, 0, 0)
		for _, value := range []any{keywords(nil).makeValue(it), drawn} {
			if out, err := spec.JSON(value); err != nil || len(out) > 64<<20 {
				t.Errorf("%s makes %d bytes, %v", raw, len(out), err)
			}
		}
	})
}

// TestMadeOfGivenFiles makes an answer of every response schema of the given files, in which examples count for
// nothing.
func TestMadeOfGivenFiles(t *testing.T) {
	t.Parallel()
	shared := os.Getenv("POSTERN_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	folder := filepath.Join(shared, "matrix-spec", "client-server")
	files, _ := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if len(files) == 0 {
		t.Skip("the given files are not here: set POSTERN_SHARED")
	}
	answers, random := 0, rand.New(rand.NewPCG(1, 2))
	for _, file := range files {
		api, err := spec.Load(os.DirFS(folder), filepath.Base(file))
		if err != nil {
			t.Errorf("refused: %v", err)
			continue
		}
		eachOperation(api.Doc, func(path, method string, _ *openapi3.PathItem, op *openapi3.Operation) {
			for code, ref := range op.Responses.Map() {
				_, media := jsonOf(ref.Value.Content)
				if media == nil || media.Schema == nil {
					continue
				}
				answers++
				var k keywords
				for _, value := range []any{k.makeValue(media.Schema), k.makeDynamic(media.Schema, random)} {
					s := media.Schema.Value
					err := k.checker(s).visit(s, value, openapi3.VisitAsResponse())
					if err == nil || len(api.Gaps) > 0 && strings.Contains(err.Error(), "more than one oneOf") {
						continue // what a gap leaves open fits every alternative
					}
					out, _ := spec.JSON(value)
					t.Errorf("%s %s %s: %.600s: %s", method, path, code, out, strings.SplitN(err.Error(), "\n", 2)[0])
				}
			}
		})
	}
	if t.Logf("%d answers of %d files", answers, len(files)); answers < 250 {
		t.Errorf("only %d answers were made", answers)
	}
}
