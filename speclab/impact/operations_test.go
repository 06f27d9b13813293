package impact

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// labSpec is an operation with a bit of everything that a request is judged by.
const labSpec = `openapi: 3.1.0
info: {title: lab, version: "1"}
paths:
  /k/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    post:
      operationId: k
      parameters:
        - {name: q, in: query, schema: {type: string}}
        - {name: l, in: query, schema: {type: array, items: {type: integer}}}
        - {name: h, in: header, schema: {type: string}}
        - {name: c, in: cookie, schema: {type: string}}
        - {name: j, in: query, content: {application/json: {schema: {type: object}}}}
        - {$ref: "#/components/parameters/Shared"}
      requestBody: {$ref: "#/components/requestBodies/Body"}
      responses:
        "204": {description: done}
components:
  parameters:
    Shared: {name: s, in: query, schema: {type: string}}
  requestBodies:
    Body:
      content:
        application/json: {schema: {$ref: "#/components/schemas/Body"}}
  schemas:
    Body:
      type: object
      properties:
        inner: {$ref: "#/components/schemas/Inner"}
    Inner: {type: object, properties: {a: {type: string}}}
  securitySchemes:
    token: {type: http, scheme: bearer}
`

// TestOperationVerdicts: each edit makes the lab judge a request in another way, and is a change.
func TestOperationVerdicts(t *testing.T) {
	t.Parallel()
	const query, body, code = "?q=x&l=1&l=2&j={}&s=x", `{"inner":{"a":"s"}}`, "Prefer: code=418"
	for _, test := range []struct{ name, old, new, query, body, header string }{
		{"a query parameter is required", "{name: q, in: query,", "{name: q, in: query, required: true,", "", body, ""},
		{"a query parameter is new", "        - {name: h,",
			"        - {name: n, in: query, schema: {type: integer}}\n        - {name: h,", "?n=x", body, ""},
		{"a query parameter is moved", "{name: q, in: query,", "{name: q, required: true, in: header,", query, body, ""},
		{"a list is written in another way", "{name: l, in: query,", "{name: l, in: query, explode: false,", "?l=1,2",
			body, ""},
		{"a list has another style", "{name: l, in: query,",
			"{name: l, in: query, style: pipeDelimited, explode: false,", "?l=1|2", body, ""},
		{"the items of a list", "items: {type: integer}", "items: {type: integer, maximum: 1}", query, body, ""},
		{"a header", "{name: h, in: header, schema: {", "{name: h, in: header, schema: {maxLength: 1, ", query, body,
			"h: long"},
		{"a cookie", "{name: c, in: cookie, schema: {", "{name: c, in: cookie, schema: {maxLength: 1, ", query, body,
			"Cookie: c=long"},
		{"JSON in a parameter", "{schema: {type: object}}", "{schema: {type: object, additionalProperties: false}}",
			`?j={"a":1}`, body, ""},
		{"a shared parameter", "Shared: {name: s, in: query, schema: {", "Shared: {name: s, in: query, schema: {const: y, ",
			query, body, ""},
		{"a path parameter", "required: true, schema: {", "required: true, schema: {pattern: ^x, ", query, body, ""},
		{"the body is required", "    Body:\n      content:", "    Body:\n      required: true\n      content:", query, "", ""},
		{"the body is text", `application/json: {schema: {$ref: "#/components/schemas/Body"}}`, "text/plain: {}", query,
			"[]", ""},
		{"the body may be text", "        application/json: {", "        text/plain: {}\n        application/json: {", query,
			"[]", "Content-Type: text/plain"},
		{"the body may be anything", `{schema: {$ref: "#/components/schemas/Body"}}`, "{}", query, "[]", ""},
		{"there is no body", `      requestBody: {$ref: "#/components/requestBodies/Body"}
`, "", query, "[]", ""},
		{"a schema far inside", "Inner: {type: object,", "Inner: {type: object, not: {required: [a]},", query, body, ""},
		{"null is allowed", "Inner: {type: object,", "Inner: {type: [object, 'null', array],", query, `{"inner":[]}`, ""},
		{"a token is needed", "      operationId: k", "      operationId: k\n      security: [{token: []}]", query, body, ""},
		{"a status is new", `        "204": {description: done}`, `        "204": {description: done}
        "418": {description: tea}`, query, body, code},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			edited := strings.Replace(labSpec, test.old, test.new, 1)
			if edited == labSpec {
				t.Fatalf("there is no %q", test.old)
			}
			ask := func(text string) int {
				s := lab(t, filepath.Join(t.TempDir(), "edited.yaml"), text)
				defer s.Close()
				r := httptest.NewRequest(http.MethodPost, "/k/1", strings.NewReader(test.body))
				r.URL.RawQuery = strings.TrimPrefix(test.query, "?")
				if name, value, is := strings.Cut(test.header, ": "); is {
					r.Header.Set(name, value)
				}
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				return w.Code
			}
			if was, is := ask(labSpec), ask(edited); was == is {
				t.Errorf("the lab answers %d to both", was)
			}
			if len(changesOf(t, labSpec, edited)) == 0 {
				t.Error("nothing is reported")
			}
		})
	}
}
