package mock_test

import (
	"reflect"
	"strconv"
	"strings"
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

// TestChoices: an operation that the spec answers lists the values of Prefer that choose its answer, and each of them
// does. A real operation lists none: most of its answers are the server's to give.
func TestChoices(t *testing.T) {
	t.Parallel()
	b := newBench(t, "moods.yaml", `openapi: 3.1.0
info: {title: moods, version: "1"}
paths:
  /_matrix/client/v3/account/whoami:
    get:
      operationId: getTokenOwner
      responses:
        "200": {description: the owner}
        "418": {description: a teapot}
  /mood:
    get:
      operationId: getMood
      responses:
        "102": {description: wait}
        "200":
          description: a mood
          content:
            application/json:
              examples:
                good mood: {value: {mood: good mood}}
                "so, so": {value: {mood: none can ask for it}}
                zest: {value: {mood: zest}}
        "500": {description: none}
        4XX: {description: no}
        default: {description: else}
`)
	doc, err := openapi3.NewLoader().LoadFromData([]byte(b.server.Document()))
	fatal(t, err)
	choices := func(path string) []any {
		all, _ := doc.Paths.Value(path).Get.Extensions["x-postern-prefer"].([]any)
		return all
	}
	want := []any{"code=200", "code=200, example=good mood", "code=200, example=zest", "code=400", "code=500"}
	if got := choices("/mood"); !reflect.DeepEqual(got, want) {
		t.Fatalf("the choices are %v, want %v", got, want)
	}
	for _, choice := range want {
		asked := choice.(string)
		code, example, _ := strings.Cut(strings.TrimPrefix(asked, "code="), ", example=")
		status, err := strconv.Atoi(code)
		fatal(t, err)
		a := b.want(b.ask("GET", "/mood", "", "", "Prefer", asked), status, "spec")
		if example != "" && a.JSON["mood"] != example {
			t.Errorf("%s is answered with %s", asked, a.Raw)
		}
	}
	if got := choices("/_matrix/client/v3/account/whoami"); got != nil {
		t.Errorf("a real operation has the choices %v", got)
	}
}
