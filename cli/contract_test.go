package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// The promise of this project is that an edit of the contract becomes a compile error in the file that must follow it.
// These tests keep it: they edit copies of api/login.yaml, generate, and compile. The edits are in
// contract_edits_test.go, the way from a contract to its errors in contract_pipeline_test.go.

var updateReadme = flag.Bool("update", false, "rewrite the table of edits in README.md")

// TestContractEdits tries every edit.
func TestContractEdits(t *testing.T) {
	p := newPipeline(t)
	t.Run("no edit", func(t *testing.T) {
		t.Parallel()
		unedited := p.generate(t, nil)
		if errs := p.build(t, unedited, nil); len(errs) > 0 {
			t.Errorf("the contract as it is does not compile:\n%s", strings.Join(errs, "\n"))
		}
		if !bytes.Equal(read(t, unedited), read(t, generated)) {
			t.Errorf("%s is not what %s generates: run go generate", generated, contractFile)
		}
	})
	for _, e := range contractEdits {
		if testing.Short() && !e.short {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			if len(e.before) > 0 {
				if errs := p.build(t, p.generate(t, e.before), e.handlers); len(errs) > 0 {
					t.Fatalf("already before the edit:\n%s", strings.Join(errs, "\n"))
				}
			}
			e.try(t, p)
			e.compare(t)
		})
	}
}

// try makes the edit unless another test has made it: generating and compiling take seconds.
func (e *contractEdit) try(t *testing.T, p *pipeline) {
	t.Helper()
	e.tried.Do(func() { e.found = p.try(t, e) })
}

// compare checks that the errors are in the files that must follow the edit, and in no others.
func (e *contractEdit) compare(t *testing.T) {
	t.Helper()
	var wrong []string
	for _, want := range e.want {
		if want.in(e.found) == "" {
			wrong = append(wrong, fmt.Sprintf("no error in %s says %q", want.file, want.says))
		}
	}
	for _, line := range e.found {
		if !e.blames(line) {
			wrong = append(wrong, "this file should not be blamed: "+line)
		}
	}
	if len(wrong) > 0 {
		t.Errorf("%s:\n%s\nthe errors are:\n%s", e.name, strings.Join(wrong, "\n"), strings.Join(e.found, "\n"))
	}
}

// TestReadmeTable holds the table in the README against what the compiler prints. With -update it is rewritten.
func TestReadmeTable(t *testing.T) {
	if testing.Short() {
		t.Skip("tries every edit")
	}
	const file, opening, closing = "README.md", "<!-- edits -->\n", "<!-- /edits -->"
	p := newPipeline(t)
	t.Run("edits", func(t *testing.T) { // has ended when all of them have
		for _, e := range contractEdits {
			t.Run(e.name, func(t *testing.T) {
				t.Parallel()
				e.try(t, p)
				e.compare(t)
			})
		}
	})
	var table strings.Builder
	table.WriteString("| Edit | What you see |\n|---|---|\n")
	for _, e := range contractEdits {
		table.WriteString(e.row())
	}
	head, rest, found := strings.Cut(string(read(t, file)), opening)
	old, tail, ended := strings.Cut(rest, closing)
	switch {
	case t.Failed(): // the table would be wrong
	case !found || !ended:
		t.Fatalf("%s has no place for the table, between %q and %q", file, opening, closing)
	case old == table.String():
	case *updateReadme:
		write(t, file, head+opening+table.String()+closing+tail)
	default:
		t.Errorf("the table of edits in %s is stale: run go test -run TestReadmeTable -update ./cli\nwant:\n%s", file,
			&table)
	}
}

// row is the edit's line of the table: the expected errors word for word, and a hint when there are more.
func (e *contractEdit) row() string {
	var cells []string
	for _, want := range e.want {
		cells = append(cells, "`"+want.in(e.found)+"`")
	}
	if e.exercise != "" {
		cells[0] = "It compiles; `go test " + e.exercise + "` says " + cells[0]
	}
	if len(e.found) > len(e.want) {
		cells = append(cells, "…")
	}
	return "| " + e.name + " | " + strings.Join(cells, "<br>") + " |\n"
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
