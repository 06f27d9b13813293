package impact

import (
	"context"
	"testing"
)

// TestOverriddenParameter: an operation of a part of the API overrides a parameter of its path, be it written or
// referred to. OpenAPI 3.1, "Path Item Object".
func TestOverriddenParameter(t *testing.T) {
	t.Parallel()
	in := inputOf(t, `openapi: 3.1.0
info: {title: a part, version: '1'}
paths:
  /things/{id}:
    parameters: [{$ref: '#/components/parameters/Id'}, {name: q, in: query, schema: {type: string}}]
    get:
      operationId: getThing
      parameters: [{$ref: '#/components/parameters/Id'}, {name: q, in: header, schema: {type: string}}]
      responses: {'204': {description: done}}
    put:
      operationId: putThing
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {'204': {description: done}}
components:
  parameters:
    Id: {name: id, in: path, required: true, schema: {type: string}}
`)
	in.errors = func(context.Context, string, string, []string) ([]CompileError, error) { return nil, nil }
	if _, err := Check(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	c, _, err := compare(in)
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]int{"get": 3, "put": 2} {
		op := object(object(object(c.revision.tree, "paths"), "/things/{id}"), method)
		if all, _ := op["parameters"].([]any); len(all) != want {
			t.Errorf("%s has the parameters %v, want %d", method, all, want)
		}
	}
}
