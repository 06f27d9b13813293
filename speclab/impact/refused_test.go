package impact

import (
	"errors"
	"strings"
	"testing"

	"postern/speclab/spec"
)

// refusable is a spec with names that the generator refuses; the lines with them end in what is said of them.
const refusable = `openapi: 3.1.0
info: {title: refusable, version: '1'}
paths:
  /fine: {get: {operationId: fine, responses: {'204': {description: done}}}}
  '/a in schema "S"': # OpenAPI path may not contain a double quote
    get: {operationId: quoted, responses: {'204': {description: done}}}
  /odd:
    post:
      "operationId": "one\ntwo" # operationId in POST path "/odd"
      requestBody:
        content:
          application/json:
            schema:
              type: object
              properties:
                inner:
                  type: array
                  items:
                    type: object
                    properties:
                      "three\nfour": {type: string} # property name in items in property "inner"
      responses: {'204': {description: done}}
components:
  schemas:
    S:
      type: object
      properties:
        fine: {type: string}
        "five\nsix": {type: string} # property name in schema "S"
`

// TestRefused: what the generator refuses is told of the lines that it is about, each by itself.
func TestRefused(t *testing.T) {
	t.Parallel()
	_, err := Check(t.Context(), inputOf(t, refusable))
	var problems spec.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("it was not refused: %v", err)
	}
	told := make(map[int]string)
	for _, p := range problems {
		if strings.Contains(p.What, "\n") || told[p.Line] != "" {
			t.Errorf("two problems in one, or of one line: %q", p.What)
		}
		told[p.Line] = p.What
	}
	number := 0
	for line := range strings.Lines(refusable) {
		number++
		_, want, marked := strings.Cut(strings.TrimSpace(line), " # ")
		if what := told[number]; marked && !strings.HasPrefix(what, want) || !marked && what != "" {
			t.Errorf("line %d, %q, is told: %q", number, line, what)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

// TestRefusedName: two types of one name are told of the component that has it, so far as one has.
func TestRefusedName(t *testing.T) {
	t.Parallel()
	_, err := Check(t.Context(), inputOf(t, `openapi: 3.1.0
info: {title: refusable, version: '1'}
paths:
  /a:
    get:
      operationId: getA
      responses:
        '200':
          description: a union whose first member gets the name of the component
          content: {application/json: {schema: {oneOf: [{type: object, properties: {a: {type: string}}}, {type: string}]}}}
components:
  schemas:
    GetA200JSONResponseBody0: {type: object, properties: {b: {type: string}}}
`))
	var problems spec.Problems
	if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Line != 13 {
		t.Errorf("it is told as: %v", err)
	}
}
