package impact

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folderOf writes files into a folder of that name.
func folderOf(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	for file, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// diffOf compares two files or folders.
func diffOf(t *testing.T, old, edited string) *Report {
	t.Helper()
	report, err := Diff(Given{Files: []string{old}}, Given{Files: []string{edited}})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// petAPI is an API of two files that is not Matrix's. One reference leaves the folder and comes back by its name, and
// another leads to what is not there.
var petAPI = map[string]string{
	"api.yaml": `openapi: 3.1.0
info: {title: pets, version: "1"}
paths:
  /pets/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: pet
      responses:
        "200": {description: a pet, content: {application/json: {schema: {$ref: "../api/parts/pet.yaml"}}}}
        "404": {description: none, content: {application/json: {schema: {$ref: "../elsewhere/error.yaml"}}}}
    delete:
      operationId: removePet
      responses: {"204": {description: gone}}
`,
	"parts/pet.yaml": "type: object\nrequired: [name]\nproperties:\n  name: {type: string}\n",
}

// petsWith is that API with an edit in one file.
func petsWith(t *testing.T, file, old, new string) map[string]string {
	t.Helper()
	edited := map[string]string{}
	for name, text := range petAPI {
		edited[name] = text
	}
	edited[file] = strings.Replace(edited[file], old, new, 1)
	if edited[file] == petAPI[file] && old != new {
		t.Fatalf("%s holds no %q", file, old)
	}
	return edited
}

// TestDiff: an edit of a spec that is not ours is one change, at its line of the new files.
func TestDiff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, old, new string
		id, line             string // of the one change
		severity             Severity
	}{
		{name: "nothing", file: "api.yaml"},
		{"a field is required no more", "parts/pet.yaml", "required: [name]", "required: []",
			"response-property-became-optional", "type: object", Breaks},
		{"a keyword of 3.1", "parts/pet.yaml", "required: [name]", "required: [name]\nunevaluatedProperties: false",
			"response-unevaluated-properties-added", "unevaluatedProperties: false", Harmless},
		{"the field moves into an allOf", "parts/pet.yaml", "properties:\n  name: {type: string}",
			"allOf: [{properties: {name: {type: string}}}]", "", "", ""},
		{"an operation is gone", "api.yaml", "    delete:\n      operationId: removePet\n      responses: {\"204\": {description: gone}}\n", "",
			"api-removed-without-deprecation", "/pets/{id}:", Breaks},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			edited := petsWith(t, test.file, test.old, test.new)
			r := diffOf(t, folderOf(t, "api", petAPI), folderOf(t, "api", edited))
			if len(r.Problems) > 0 || len(r.Gaps) > 0 || test.id == "" && len(r.Changes) > 0 {
				t.Fatalf("%+v", r)
			}
			if test.id == "" {
				return
			}
			if len(r.Changes) != 1 {
				t.Fatalf("%+v", r.Changes)
			}
			c := r.Changes[0]
			line := strings.TrimSpace(strings.Split(edited[test.file], "\n")[c.Place.Line-1])
			if c.ID != test.id || c.Severity != test.severity || line != test.line ||
				!strings.HasSuffix(c.Place.File, "/api/"+test.file) {
				t.Errorf("%+v\nat %q", r.Changes, line)
			}
		})
	}
}

// TestDiffOfACopy: a folder that is a copy under another name is equal, whatever name its references have for it, and
// warnings of both are counted and not listed.
func TestDiffOfACopy(t *testing.T) {
	t.Parallel()
	original, copied := folderOf(t, "api", petAPI), folderOf(t, "edited", petAPI)
	for _, pair := range [][2]string{{original, copied}, {copied, original}} {
		r := diffOf(t, pair[0], pair[1])
		if len(r.Changes)+len(r.Gaps)+len(r.Problems) > 0 ||
			!strings.HasSuffix(r.Summary(), "; 1 warning that the old spec has too") {
			t.Errorf("%s %+v", r.Summary(), r)
		}
	}
	more := petsWith(t, "parts/pet.yaml", "{type: string}", "{$ref: nowhere.yaml}")
	r := diffOf(t, original, folderOf(t, "edited", more))
	if len(r.Gaps) != 1 || r.Gaps[0].Line != 4 || !strings.Contains(r.Gaps[0].What, "nowhere.yaml") {
		t.Errorf("%+v", r.Gaps)
	}
}

// TestDiffUnusable: the problems of both specs are reported together.
func TestDiffUnusable(t *testing.T) {
	t.Parallel()
	old := folderOf(t, "old", map[string]string{"a.yaml": "openapi: 3.1.0\npaths: {\n"})
	edited := folderOf(t, "new", map[string]string{"b.yaml": "openapi: 3.1.0\npaths: [\n"})
	r := diffOf(t, old, edited)
	if len(r.Problems) != 2 || !strings.HasSuffix(r.Problems[0].File, "old/a.yaml") ||
		!strings.HasSuffix(r.Problems[1].File, "new/b.yaml") || r.ExitStatus() != 2 {
		t.Errorf("%+v", r)
	}
	_, err := Diff(Given{Files: []string{"nowhere"}}, Given{Files: []string{"elsewhere"}})
	if err == nil || !strings.Contains(err.Error(), "nowhere") || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("%v", err)
	}
}
