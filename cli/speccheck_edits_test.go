package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"postern/handlers"
	"postern/speclab/impact"
	"postern/speclab/spec"
)

// unnoticedEdits are edits that the handlers compile with although one of them must change.
var unnoticedEdits = []*contractEdit{
	{
		name: "add an optional response field, TokenOwnerResponse.age",
		edit: []change{addTo("components schemas TokenOwnerResponse properties",
			"        age:\n          type: integer\n")},
		line: "age:", handler: []string{"(*Server).GetTokenOwner"},
	}, {
		name: "add an optional request field, RefreshRequest.hint",
		edit: []change{addTo("components schemas RefreshRequest properties",
			"        hint:\n          type: string\n")},
		line: "hint:", handler: []string{"(*Server).Refresh"},
	}, {
		name: "narrow a request field, RefreshRequest.refresh_token",
		edit: []change{replaceIn("components schemas RefreshRequest properties refresh_token", "type: string",
			"type: string\n          maxLength: 5")},
		line: "maxLength: 5", handler: []string{"(*Server).Refresh"},
	}, {
		name: "add a query parameter beside others, register",
		edit: []change{replaceIn("paths /_matrix/client/v3/register post", "      parameters:\n",
			"      parameters:\n        - name: hint\n          in: query\n          schema:\n            type: string\n")},
		line: "- name: hint", handler: []string{"(*Server).Register"},
	}, {
		name: "move a parameter, username of checkUsernameAvailability, into a header",
		edit: []change{replaceIn("paths /_matrix/client/v3/register/available get", "in: query", "in: header")},
		line: "- name: username", handler: []string{"(*Server).CheckUsernameAvailability"},
	}, {
		name: "rename a path, whoami",
		edit: []change{replaceIn("paths", "/_matrix/client/v3/account/whoami:", "/_matrix/client/v3/whoami:")},
		line: "/_matrix/client/v3/whoami:", handler: []string{"(*Server).GetTokenOwner"},
	}, {
		name: "rename a path of OAuth 2.0, token",
		edit: []change{replaceIn("paths", "/oauth2/token:", "/oauth2/tokens:")},
		line: "/oauth2/tokens:", handler: []string{"(*API).Token"},
	}, {
		name: "remove a status of OAuth 2.0, 503 of token",
		edit: []change{cutOut("paths /oauth2/token post responses \"503\"")},
		line: "responses:", handler: []string{"(*API).Token"},
	}, {
		name: "add an optional form field, RevocationRequest.reason",
		edit: []change{addTo("components schemas RevocationRequest properties",
			"        reason:\n          type: string\n")},
		line: "reason:", handler: []string{"(*API).Revoke"},
	},
}

// apply makes changes of the contract.
func apply(t *testing.T, changes ...change) string {
	t.Helper()
	text := string(read(t, contractFile))
	for _, change := range changes {
		var err error
		if text, err = change(text); err != nil {
			t.Fatal(err)
		}
	}
	return text
}

// loaded is a spec of one file.
func loaded(t *testing.T, name, text string) *spec.API {
	t.Helper()
	api, err := spec.Load(fstest.MapFS{name: &fstest.MapFile{Data: []byte(text)}}, name)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// checkOf checks an edit in process.
func checkOf(t *testing.T, e *contractEdit) (report *impact.Report, edited string) {
	t.Helper()
	edited = apply(t, slices.Concat(e.before, e.edit)...)
	module := "."
	if len(e.handlers) > 0 {
		module = t.TempDir()
		if err := os.CopyFS(module, built().Source); err != nil {
			t.Fatal(err)
		}
		for name, text := range e.handlers {
			write(t, filepath.Join(module, name), text)
		}
	}
	return checkText(t, apply(t, e.before...), edited, module), edited
}

func checkText(t *testing.T, contract, edited, module string) *impact.Report {
	t.Helper()
	module, err := filepath.Abs(module)
	if err != nil {
		t.Fatal(err)
	}
	report, err := impact.Check(context.Background(), impact.Input{
		Contract: loaded(t, contractFile, contract), Edited: loaded(t, "edited.yaml", edited),
		Config: read(t, generatorConfig), Alias: handlers.Alias, Source: impact.Source{Module: module},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Compiled {
		t.Fatal("it was not compiled")
	}
	return report
}

// TestSpecCheckEdits: a report leads from each kind of edit to its line and to the handlers that must change.
func TestSpecCheckEdits(t *testing.T) {
	compiles(t)
	for _, e := range slices.Concat(contractEdits, unnoticedEdits) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			report, edited := checkOf(t, e)
			e.blamed(t, report, edited)
			if e.exercise != "" || slices.Contains(unnoticedEdits, e) {
				if len(report.Tasks) > 0 {
					t.Errorf("the compiler was not expected to notice: %+v", report.Tasks)
				}
				return
			}
			var lines []string
			for _, o := range report.Tasks {
				for _, err := range o.Errors {
					lines = append(lines, err.File+": "+err.Message)
				}
			}
			for _, want := range e.want {
				if want.in(lines) == "" {
					t.Errorf("no task has %q in %s", want.says, want.file)
				}
			}
		})
	}
}

// blamed checks that a report leads to the line and the handlers that the edit expects.
func (e *contractEdit) blamed(t *testing.T, report *impact.Report, edited string) {
	t.Helper()
	var lines, handlers []string
	note := func(place spec.Position, of ...impact.Handler) {
		lines = append(lines, lineAt(t, edited, place))
		for _, h := range of {
			handlers = append(handlers, h.Name)
			if at := lineAt(t, string(sourceFile(t, e, h.File)), spec.Position{Line: h.Line}); !strings.HasPrefix(at,
				"func ") && h.Name != "Server" {
				t.Errorf("%s is not at %q", h, at)
			}
		}
	}
	for _, o := range report.Tasks {
		note(o.Cause.Place, o.Handler)
	}
	if len(report.Tasks) == 0 {
		for _, u := range report.Unnoticed {
			note(u.Place, u.Handlers...)
		}
	}
	slices.Sort(handlers)
	handlers = slices.Compact(handlers)
	for _, line := range lines {
		if line != e.line {
			t.Errorf("led back to the line %q and not to %q", line, e.line)
		}
	}
	if len(lines) == 0 || !slices.Equal(handlers, e.handler) {
		t.Errorf("the tasks are those of %q, and not of %q\n%+v", handlers, e.handler, report)
	}
}

// sourceFile is a file of the handlers, or one that the edit brings along.
func sourceFile(t *testing.T, e *contractEdit, name string) []byte {
	t.Helper()
	if text, own := e.handlers[name]; own {
		return []byte(text)
	}
	return read(t, name)
}

// lineAt is a line without the space around it.
func lineAt(t *testing.T, text string, place spec.Position) string {
	t.Helper()
	lines := strings.Split(text, "\n")
	if place.Line < 1 || place.Line > len(lines) {
		t.Fatalf("%s is not in the file", place)
	}
	return strings.TrimSpace(lines[place.Line-1])
}

// TestSpecCheckPaste: with the printed signatures pasted, the handlers compile and no task is left.
func TestSpecCheckPaste(t *testing.T) {
	compiles(t)
	t.Parallel()
	edited := apply(t, addTo("paths", getKnock),
		addTo("paths", strings.NewReplacer("knock/{device}", "bell/{device}", "getKnock",
			"ring_bell").Replace(getKnock)))
	contract := string(read(t, contractFile))
	report := checkText(t, contract, edited, ".")
	code := "package handlers\n\nimport (\n\t\"context\"\n\n\t\"postern/gen\"\n)\n"
	for _, o := range report.Tasks {
		code += "\n" + o.Signature + "\n"
	}
	if strings.Count(code, "func (s *Server)") != 2 {
		t.Fatalf("not two methods are owed:\n%s", code)
	}
	module := t.TempDir()
	if err := os.CopyFS(module, built().Source); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(module, "handlers", "pasted.go"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if report := checkText(t, contract, edited, module); len(report.Tasks) > 0 {
		t.Errorf("pasted, and still owed: %+v\n%s", report.Tasks, code)
	}
}
