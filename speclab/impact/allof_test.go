package impact

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allOfSpec is an answer as Matrix's login.yaml writes one: a description, and an allOf of one reference.
const allOfSpec = `openapi: 3.1.0
info: {title: allOf, version: "1"}
paths:
  /login:
    post:
      operationId: login
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [type]
              properties:
                type: {type: string}
                identifier: {$ref: "#/components/schemas/Identifier"}
      responses:
        "200":
          description: done
          content:
            application/json:
              schema:
                type: object
                properties:
                  well_known: {$ref: "#/components/schemas/WellKnown"}
components:
  schemas:
    Identifier:
      type: object
      required: [type]
      properties:
        type: {type: string, maxLength: 9}
        user: {type: string}
    WellKnown:
      type: object
      required: [m.homeserver]
      properties:
        m.homeserver:
          type: object
          required: [base_url]
          properties:
            base_url: {type: string}
    Node:
      type: object
      properties:
        next: {$ref: "#/components/schemas/Node"}
`

// inParts is the same, written with allOf.
var inParts = strings.NewReplacer(
	`well_known: {$ref: "#/components/schemas/WellKnown"}`, `well_known:
                    description: Where the client finds its homeserver.
                    allOf:
                      - $ref: "#/components/schemas/WellKnown"`,
	`identifier: {$ref: "#/components/schemas/Identifier"}`, `identifier:
                  allOf:
                    - $ref: "#/components/schemas/Typed"
                    - type: object
                      required: [type]
                      properties:
                        type: {maxLength: 9}
                        user: {type: string}`,
	`    Node:
      type: object
      properties:
        next: {$ref: "#/components/schemas/Node"}
`, `    Node:
      allOf:
        - properties:
            next:
              description: The next one.
              allOf: [{$ref: "#/components/schemas/Node"}]
        - type: object
    Typed:
      type: object
      properties:
        type: {type: string, maxLength: 20}
`).Replace(allOfSpec)

// TestAllOf: what is equal is no change, and one edit inside an allOf is one change, at its line.
func TestAllOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, old, new string // the edit
		id, line       string
		severity       Severity
	}{
		{name: "equal"},
		{"a field of the component is gone", "required: [m.homeserver]\n      properties:\n        m.homeserver:",
			"properties:\n        m.other:", "response-required-property-removed", "m.other:", Breaks},
		{"a field is required less", "required: [base_url]", "required: []", "response-property-became-optional", "m.homeserver:", Breaks},
		{"an inline field is longer", "type: {maxLength: 9}", "type: {maxLength: 10}",
			"request-property-max-length-increased", "type: {maxLength: 10}", Harmless},
		{"an inline field is gone", "                        user: {type: string}\n", "", "request-property-removed",
			"post:", MayBreak},
		{"one more is required", "required: [type]\n                      properties:", "required: [type, user]\n                      properties:",
			"request-property-became-required", "required: [type, user]", Breaks},
		{"a part takes no other fields", "    Typed:\n", "    Typed:\n      additionalProperties: false\n",
			"request-all-of-added", "allOf:", Breaks},
		{"a part says what it is not", "    Typed:\n", "    Typed:\n      not: {required: [password]}\n",
			"request-not-added", "not: {required: [password]}", Breaks},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			edited := strings.Replace(inParts, test.old, test.new, 1)
			if test.id != "" && edited == inParts {
				t.Fatalf("there is no %q", test.old)
			}
			changes := changesOf(t, allOfSpec, edited)
			if test.id == "" {
				if len(changes) > 0 {
					t.Errorf("this is equal: %+v", changes)
				}
				return
			}
			if !slices.ContainsFunc(changes, func(c Change) bool {
				return c.ID == test.id && c.Severity == test.severity && c.Place.File == "edited.yaml" &&
					strings.TrimSpace(strings.Split(edited, "\n")[c.Place.Line-1]) == test.line
			}) {
				t.Errorf("no %s that %s at %q in %+v", test.id, test.severity, test.line, changes)
			}
			if len(changes) != 1 && test.name != "a field of the component is gone" {
				t.Errorf("it is not one change: %+v", changes)
			}
		})
	}
}

// TestPublishedAllOf: a field that Matrix's login.yaml has inside an allOf is not reported as removed.
func TestPublishedAllOf(t *testing.T) {
	t.Parallel()
	login := filepath.Join(publishedSpecs(t), "matrix-spec", "client-server", "login.yaml")
	_, report, err := compare(inputOfFiles(t, login))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Changes {
		if strings.Contains(c.Text, "m.homeserver`") || strings.Contains(c.Text, "to `any`") ||
			strings.Contains(c.ID, "all-of") {
			t.Errorf("this has not changed: %s", c.Text)
		}
	}
	if len(report.Changes) == 0 {
		t.Error("nothing has changed")
	}
}
