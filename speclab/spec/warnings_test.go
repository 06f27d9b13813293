package spec

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// aspec is a spec with one operation, whose parts are given, and one component.
func aspec(operation, schema string) string {
	return "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths:\n  '/a/{id}':\n    post:\n      operationId: a\n" +
		"      parameters: [{name: id, in: path, required: true, schema: {type: string}}]\n" +
		indented(6, operation) + "\ncomponents:\n  schemas:\n    S: " + schema + "\n"
}

// answering is an answer whose JSON is written on line 11.
func answering(media string) string {
	return "responses:\n  '200':\n    description: ok\n    content: {application/json: " + media + "}\n"
}

// TestWarnings: each thing that is wrong and keeps nothing from being used is told with its place, the field, the
// reason and what to write instead, once.
func TestWarnings(t *testing.T) {
	t.Parallel()
	const user = "{type: object, required: [id], properties: {id: {type: string}, age: {type: integer, maximum: 200}}}"
	const ref = "{$ref: '#/components/schemas/S'}"
	for _, test := range []struct {
		name, spec string
		want       []string // a warning each; "…" where its fix may be anything
	}{
		{"an example that matches", aspec(answering("{schema: "+ref+", example: {id: a, age: 3}}"), user), nil},
		{"an example of another type", aspec(answering("{schema: "+ref+", example: {id: 3}}"), user), []string{
			"spec.yaml:11:92: warning: the example does not match its schema: `id`: it must be of type string; correct it, or the schema (see spec.yaml:14:57)"}},
		{"a field that is missing", aspec(answering("{schema: "+ref+", example: {age: 3}}"), user), []string{
			"spec.yaml:11:82: warning: the example does not match its schema: `id` is missing…"}},
		{"two faults of one example", aspec(answering("{schema: "+ref+", example: {id: a, age: 300, more: {}}}"),
			strings.Replace(user, "{type: object", "{type: object, additionalProperties: false", 1)), []string{
			"spec.yaml:11:99: warning: the example does not match its schema: `age`: maximum 200…",
			"spec.yaml:11:109: warning: the example does not match its schema: `more`: there is no such field (additionalProperties)…"}},
		{"a named example", aspec(answering("{schema: "+ref+", examples: {one: {value: {id: a}}, two: {value: []}}}"), user), []string{
			"spec.yaml:11:122: warning: the example \"two\" does not match its schema: it must be of type object…"}},
		{"an example of the components", aspec(answering("{schema: {type: string}, examples: {one: {$ref: '#/components/examples/E'}}}"), user) +
			"  examples: {E: {value: 3}}\n", []string{
			"spec.yaml:15:18: warning: the example \"one\" does not match its schema: it must be of type string…"}},
		{"an example of a component that is an answer", aspec("responses: {'200': {$ref: '#/components/responses/R'}}", user) +
			"  responses:\n    R: {description: r, content: {application/json: {schema: {type: array, items: " + ref + "}, example: [{id: a}, {id: 1}]}}}\n", []string{
			"spec.yaml:13:…`1.id`: it must be of type string…"}},
		{"a request", aspec("requestBody: {content: {application/json: {schema: "+ref+", example: {id: 1}}}}\nresponses: {'200': {description: ok}}", user), []string{
			"spec.yaml:8:…`id`: it must be of type string…"}},
		{"JSON in a text", aspec(answering("{schema: "+ref+", example: '{\"id\": 1}'}"), user), []string{
			"spec.yaml:11:…`id`: it must be of type string…"}},
		{"XML is not looked into", aspec(strings.Replace(answering("{schema: "+ref+", example: '<id/>'}"), "/json", "/xml", 1), user), nil},
		{"a header", aspec("responses: {'200': {description: ok, headers: {X-A: {schema: {type: integer}, example: soon}}}}", user), []string{
			"spec.yaml:8:…the example does not match its schema: it must be of type integer…"}},
		{"a parameter", strings.Replace(aspec(answering("{schema: "+ref+"}"), user), "schema: {type: string}}]", "schema: {type: string, minLength: 3}, example: ab}]", 1), []string{
			"spec.yaml:7:…the example does not match its schema: minLength 3…"}},
		{"a schema's own", aspec(answering("{schema: "+ref+"}"), "{type: object, example: {a: 1}, properties: {a: {type: string, enum: [b], example: c}}}"), []string{
			"spec.yaml:14:33: warning: the example does not match its schema: `a`: it must be of type string…",
			"spec.yaml:14:82: warning: the example does not match its schema: it must be one of \"b\"…"}},
		{"examples of a schema", aspec(answering("{schema: "+ref+"}"), "{type: integer, examples: [1, two]}"), []string{
			"spec.yaml:14:…it must be of type integer…"}},
		{"a default", aspec(answering("{schema: {type: object, properties: {n: {type: integer, default: none}}}}"), user), []string{
			"spec.yaml:11:…the default does not match its schema: it must be of type integer…"}},
		{"a default may leave out what is required", aspec(answering("{schema: {allOf: ["+ref+"], default: {}}}"), user), nil},
		{"an example beside a reference", aspec(answering("{schema: {$ref: '#/components/schemas/S', example: {id: 1}}}"), user), []string{
			"spec.yaml:11:…`id`: it must be of type string…"}},
		{"null in 3.0", strings.Replace(aspec(answering("{schema: {type: string, nullable: true}, example: null}"), user), "3.1.0", "3.0.3", 1), nil},
		{"what is readOnly", aspec(answering("{schema: {type: object, required: [id], properties: {id: {type: string, readOnly: true}}}, example: {}}"), user), nil},
		{"a discriminator chooses", aspec(answering("{schema: {oneOf: ["+ref+", {type: object}], discriminator: {propertyName: id}}, example: {id: a}}"), user), nil},
		{"one of two", aspec(answering("{schema: {oneOf: ["+ref+", {type: object}]}, example: {id: a}}"), user), []string{
			"spec.yaml:11:…it fits more than one schema of oneOf: number 1 and number 2…"}},
		{"a format", aspec(answering("{schema: {type: string, format: uri}, example: not one}"), user), []string{
			"spec.yaml:11:…the example does not match its schema: format uri…"}},
		{"a schema that contains itself", aspec(answering("{schema: "+ref+", example: {in: {in: {in: 1}}}}"), "{type: object, properties: {in: "+ref+"}}"), []string{
			"spec.yaml:11:…`in.in.in`: it must be of type object…"}},
		{"Swagger 2.0", swagger("responses: {200: {description: ok, schema: {type: object, properties: {a: {type: integer}}}, examples: {application/json: {a: b}}}}", ""), []string{
			"spec.yaml:7:…`a`: it must be of type integer…"}},

		{"a parameter that the path does not have", strings.Replace(aspec(answering("{}"), user), "[{name: id", "[{name: b, in: path, required: true, schema: {}}, {name: id", 1), []string{
			"spec.yaml:7:20: warning: the path /a/{id} has no {b}: the parameter is left out; add it to the path, or remove the parameter"}},
		{"a path that has no parameter", strings.Replace(aspec(answering("{}"), user), "{id}", "{id}/{b}", 1), []string{
			"spec.yaml:4:3: warning: the parameter {b} of the path is not defined; it is read as text; add it to parameters, with in: path"}},
		{"a parameter of the path that is not required", strings.Replace(aspec(answering("{}"), user), "required: true, ", "", 1), []string{
			"spec.yaml:7:20: warning: the parameter \"id\" is in the path and not required; it is read as required; add required: true"}},
		{"a parameter without a schema", strings.Replace(aspec(answering("{}"), user), ", schema: {type: string}", "", 1), []string{
			"spec.yaml:7:20: warning: the parameter \"id\" has neither schema nor content; any value is taken; add schema:"}},
		{"a parameter without a type in Swagger 2.0", swagger("parameters: [{name: q, in: query}]\nresponses: {200: {description: ok}}", ""), []string{
			"spec.yaml:7:20: warning: the parameter \"q\" has neither…"}},
		{"a parameter as in Swagger 2.0", strings.Replace(aspec(answering("{}"), user), "schema: {type: string}", "type: string", 1), []string{
			"spec.yaml:7:…warning: the parameter \"id\" has a type of its own, as in Swagger 2.0…"}},
		{"an undefined security scheme", aspec("security: [{token: []}]\n"+answering("{}"), user), []string{
			"spec.yaml:8:19: warning: the security scheme \"token\" is defined nowhere; a bearer token is assumed; define it under securitySchemes"}},
		{"no success", aspec("responses: {'400': {description: no}, 4XX: {description: no}}", user), []string{
			"spec.yaml:8:7: warning: the operation has no response that is a success; add one such as 200, or default…"}},
		{"no success is meant", aspec("x-refuses: true\nresponses: {'400': {description: no}}", user), nil},
		{"a redirection is a success", aspec("responses: {'302': {description: there}}", user), nil},
		{"a range is a success", aspec("responses: {2xx: {description: ok}}", user), nil},
		{"no responses", aspec("summary: s", user), []string{"spec.yaml:6:…the operation has no responses…"}},
		{"a name that is taken", strings.Replace(aspec(answering("{}"), user), "components:",
			"  /b: {get: {operationId: a, responses: {'200': {description: ok}}}}\ncomponents:", 1), []string{
			"spec.yaml:12:14: warning: the operation name \"a\" is there already; this one is called GetB; give it a name of its own (see spec.yaml:6:7)"}},
		{"a name that is taken by a method further up", "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n" +
			"paths:\n  /b:\n" +
			"    post: {operationId: a, responses: {'200': {description: ok}}}\n" +
			"    get: {operationId: a, responses: {'200': {description: ok}}}\n", []string{
			"spec.yaml:6:11: warning: the operation name \"a\" is there already; this one is called GetB; give it a name of its own (see spec.yaml:5:12)"}},
		{"example and examples", aspec(answering("{schema: {}, example: 1, examples: {e: {value: 1}}}"), user), []string{
			"spec.yaml:11:…there are examples as well; this one is left out…"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range loaded(t, folder(test.spec), "spec.yaml").Warnings() {
				got = append(got, p.Warning())
			}
			if len(got) != len(test.want) {
				t.Errorf("%d warnings, want %d", len(got), len(test.want))
			}
			for i, line := range got {
				if i >= len(test.want) || !fits(line, test.want[i]) {
					t.Errorf("warning %d is\n%s\nwant\n%s", i, line, append(test.want, "none", "none", "none")[i])
				}
			}
		})
	}
}

// fits reports whether a line is the wanted one, which has "…" where it may be anything.
func fits(line, want string) bool {
	for i, part := range strings.Split(want, "…") {
		at := strings.Index(line, part)
		if at < 0 || i == 0 && at > 0 {
			return false
		}
		line = line[at+len(part):]
	}
	return line == "" || strings.HasSuffix(want, "…")
}

// TestWarningsBounded: examples of schemas that one value meets without end are not checked without end, and the rest
// is said to be unchecked, once.
func TestWarningsBounded(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("{a: ", 60) + "1" + strings.Repeat("}", 60)
	again := "{properties: {a: {$ref: '#/components/schemas/S'}}}"
	a := loaded(t, folder(aspec(answering("{schema: {$ref: '#/components/schemas/S'}, examples: {e: {value: "+deep+
		"}, f: {value: "+deep+"}}}"), "{type: object, allOf: ["+again+", "+again+"]}")), "spec.yaml")
	if w := a.Warnings(); len(w) != 1 || !strings.Contains(w[0].What, "from here on are not checked") {
		t.Errorf("the warnings are %v", w)
	}
}

// TestWarningsAfter: after a save only what is new is printed, wherever it is in the file now.
func TestWarningsAfter(t *testing.T) {
	t.Parallel()
	many := func(from, to, moved int) (all Problems) {
		for i := from; i < to; i++ {
			at := Position{"a.yaml", i + moved, 1}
			all = append(all, Problem{Position: at, What: fmt.Sprint("fault ", i), Fix: "mend it"})
		}
		return all
	}
	for _, test := range []struct {
		before, now Problems
		want        []string
	}{
		{nil, nil, nil},
		{nil, many(1, 2, 0), []string{"a.yaml:1:1: warning: fault 1; mend it"}},
		{many(1, 2, 0), many(1, 2, 7), nil},
		{many(1, 3, 0), many(1, 4, 7), []string{"a.yaml:10:1: warning: fault 3; mend it", "warnings as before: 2"}},
		{many(1, 3, 0), many(2, 3, 0), []string{"warnings as before: 1"}},
		{many(1, 3, 0), nil, []string{"no warnings any more"}},
		{many(1, 2, 0), append(many(1, 2, 0), many(1, 2, 4)...), []string{"a.yaml:5:1: warning: fault 1; mend it", "warnings as before: 1"}},
	} {
		if got := WarningsAfter(test.before, test.now); strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("after %v, %v is printed as\n%q\nwant\n%q", test.before, test.now, got, test.want)
		}
	}
	got := WarningsAfter(nil, many(0, 100, 0))
	if len(got) != 21 || !strings.Contains(got[20], "and 80 more; postern spec check") {
		t.Errorf("a hundred are printed as %q", got)
	}
}

// TestWarningsOfPublished: of the specs that Matrix publishes, all at once, no example and no default value is wrong.
func TestWarningsOfPublished(t *testing.T) {
	t.Parallel()
	fsys := shared(t, "matrix-spec/client-server")
	files, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		files = files[:20]
	}
	for _, p := range loaded(t, fsys, files...).Warnings() {
		if !strings.Contains(p.What, ": left open") && !strings.Contains(p.What, `scheme "signedRequest"`) {
			t.Error(p)
		}
	}
	for _, file := range []string{"login.yaml", "admin.yaml", "introspection.yaml"} {
		for _, p := range loaded(t, os.DirFS("../../api"), file).Warnings() {
			t.Error(p)
		}
	}
}
