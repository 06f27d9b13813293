package spec

import (
	"strings"
	"testing"
)

// places are what At is asked, as words with spaces between, and the line that must be found. ~ stands for a space in a
// word.
type places map[string]string

func (want places) of(t *testing.T, a *API, fsys map[string]string) {
	t.Helper()
	for pointer, line := range want {
		at := a.At(strings.Fields(pointer)...)
		lines := strings.Split(fsys[at.File], "\n")
		if at.Line < 1 || at.Line > len(lines) || at.Column < 1 {
			t.Errorf("%s is at %s", pointer, at)
			continue
		}
		if got := strings.TrimSpace(lines[at.Line-1]); got != line ||
			!strings.HasPrefix(lines[at.Line-1][at.Column-1:], strings.TrimLeft(line, "- ")) {
			t.Errorf("%s is at %s: %q, want %q", pointer, at, got, line)
		}
	}
}

func sources(text string) map[string]string {
	files := make(map[string]string)
	for name, f := range folder(text) {
		files[name] = string(f.Data)
	}
	return files
}

// TestPositions: what was written in the files is found by where it stands in the document, through references and the
// change of version.
func TestPositions(t *testing.T) {
	t.Parallel()
	swagger := `
swagger: '2.0'
info:
  title: the title
  version: '1'
basePath: /base
paths:
  /login:
    post:
      summary: the summary
      parameters:
        - in: query
          name: q
          type: string
        - in: body
          name: body
          schema:
            type: object
            properties:
              user: {type: string}
            required: [user]
      responses:
        200:
          description: the answer
          schema:
            $ref: definitions/answer.yaml
          headers:
            X-A:
              type: string
        429:
          $ref: '#/responses/Limited'
responses:
  Limited:
    description: the limit
    schema:
      $ref: '#/definitions/Error'
definitions:
  Error:
    type: object
    properties:
      errcode: {type: string}
-- definitions/answer.yaml --
# a comment
type: object
properties:
  access_token:
    type: string
  inner:
    $ref: inner.yaml#/deep
-- definitions/inner.yaml --
deep:
  type: object
  properties:
    bottom:
      type: string
`
	places{
		"paths /base/login":                                                                                            "/login:",
		"paths /base/login post":                                                                                       "post:",
		"paths /base/login post summary":                                                                               "summary: the summary",
		"paths /base/login post parameters 0":                                                                          "- in: query",
		"paths /base/login post parameters 0 name":                                                                     "name: q",
		"paths /base/login post parameters 0 schema type":                                                              "type: string",
		"paths /base/login post requestBody":                                                                           "- in: body",
		"paths /base/login post requestBody content application/json schema":                                           "schema:",
		"paths /base/login post requestBody content application/json schema properties user":                           "user: {type: string}",
		"paths /base/login post responses 200":                                                                         "200:",
		"paths /base/login post responses 200 headers X-A":                                                             "X-A:",
		"paths /base/login post responses 200 content application/json schema":                                         "schema:",
		"paths /base/login post responses 200 content application/json schema properties access_token":                 "access_token:",
		"paths /base/login post responses 200 content application/json schema properties inner":                        "inner:",
		"paths /base/login post responses 200 content application/json schema properties inner properties bottom type": "type: string",
		"paths /base/login post responses 200 content application/json schema properties nothing there":                "properties:",
		"paths /base/login post responses 429 description":                                                             "description: the limit",
		"paths /base/login post responses 429 content application/json schema properties errcode":                      "errcode: {type: string}",
		"components schemas Error":                                                                                     "Error:",
		"components schemas Error properties errcode":                                                                  "errcode: {type: string}",
		"components responses Limited":                                                                                 "Limited:",
		"components schemas answer properties access_token":                                                            "access_token:",
		"info title": "title: the title",
	}.of(t, loaded(t, folder(swagger), "spec.yaml"), sources(swagger))

	modern := `
openapi: 3.1.0
info: {title: t, version: '1'}
paths:
  /a/{x}:
    parameters:
      - in: path
        name: x
        required: true
        schema: {type: string}
    get:
      security:
        - token: []
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema:
                $ref: '#/components/schemas/A'
                description: beside
components:
  securitySchemes:
    token: {type: http, scheme: bearer}
  schemas:
    A:
      type: object
      properties:
        a:
          type: [string, 'null']
          enum:
            - one
            - two
`
	a := loaded(t, folder(modern), "spec.yaml")
	const schema = "paths /a/{x} get responses 200 content application/json schema"
	places{
		"paths /a/{x}":                             "/a/{x}:",
		"paths /a/{x} parameters 0 name":           "name: x",
		"paths /a/{x} get":                         "get:",
		"paths /a/{x} get security":                "security:",
		schema + " description":                    "description: beside",
		schema + " allOf 0 properties a type":      "type: [string, 'null']",
		schema + " properties a type":              "type: [string, 'null']",
		"components schemas A properties a enum 1": "- two",
		"components securitySchemes token":         "token: {type: http, scheme: bearer}",
	}.of(t, a, sources(modern))
	if at := a.At(); at.File != "spec.yaml" || at.Line != 1 {
		t.Errorf("the document begins at %s", at)
	}
	if at := a.At("nothing"); at.File != "spec.yaml" || at.Line != 1 {
		t.Errorf("nothing is at %s", at)
	}
	origin := a.Doc.Components.Schemas["A"].Value.Properties["a"].Value.Origin
	if origin == nil || origin.Key.File != "spec.yaml" || origin.Key.Line != 28 {
		t.Errorf("the document itself says %+v", origin.Key)
	}
}
