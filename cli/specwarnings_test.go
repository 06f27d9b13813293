package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// faulty is an operation with everything that is wrong in a spec and keeps nothing from being used.
const faulty = `  /_matrix/client/v3/faulty/{room}:
    post:
      operationId: login
      parameters:
        - {name: user, in: path, required: true, schema: {type: string}}
        - {name: q, in: query}
      security: [{nowhere: []}]
      requestBody:
        content:
          application/json:
            schema: {type: object, properties: {reason: {type: string, default: 3}}}
            example: {reason: 1}
      responses:
        "400": {description: no}
`

// warned are the warnings that are wanted of it, without their places.
var warned = []string{
	`the parameter {room} of the path is not defined; it is read as text; add it to parameters, with in: path`,
	`the path /_matrix/client/v3/faulty/{room} has no {user}: the parameter is left out; add it to the path, or remove the parameter`,
	`the parameter "q" has neither schema nor content; any value is taken; add schema:`,
	`the security scheme "nowhere" is defined nowhere; a bearer token is assumed; define it under securitySchemes`,
	"the default does not match its schema: it must be of type string; correct it, or the schema (see api/login.yaml:N)",
	"the example does not match its schema: `reason`: it must be of type string; correct it, or the schema (see api/login.yaml:N)",
	`the operation has no response that is a success; add one such as 200, or default; if it always refuses, add x-refuses: true`,
	`the operation name "login" is there already; this one is called PostMatrixClientV3Login; give it a name of its own (see api/login.yaml:N)`,
}

// warnings are the warnings of what was printed, with the names of the files below a folder.
func warnings(printed, dir string) (all []string) {
	for line := range strings.Lines(printed) {
		if line = strings.ReplaceAll(line, filepath.ToSlash(dir)+"/", ""); strings.Contains(line, ": warning: ") {
			all = append(all, strings.TrimSuffix(strings.TrimPrefix(line, "spec: "), "\n"))
		}
	}
	return all
}

var position = regexp.MustCompile(`login\.yaml:\d+:\d+`)

// checkedIn is `postern spec check` of the contract in a folder, without Go, which costs too much time.
func checkedIn(t *testing.T, dir, format string) specRun {
	t.Helper()
	return specCheckIn(t, dir, []string{"PATH="}, "--format", format, "api/login.yaml")
}

// TestSpecWarnings: `spec check` and `serve --spec`, at its start and after a save, say the same of what is wrong, in
// the same words, and in all formats.
func TestSpecWarnings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "api", "login.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, file, apply(t, addTo("paths", faulty)))
	text := checkedIn(t, dir, "text")
	said := warnings(text.stdout, dir)
	var words []string
	for _, line := range said {
		_, what, _ := strings.Cut(line, ": warning: ")
		words = append(words, position.ReplaceAllString(what, "login.yaml:N"))
	}
	if !slices.Equal(words, warned) || text.status != 0 {
		t.Fatalf("with status %d it says\n%s\nwant\n%s", text.status, strings.Join(words, "\n"),
			strings.Join(warned, "\n"))
	}
	var inJSON []string
	for _, p := range report(t, checkedIn(t, dir, "json")).Gaps {
		inJSON = append(inJSON, p.Warning())
	}
	if !slices.Equal(inJSON, said) {
		t.Errorf("as JSON it says\n%s", strings.Join(inJSON, "\n"))
	}
	var annotated []string
	for line := range strings.Lines(checkedIn(t, dir, "github").stdout) {
		if m := workflowCommand.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil && m[1] == "warning" &&
			m[5] == "Wrong in the spec" {
			annotated = append(annotated, m[2]+":"+m[3]+":"+m[4]+": warning: "+m[6])
		}
	}
	if !slices.Equal(annotated, said) {
		t.Errorf("as annotations it says\n%s", strings.Join(annotated, "\n"))
	}

	s := newInstallation(t).serve("--spec", file)
	if got := warnings(s.out.String(), dir); !slices.Equal(got, said) {
		t.Errorf("at its start the server says\n%s", strings.Join(got, "\n"))
	}
	write(t, file, apply(t))
	s.says("spec: no warnings any more")
	before := s.out.String()
	write(t, file, apply(t, addTo("paths", faulty)))
	until(t, "the reload says the same", func() bool {
		return slices.Equal(warnings(strings.TrimPrefix(s.out.String(), before), dir), said)
	})
}

// TestSpecFaultsPage: the example in docs/spec-faults.md prints what the page says.
func TestSpecFaultsPage(t *testing.T) {
	t.Parallel()
	page := string(read(t, "docs/spec-faults.md"))
	_, rest, _ := strings.Cut(page, "```yaml\n")
	text, rest, _ := strings.Cut(rest, "```\n")
	_, rest, _ = strings.Cut(rest, "```\n")
	want, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("the page has no spec and what is printed of it")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "knock.yaml"), text)
	run := specCheckIn(t, dir, []string{"PATH="}, "knock.yaml")
	if run.status != 0 || !strings.HasPrefix(run.stdout, want) {
		t.Errorf("with status %d it prints\n%s\nand not\n%s", run.status, run.stdout, want)
	}
}
