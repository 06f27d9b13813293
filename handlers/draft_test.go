package handlers

import (
	"postern/test/rig/matrixtest"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestDraftFacts holds the contract's draft door against the document of 2015: its paths, fields, types, required lists
// and status codes. What the contract adds to it is listed too, so that nothing slips in.
func TestDraftFacts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path                string
		request, response   []string // fields, all of them strings
		required            []string
		statuses, additions []string
	}{
		{
			path:      "/_matrix/client/api/v1/login",
			request:   []string{"username", "password"},
			required:  []string{"username", "password"},
			response:  []string{"user_id", "access_token", "refresh_token", "home_server"},
			statuses:  []string{"200", "403", "429"},
			additions: []string{"400", "413", "503"},
		}, {
			path:      "/_matrix/client/api/v1/tokenrefresh",
			request:   []string{"refresh_token"},
			required:  []string{"refresh_token"},
			response:  []string{"access_token", "refresh_token"},
			statuses:  []string{"200", "403", "429"},
			additions: []string{"400", "401", "413", "503"},
		},
	}
	for _, test := range tests {
		item := matrixtest.Contract().Paths.Value(test.path)
		if item == nil || item.Post == nil {
			t.Errorf("there is no POST %s", test.path)
			continue
		}
		body := item.Post.RequestBody.Value
		if body.Required {
			t.Errorf("%s: the draft leaves the body optional", test.path)
		}
		sameFields(t, test.path, body.Content.Get("application/json").Schema.Value, test.request, test.required)
		answer := item.Post.Responses.Value("200").Value.Content.Get("application/json").Schema.Value
		sameFields(t, test.path, answer, test.response, nil)
		var statuses []string
		for status := range item.Post.Responses.Map() {
			statuses = append(statuses, status)
		}
		if !same(statuses, append(test.statuses, test.additions...)) {
			t.Errorf("%s: statuses are %v", test.path, statuses)
		}
		if item.Post.Security != nil {
			t.Errorf("%s: no access token is needed here", test.path)
		}
	}
	e := matrixtest.Contract().Components.Schemas["Error"].Value
	if !same(e.Required, []string{"errcode"}) || e.Properties["error"] == nil {
		t.Error("the error is not the draft's")
	}
}

func sameFields(t *testing.T, path string, schema *openapi3.Schema, fields, required []string) {
	t.Helper()
	var names []string
	for name, field := range schema.Properties {
		names = append(names, name)
		if !field.Value.Type.Is("string") {
			t.Errorf("%s: %s is no string", path, name)
		}
	}
	if !same(names, fields) || !same(schema.Required, required) {
		t.Errorf("%s: fields are %v, required %v; the draft has %v and %v", path, names, schema.Required, fields,
			required)
	}
}

func same(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
