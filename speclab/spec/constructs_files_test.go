package spec

import (
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// hasOperation asks for an operation by method, path and name.
func hasOperation(method, path, id string) func(*testing.T, *API) {
	return func(t *testing.T, a *API) {
		t.Helper()
		item := a.Doc.Paths.Value(path)
		if item == nil || item.GetOperation(method) == nil {
			t.Fatalf("no %s %s among %v", method, path, a.Doc.Paths.InMatchingOrder())
		}
		if got := item.GetOperation(method).OperationID; id != "" && got != id {
			t.Errorf("%s %s is called %q, want %q", method, path, got, id)
		}
	}
}

// gaps asks that each text is part of one gap, and that there are no others.
func gaps(want ...string) func(*testing.T, *API) {
	return func(t *testing.T, a *API) {
		t.Helper()
		for _, w := range want {
			if !slices.ContainsFunc(a.Gaps, func(p Problem) bool { return strings.Contains(p.Error(), w) }) {
				t.Errorf("no gap says %q: %v", w, a.Gaps)
			}
		}
		if len(a.Gaps) != len(want) {
			t.Errorf("gaps: %v", a.Gaps)
		}
	}
}

// schemas asks for the names of the components.
func schemas(want ...string) func(*testing.T, *API) {
	return func(t *testing.T, a *API) {
		t.Helper()
		if got := sortedKeys(a.Doc.Components.Schemas); !slices.Equal(got, want) {
			t.Errorf("the schemas are %v, want %v", got, want)
		}
	}
}

// on is a check of the operation POST /a.
func on(path string, check func(*testing.T, *openapi3.Operation)) func(*testing.T, *API) {
	return func(t *testing.T, a *API) {
		t.Helper()
		hasOperation("POST", path, "")(t, a)
		check(t, a.Doc.Paths.Value(path).Post)
	}
}

const ok = "responses: {'200': {description: ok}}"

func swaggerConstructs() []construct {
	return []construct{
		{name: "swagger: security in another file", spec: swagger("security: [{accessToken: []}]\n"+ok, "securityDefinitions: {$ref: definitions/security.yaml}\n") +
			"-- definitions/security.yaml --\naccessToken: {type: apiKey, in: query, name: access_token}\nbasic: {type: basic}\n",
			want: both(gaps(), func(t *testing.T, a *API) {
				if s := a.Doc.Components.SecuritySchemes["accessToken"]; s == nil || s.Value.Type != "apiKey" ||
					a.Doc.Components.SecuritySchemes["basic"].Value.Scheme != "basic" {
					t.Errorf("the schemes are %v", a.Doc.Components.SecuritySchemes)
				}
			})},
		{name: "swagger: one security scheme in another file", spec: swagger("security: [{accessToken: []}]\n"+ok, "securityDefinitions: {accessToken: {$ref: 'definitions/security.yaml#/accessToken'}}\n") +
			"-- definitions/security.yaml --\naccessToken: {type: apiKey, in: query, name: access_token}\n",
			want: gaps()},
		{name: "swagger: security in a file that is gone", spec: swagger("security: [{accessToken: []}]\n"+ok, "securityDefinitions: {$ref: definitions/security.yaml}\n"), want: gaps("definitions/security.yaml", "accessToken")},
		{name: "swagger: oauth", spec: swagger("security: [{o: [read]}]\n"+ok, "securityDefinitions: {o: {type: oauth2, flow: accessCode, authorizationUrl: 'https://a.example/', tokenUrl: 'https://a.example/t', scopes: {read: r}}}\n")},
		{name: "swagger: body", spec: swagger("parameters: [{in: body, name: body, required: true, schema: {$ref: '#/definitions/B'}}]\nresponses: {200: {description: ok, schema: {$ref: '#/definitions/B'}, examples: {application/json: '{\"a\": \"x\"}'}}, 4XX: {description: no}, default: {description: d}}", "definitions: {B: {type: object, properties: {a: {type: string}}}}\n"),
			want: both(hasOperation("POST", "/base/a", "PostA"),
				on("/base/a", func(t *testing.T, op *openapi3.Operation) {
					if !op.RequestBody.Value.Required ||
						op.RequestBody.Value.Content.Get("application/json").Schema.Ref != "#/components/schemas/B" {
						t.Error("the body is lost")
					}
					media := op.Responses.Value("200").Value.Content.Get("application/json")
					if example, _ := media.Example.(map[string]any); example["a"] != "x" {
						t.Error("the example is lost")
					}
				}))},
		{name: "swagger: body by reference", spec: swagger("parameters: [{$ref: '#/parameters/body'}, {$ref: '#/parameters/q'}]\n"+ok, "parameters:\n  body: {in: body, name: body, schema: {type: object, properties: {a: {type: string}}}}\n  q: {in: query, name: q, type: array, items: {type: string}, collectionFormat: csv, x-example: [a]}\n"),
			want: on("/base/a", func(t *testing.T, op *openapi3.Operation) {
				if op.RequestBody == nil || len(op.Parameters) != 1 ||
					op.Parameters[0].Value.Schema.Value.Items == nil {
					t.Errorf("body %v, parameters %v", op.RequestBody, op.Parameters)
				}
			})},
		{name: "swagger: body of the path", spec: "swagger: '2.0'\ninfo: {title: t, version: 1.0}\npaths:\n  /a:\n    parameters: [{in: body, name: b, schema: {type: object}}]\n    post: {responses: {200: {description: ok}}}\n",
			want: on("/a", func(t *testing.T, op *openapi3.Operation) {
				if op.RequestBody == nil {
					t.Error("no body")
				}
			})},
		{name: "swagger: form", spec: swagger("consumes: [multipart/form-data]\nparameters: [{in: formData, name: f, type: file, required: true}, {in: formData, name: t, type: string, description: d}]\n"+ok, ""),
			want: on("/base/a", func(t *testing.T, op *openapi3.Operation) {
				form := op.RequestBody.Value.Content.Get("multipart/form-data").Schema.Value
				if form.Properties["f"].Value.Format != "binary" || !slices.Equal(form.Required, []string{"f"}) {
					t.Errorf("the form is %v", form)
				}
			})},
		{name: "swagger: form without a type", spec: swagger("parameters: [{in: formData, name: t, type: string}]\n"+ok, "")},
		{name: "swagger: types", spec: swagger("consumes: [text/plain, application/json]\nproduces: [application/json, image/png]\nparameters: [{in: body, name: b, schema: {type: string}}]\nresponses: {200: {description: ok, schema: {type: file}, headers: {X-A: {type: string, description: d}}}}", "")},
		{name: "swagger: response without a description", spec: swagger("responses: {200: {schema: {type: object}}, 404: {$ref: '#/responses/Gone'}}", "responses: {Gone: {schema: {type: object, properties: {errcode: {type: string}}}}}\n")},
		{name: "swagger: answer that is an example alone", spec: swagger("responses: {200: {description: ok, examples: {application/json: {a: 1}}}, 403: {description: no, examples: {application/json: '{\"errcode\": \"M_FORBIDDEN\"}'}}}", "")},
		{name: "swagger: example of a body", spec: swagger("parameters: [{in: body, name: b, schema: {type: object, example: \"{\\\"a\\\": 1}\", properties: {a: {type: integer, x-example: 3}}}}]\n"+ok, ""),
			want: on("/base/a", func(t *testing.T, op *openapi3.Operation) {
				schema := op.RequestBody.Value.Content.Get("application/json").Schema.Value
				if example, _ := schema.Example.(map[string]any); example["a"] == nil {
					t.Error("the example is lost")
				}
			})},
		{name: "swagger: what it did not have", spec: swagger("parameters: [{in: body, name: b, schema: {oneOf: [{type: string}, {type: object}], patternProperties: {'^a': {type: string}}}}]\n"+ok, "")},
		{name: "swagger: major version", spec: "swagger: '2.0'\ninfo: {title: t, version: '1'}\nhost: localhost:8008\nschemes: [https]\nbasePath: /_matrix/client/%CLIENT_MAJOR_VERSION%\npaths:\n  /login:\n    get: {responses: {200: {description: ok}}}\n", want: hasOperation("GET", "/_matrix/client/v3/login", "GetLogin")},
		{name: "swagger: number as version", spec: "swagger: 2.0\ninfo: {title: t, version: 1.0}\npaths: {}\n"},
		{name: "swagger: discriminator", spec: swagger(ok, "definitions: {P: {type: object, discriminator: kind, required: [kind], properties: {kind: {type: string}}}, C: {allOf: [{$ref: '#/definitions/P'}, {type: object, properties: {a: {type: string}}}]}}\n")},
	}
}

func fileConstructs() []construct {
	const head = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n"
	answer := func(schema string) string {
		return "get: {responses: {'200': {description: ok, content: {application/json: {schema: " + schema + "}}}}}"
	}
	one := func(path, schema string) string {
		return head + "paths:\n  " + path + ":\n    " + answer(schema) + "\n"
	}
	return []construct{
		{name: "files: whole file", spec: one("/a", "{$ref: definitions/errors/error.yaml}") + "-- definitions/errors/error.yaml --\ntype: object\nproperties: {inner: {$ref: ../inner.yaml}}\n-- definitions/inner.yaml --\ntype: string\n", want: both(gaps(), schemas("error", "inner"))},
		{name: "files: fragment", spec: one("/a", "{$ref: 'defs.yaml#/a~1b/0'}") + "-- defs.yaml --\na/b: [{type: object, properties: {x: {$ref: '#/c%20d'}}}]\n'c d': {type: string}\n", want: gaps()},
		{name: "files: out and back in", spec: one("/a", "{$ref: definitions/../definitions/x.yaml}") + "-- definitions/x.yaml --\ntype: object\nproperties: {y: {$ref: ../definitions/y.yaml}}\n-- definitions/y.yaml --\ntype: string\n", want: gaps()},
		{name: "files: gone", spec: one("/a", "{$ref: gone.yaml}"), want: gaps("spec.yaml:5:86: the file of the reference \"gone.yaml\" is not there")},
		{name: "files: outside", spec: one("/a", "{$ref: ../outside.yaml}"), want: gaps("outside the spec's folder")},
		{name: "files: addresses", spec: one("/a", "{type: object, properties: {a: {$ref: 'http://localhost/x.yaml'}, b: {$ref: 'file:///etc/passwd'}, c: {$ref: /etc/passwd}, d: {$ref: '//host/x'}, e: {$ref: 'C:\\x'}}}"), want: gaps("http:", "file:", "passwd", "//host", "C:")},
		{name: "files: properties of another", spec: one("/a", "{type: object, properties: {$ref: props.yaml}}") + "-- props.yaml --\na: {type: string}\n", want: gaps()},
		{name: "files: path items of another", spec: head + "paths:\n  /a: {$ref: item.yaml}\n  /b: {$ref: 'item.yaml'}\n-- item.yaml --\n" + answer("{type: string}") + "\n", want: both(hasOperation("GET", "/a", "GetA"), hasOperation("GET", "/b", "GetB"))},
		{name: "files: paths of another", spec: head + "paths: {$ref: paths.yaml}\n-- paths.yaml --\n/a:\n  " + answer("{type: string}") + "\n", want: hasOperation("GET", "/a", "GetA")},
		{name: "files: all kinds in another", spec: head + "paths:\n  /a:\n    post:\n      parameters: [{$ref: 'c.yaml#/p'}]\n      requestBody: {$ref: 'c.yaml#/b'}\n      responses: {'200': {$ref: 'c.yaml#/r'}}\ncomponents: {schemas: {$ref: 'c.yaml#/s'}, securitySchemes: {$ref: 'c.yaml#/sec'}}\n-- c.yaml --\np: {in: query, name: q, schema: {type: string}}\nb: {content: {application/json: {schema: {$ref: '#/s/A'}}}}\nr: {description: ok, headers: {X-H: {$ref: '#/h'}}, content: {application/json: {schema: {$ref: '#/s/A'}, examples: {e: {$ref: '#/e'}}}}}\nh: {schema: {type: string}}\ne: {value: {a: x}}\ns: {A: {type: object, properties: {a: {type: string}}}}\nsec: {t: {type: http, scheme: bearer}}\n", want: both(gaps(), schemas("A"))},
		{name: "files: examples", spec: head + "paths:\n  /a:\n    get: {responses: {'200': {description: ok, content: {application/json: {schema: {type: object}, example: {event: {$ref: e.json}}}}}, '201': {description: ok, content: {application/json: {schema: {type: object}, examples: {x: {value: {$ref: gone.json}}}}}}}}\n-- e.json --\n{\"type\": \"m.text\"}\n",
			want: both(gaps("gone.json"), func(t *testing.T, a *API) {
				example, _ := a.Doc.Paths.Value("/a").Get.Responses.Value("200").Value.Content.Get(
					"application/json").Example.(map[string]any)
				if event, _ := example["event"].(map[string]any); event["type"] != "m.text" {
					t.Errorf("the example is %v", example)
				}
			})},
		{name: "files: two with the same component", main: []string{"a.yaml", "b.yaml"}, spec: "-- a.yaml --\n" + one("/a", "{$ref: '#/components/schemas/E'}") + "components: {schemas: {E: {type: object, properties: {f: {$ref: '#/components/schemas/F'}}}, F: {type: string}}}\n-- b.yaml --\n" + one("/b", "{$ref: '#/components/schemas/E'}") + "components: {schemas: {E: {type: object, properties: {f: {$ref: '#/components/schemas/F'}}}, F: {type: string}}}\n", want: schemas("E", "F")},
		{name: "files: two with components that differ within", main: []string{"a.yaml", "b.yaml"}, spec: "-- a.yaml --\n" + one("/a", "{$ref: '#/components/schemas/E'}") + "components: {schemas: {E: {type: object, properties: {f: {$ref: '#/components/schemas/F'}}}, F: {type: string}}}\n-- b.yaml --\n" + one("/b", "{$ref: '#/components/schemas/E'}") + "components: {schemas: {E: {type: object, properties: {f: {$ref: '#/components/schemas/F'}}}, F: {type: integer}}}\n", want: schemas("E", "ESchema", "F", "FSchema")},
		{name: "files: two with one recursive component", main: []string{"a.yaml", "b.yaml"}, spec: "-- a.yaml --\n" + one("/a", "{$ref: '#/components/schemas/E'}") + "components: {schemas: {E: {type: object, properties: {f: {$ref: '#/components/schemas/E'}}}}}\n-- b.yaml --\n" + one("/b", "{$ref: '#/components/schemas/E'}") + "components: {schemas: {E: {type: object, properties: {f: {$ref: '#/components/schemas/E'}}}}}\n", want: schemas("E")},
		{name: "files: two with one operation name", main: []string{"a.yaml", "b.yaml"}, spec: "-- a.yaml --\n" + strings.Replace(one("/a", "{type: string}"), "get: {", "get: {operationId: x, ", 1) + "-- b.yaml --\n" + strings.Replace(one("/b", "{type: string}"), "get: {", "get: {operationId: x, ", 1), want: both(hasOperation("GET", "/a", "x"), hasOperation("GET", "/b", "GetB"))},
		{name: "files: two alike", main: []string{"a.yaml", "b.yaml"}, spec: "-- a.yaml --\n" + one("/a", "{type: string}") + "-- b.yaml --\n" + one("/a", "{type: string}"), want: hasOperation("GET", "/a", "GetA")},
		{name: "files: one twice", main: []string{"spec.yaml", "./spec.yaml"}, spec: one("/a", "{type: string}"), want: hasOperation("GET", "/a", "GetA")},
		{name: "files: two of two versions and bases", main: []string{"a.yaml", "b.yaml"}, spec: "-- a.yaml --\nsecurity: [{s: []}]\nservers: [{url: 'https://x.example/v3/'}]\n" + one("/a/{x}", "{type: string}") + "components: {securitySchemes: {s: {type: http, scheme: bearer}}}\n-- b.yaml --\n" + swagger("security: [{s: []}]\n"+ok, "securityDefinitions: {s: {type: apiKey, in: query, name: t}}\n"), want: both(hasOperation("GET", "/v3/a/{x}", ""), hasOperation("POST", "/base/a", ""))},
		{name: "files: one path with two names of its parameter", main: []string{"a.yaml", "b.yaml"}, spec: "-- a.yaml --\n" + one("/a/{x}", "{type: string}") + "-- b.yaml --\n" + head + "paths:\n  /a/{y}:\n    post: {parameters: [{in: path, name: y, required: true, schema: {type: string}}], " + ok + "}\n", want: both(hasOperation("GET", "/a/{x}", ""), hasOperation("POST", "/a/{x}", ""))},
		{name: "files: JSON", main: []string{"a.json"}, spec: "-- a.json --\n{\"openapi\": \"3.0.3\",\n\t\"info\": {\"title\": \"t\", \"version\": \"1\"}, \"paths\": {\"/a\": {\"get\": {\"responses\": {\"200\": {\"description\": \"ok\"}}}}}}\n", want: hasOperation("GET", "/a", "GetA")},
		{name: "files: BOM and CRLF", spec: "\ufeff" + strings.ReplaceAll(one("/a", "{type: string, description: \"a\\r\\nb\"}"), "\n", "\r\n"), want: hasOperation("GET", "/a", "GetA")},
		{name: "files: anchors and merges", spec: head + "x-common: &c {type: object, properties: {a: {type: string}}}\npaths:\n  /a:\n    " + answer("{<<: *c, required: [a]}") + "\n  /b:\n    " + answer("*c") + "\n  /c:\n    " + answer("{<<: [*c, {type: string, title: x}]}") + "\n", want: func(t *testing.T, a *API) {
			s := a.Doc.Paths.Value("/a").Get.Responses.Value("200").Value.Content.Get("application/json").Schema.Value
			if !s.Type.Is("object") || len(s.Required) != 1 {
				t.Errorf("the merge gave %v", s)
			}
		}},
		{name: "files: nothing but components", spec: head + "components: {schemas: {A: {type: string}}}\n", want: schemas("A")},
		{name: "files: component that is a reference", spec: one("/a", "{$ref: '#/components/schemas/A'}") + "components: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {$ref: c.yaml}}}\n-- c.yaml --\ntype: object\n", want: gaps()},
		{name: "files: reference into the paths", spec: one("/a", "{type: object}") + "  /b:\n    " + answer("{$ref: '#/paths/~1a/get/responses/200/content/application~1json/schema'}") + "\n"},
		{name: "files: no info", spec: "openapi: 3.0.0\npaths: {/a: {get: {responses: {200: {description: ok}}}}}\n", want: gaps("info")},
		{name: "files: fields that are none", spec: one("/a", "{type: object, foo: bar}") + "foo: bar\n", want: gaps("foo")},
	}
}
