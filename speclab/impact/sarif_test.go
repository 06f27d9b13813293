package impact

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/url"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"postern/speclab/spec"
)

// sarifOf writes a report as SARIF and holds it against the schema that OASIS has published with the standard.
func sarifOf(t *testing.T, r *Report) (log sarifLog) {
	t.Helper()
	file, err := os.Open("testdata/sarif-schema-2.1.0.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(sarifSchema, schema); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.WriteSARIF(&text); err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MustCompile(sarifSchema).Validate(value); err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	if err := json.Unmarshal(text.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	return log
}

// TestSARIF: every kind of finding is a result at its line, under a rule of its kind.
func TestSARIF(t *testing.T) {
	t.Parallel()
	at := func(file string, line, column int) spec.Position {
		return spec.Position{File: file, Line: line, Column: column}
	}
	var full Report // a real one, and what it has none of
	if err := json.Unmarshal(read(t, "cli/testdata/speccheck.json"), &full); err != nil {
		t.Fatal(err)
	}
	full.Gaps = append(full.Gaps, spec.Problem{Position: at("a,b:c%/é.yaml", 7, 2), What: "a reference"})
	for name, r := range map[string]*Report{"full": &full, "empty": {alone: true, Reason: "no Go"}, "unusable": {
		Problems: []spec.Problem{{Position: at("/abs/x y.yaml", 0, 0), What: "what", Fix: "the fix"}}}} {
		run := sarifOf(t, r).Runs[0]
		want := len(r.Gaps) + len(r.Changes) + len(r.Tasks) + len(r.Unnoticed) + len(r.Problems)
		if len(run.Results) != want || run.Invocations[0].ExitCode != r.ExitStatus() {
			t.Errorf("%s: %d results and not %d, exit status %+v", name, len(run.Results), want, run.Invocations)
		}
		for i, a := range r.annotations() {
			result := run.Results[i]
			place := result.Locations[0].Physical
			uri, err := url.Parse(place.Artifact.URI)
			if err != nil {
				t.Fatal(err)
			}
			got := []any{run.Tool.Driver.Rules[result.RuleIndex].ID, result.Level, result.Message.Text,
				pathOf(uri), place.Region.StartLine, place.Region.StartColumn}
			level := map[string]string{"error": "error", "warning": "warning", "notice": "note"}[a.level]
			wanted := []any{a.rule, level, a.title + ": " + a.text, a.at.File, max(a.at.Line, 1), a.at.Column}
			if diff := cmp.Diff(wanted, got); diff != "" || result.RuleID != a.rule {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

// pathOf is the name of a file by its URI.
func pathOf(uri *url.URL) string {
	name := uri.Path
	if uri.Scheme == "" && len(name) > 2 && name[:2] == "./" {
		name = name[2:]
	}
	return name
}
