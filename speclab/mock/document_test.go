package mock_test

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestDocument: the API that is served is one valid document, with what only the contract has, and tells who answers.
func TestDocument(t *testing.T) {
	t.Parallel()
	b := newBench(t, "login.yaml", `openapi: 3.0.3
info: {title: mine, version: "1"}
paths:
  /_matrix/client/v3/login:
    get:
      operationId: getLoginFlows
      responses:
        "200": {description: flows}
        "500": {$ref: "#/components/responses/Unavailable"}
  /_matrix/client/v3/devices/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    get:
      operationId: getDevice
      responses:
        "200": {description: device}
    patch:
      operationId: patchDevice
      responses:
        "200": {description: device}
components:
  responses:
    Unavailable: {description: mine}
`)
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData([]byte(b.server.Document()))
	fatal(t, err)
	fatal(t, doc.Validate(t.Context(), openapi3.DisableExamplesValidation(),
		openapi3.AllowExtraSiblingFields("description")))
	for _, test := range []struct{ path, method, by string }{
		{"/_matrix/client/v3/login", "GET", "real"},
		{"/_matrix/client/v3/login", "POST", "real"},
		{"/_matrix/client/v3/devices/{id}", "GET", "real"},
		{"/_matrix/client/v3/devices/{id}", "PATCH", "spec"},
		{"/_matrix/client/v3/devices/{id}", "PUT", "real"},
		{"/_matrix/client/v3/account/whoami", "GET", "real"},
		{"/_matrix/client/api/v1/login", "POST", "real"},
	} {
		item := doc.Paths.Value(test.path)
		if item == nil || item.GetOperation(test.method) == nil {
			t.Errorf("%s %s is not in the document", test.method, test.path)
			continue
		}
		if by := item.GetOperation(test.method).Extensions["x-postern-answered-by"]; by != test.by {
			t.Errorf("%s %s is answered by %v, want %s", test.method, test.path, by, test.by)
		}
	}
	if mine := doc.Paths.Value("/_matrix/client/v3/login").Get.Responses.Value(
		"500").Value; *mine.Description != "mine" {
		t.Errorf("the edited spec's own response became %q", *mine.Description)
	}
	if theirs := doc.Paths.Value("/_matrix/client/v3/login").Post.Responses.Value(
		"503").Value; *theirs.Description == "mine" {
		t.Error("the contract's response became the edited spec's")
	}
	if doc.Paths.Value("/_matrix/client/v3/devices/{id}").Put.Parameters.GetByInAndName("path", "id") == nil {
		t.Error("the contract's operation lost the parameters of its path")
	}
}
