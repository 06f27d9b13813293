package adminapi

import (
	"os"
	"strings"
	"testing"
)

// TestTable: docs/admin-tools.md says of each request what becomes of it, and names each that does not just pass.
func TestTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/admin-tools.md")
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		request, found := strings.CutPrefix(cells[0], "| `")
		if !found || len(cells) != 4 {
			continue
		}
		request, _, _ = strings.Cut(request, "`")
		method, path, _ := strings.Cut(request, " ")
		path, _, _ = strings.Cut(path, "?")
		call := Find(method, Prefix+path)
		if string(call.Kind) != cells[2] {
			t.Errorf("%s is %s, the table says %s", request, call.Kind, cells[2])
		}
		named[call.Method+" "+call.Path] = true
	}
	for _, call := range Calls {
		if !named[call.Method+" "+call.Path] {
			t.Errorf("the table lacks %s %s", call.Method, call.Path)
		}
	}
}

// TestFind: a path is what Synapse takes it for: its words are compared as they were sent, and only what stands between
// them is decoded.
func TestFind(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"v1/reset_password/@bob:home.test":         "@bob:home.test",
		"v1/reset_password/%40bob%3Ahome.test":     "@bob:home.test",
		"v1/reset_password/@bob%2Fadmin:home.test": "@bob/admin:home.test",
		"v1/reset_password/..%2f@bob:home.test":    "../@bob:home.test",
		"v1/reset_password/":                       "",
		"v1/reset_password":                        "passes",
		"v1/reset_password/@bob:home.test/":        "passes",
		"v1//reset_password/@bob:home.test":        "passes",
		"v1/reset%5Fpassword/@bob:home.test":       "passes",
		"v1/Reset_password/@bob:home.test":         "passes",
		"v1/../v1/reset_password/@bob:home.test":   "passes",
		"v2/reset_password/@bob:home.test":         "passes",
		"/v1/reset_password/@bob:home.test":        "passes",
	} {
		switch call := Find("POST", Prefix+path); {
		case want == "passes" && call.Kind != Passes:
			t.Errorf("%s is %s %s", path, call.Kind, call.Path)
		case want != "passes" && (call.Kind != Answered || call.Args[0] != want):
			t.Errorf("%s is %s of %q, want %q", path, call.Kind, call.Args, want)
		}
	}
	if call := Find("POST", "/_synapse/Admin/v1/reset_password/@bob:home.test"); call.Kind != Passes {
		t.Error("another prefix is taken for ours")
	}
}

// TestWithoutGuests: whatever a tool asks for, Synapse is asked for a list without guests, and for the rest as it came.
func TestWithoutGuests(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                                  "?guests=false",
		"?":                                 "?guests=false",
		"?guests=true":                      "?guests=false",
		"?from=0&guests=true&name=a%26b":    "?guests=false&from=0&name=a%26b",
		"?g%75ests=true;limit=10&&x":        "?guests=false&limit=10&x",
		"?not_user_type=bot&not_user_type=": "?guests=false&not_user_type=bot&not_user_type=",
	} {
		if got := withoutGuests(query); got != want {
			t.Errorf("%q becomes %q, want %q", query, got, want)
		}
	}
}
