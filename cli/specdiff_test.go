package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// diffSpec is an API that has nothing of ours.
const diffSpec = `openapi: 3.1.0
info: {title: pets, version: "1"}
paths:
  /pets:
    post:
      operationId: newPet
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
      responses:
        "200": {description: the pet, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
components: {schemas: {Pet: {type: object, required: [name], properties: {name: {type: string}, age: {type: integer}}}}}
`

// TestSpecDiff: exit statuses and formats of a comparison, in a folder without source and without Go.
func TestSpecDiff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, old, new string
		args           []string
		status         int
		says           string
	}{
		{name: "no change", status: 0, says: "0 changes: 0 break clients, 0 may, 0 do not\n"},
		{name: "the same in parts", old: "{type: object, required: [name],", new: "{allOf: [{required: [name]}], type: object,",
			status: 0, says: "0 changes"},
		{name: "breaks", old: "[name]", new: "[name, age]", status: 1, says: "new.yaml:10:61: "},
		{name: "may break", old: ", age: {type: integer}", status: 0, says: "0 break clients, 1 may, 1 do not"},
		{name: "3.1", old: "{type: object,", new: "{type: object, unevaluatedProperties: false,", status: 1,
			says: "added `unevaluatedProperties` `false` to the request body"},
		{name: "no YAML", old: "[name]", new: "[name", status: 2, says: "new.yaml:"},
		{name: "no such file", args: []string{"nowhere"}, status: 2, says: `unexpected argument nowhere`},
		{name: "an annotation", args: []string{"--format", "github", "--new-root", "/nowhere"}, status: 2,
			says: `::error title=The spec cannot be used::the root folder "/nowhere" does not hold`},
		{name: "no such format", args: []string{"--format", "xml"}, status: 2, says: "--format"},
		{name: "no such root", args: []string{"--old-root", "/nowhere"}, status: 2, says: `the root folder "/nowhere" does not hold`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "old.yaml"), diffSpec)
			write(t, filepath.Join(dir, "new.yaml"), strings.Replace(diffSpec, test.old, test.new, 1))
			args := append([]string{"spec", "diff", "old.yaml", "new.yaml"}, test.args...)
			run := programIn(t, dir, []string{"PATH="}, args...)
			if run.status != test.status || !strings.Contains(run.stdout+run.stderr, test.says) {
				t.Errorf("%+v, and not %d and %q", run, test.status, test.says)
			}
		})
	}
}

// TestSpecDiffDocs: the example of docs/spec-gate.md prints what it says there.
func TestSpecDiffDocs(t *testing.T) {
	t.Parallel()
	_, example, _ := strings.Cut(string(read(t, "docs/spec-gate.md")), "    $ postern spec diff main/api api\n")
	example, _, found := strings.Cut(example, "\n\n`OLD`")
	if !found {
		t.Fatal("there is no example")
	}
	dir := t.TempDir()
	main, _, _ := strings.Cut(diffSpec, "components:")
	main = strings.ReplaceAll(main, "#/components/schemas/Pet", "definitions/pet.yaml")
	pet := "# Pet\ntype: object\nrequired: [name]\nproperties:\n  name: {type: string}\n  age: {type: integer}\n"
	for file, text := range map[string]string{"main/api/api.yaml": main, "api/api.yaml": main,
		"main/api/definitions/pet.yaml": pet, "api/definitions/pet.yaml": strings.Replace(pet, "name]", "name, age]", 1)} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, file), text)
	}
	run := programIn(t, dir, nil, "spec", "diff", "main/api", "api")
	var want strings.Builder
	for line := range strings.Lines(example) {
		want.WriteString(strings.TrimPrefix(line, "    "))
	}
	diff := cmp.Diff(strings.TrimSpace(want.String()), strings.TrimSpace(run.stdout))
	if diff != "" || run.status != 1 {
		t.Errorf("exit status %d\n%s%s", run.status, diff, run.stderr)
	}
}

// TestSpecDiffFormats: the formats for machines say what the text says, with the same exit status.
func TestSpecDiffFormats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "old.yaml"), diffSpec)
	write(t, filepath.Join(dir, "new.yaml"), strings.Replace(diffSpec, "[name]", "[name, age]", 1))
	in := func(format string) string {
		run := programIn(t, dir, nil, "spec", "diff", "old.yaml", "new.yaml", "--format", format)
		if run.status != 1 || run.stderr != "" {
			t.Errorf("%s: %+v", format, run)
		}
		return run.stdout
	}
	want := report(t, specRun{stdout: in("json")})
	annotations := strings.Split(strings.TrimSpace(in("github")), "\n")
	if len(want.Changes) != 2 || len(annotations) != 3 || want.Compiled || want.Reason != "" {
		t.Fatalf("%+v\n%q", want, annotations)
	}
	var log struct {
		Version string
		Runs    []struct {
			Results []struct {
				RuleID, Level string
				Locations     []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(in("sarif")), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) != 2 {
		t.Fatalf("%+v", log)
	}
	for i, levels := range [][2]string{{"error", "error"}, {"notice", "note"}} {
		c, m, result := want.Changes[i], workflowCommand.FindStringSubmatch(annotations[i]), log.Runs[0].Results[i]
		if m == nil || m[1] != levels[0] || m[2] != "new.yaml" || !strings.HasPrefix(m[6], c.Text) {
			t.Errorf("%s is not %+v", annotations[i], c)
		}
		at := result.Locations[0].PhysicalLocation
		if result.RuleID != c.ID || result.Level != levels[1] || at.ArtifactLocation.URI != c.Place.File ||
			at.Region.StartLine != c.Place.Line || at.Region.StartColumn != c.Place.Column {
			t.Errorf("%+v is not %+v", result, c)
		}
	}
}
