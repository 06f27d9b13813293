package spec

import (
	"errors"
	"strings"
	"testing"
)

// TestProblems: each thing that is wrong is told with its place and what to write instead.
func TestProblems(t *testing.T) {
	t.Parallel()
	const head = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n"
	const path = head + "paths:\n  /a:\n    get:\n      responses:\n        '200': {description: ok, content: {application/json: {schema: "
	for _, test := range []struct {
		name, spec string
		files      []string
		want       []string // each the beginning of one problem, then "; " and part of its fix
	}{
		{"tab", head + "paths:\n\t/a: {}\n", nil, []string{"spec.yaml:4:1: a tab in the indentation; use spaces"}},
		{"tab within", head + "paths:\n  /a:\n  \tget: {}\n", nil, []string{"spec.yaml:5:1: a tab in the indentation; use spaces"}},
		{"a tab where it may be", head + "x-a: |\n  text\n  \ttab\n\n\n\npaths: {a: [}\n", nil, []string{"spec.yaml:9: not valid YAML"}},
		{"no YAML", head + "paths: {a: [}\n", nil, []string{"spec.yaml:3: not valid YAML"}},
		{"bad indentation", head + "paths:\n  /a:\n    get: {}\n   put: {}\n", nil, []string{"spec.yaml:6"}},
		{"key twice", head + "paths: {}\npaths: {}\n", nil, []string{"spec.yaml:4:1: the key \"paths\" stands here a second time (first on line 3)"}},
		{"no OpenAPI", "a: b\n", nil, []string{"spec.yaml:1:1: the file is no OpenAPI document"}},
		{"list", "- a\n", nil, []string{"spec.yaml:1: the file is no OpenAPI document"}},
		{"empty", "# nothing\n", nil, []string{"spec.yaml:1: the file is empty"}},
		{"not text", "a: \xff\n", nil, []string{"spec.yaml: the file is not UTF-8 text; save it as UTF-8"}},
		{"unknown version", "openapi: 4.0.0\n", nil, []string{"spec.yaml:1:1: openapi: 4.0.0 is no version that is known here; write"}},
		{"old version", "swagger: '1.2'\n", nil, []string{"spec.yaml:1:1: swagger: 1.2 is no version"}},
		{"not there", head, []string{"other.yaml"}, []string{"other.yaml: the file is not there"}},
		{"paths is a list", head + "paths: [a]\n", nil, []string{"spec.yaml:3:8: paths must be a mapping"}},
		{"operation is a text", head + "paths: {/a: {get: x}}\n", nil, []string{"spec.yaml:3:19: the operation must be a mapping"}},
		{"parameters are a mapping", head + "paths: {/a: {get: {parameters: {a: b}}}}\n", nil, []string{"spec.yaml:3:32: a list of parameters is expected"}},
		{"summary is a list", head + "paths: {/a: {get: {summary: [a]}}}\n", nil, []string{"spec.yaml:3:29: a text is expected here, not a list"}},
		{"deprecated is a number", head + "paths: {/a: {get: {deprecated: 3}}}\n", nil, []string{"spec.yaml:3:32: 3 is no true or false; write true or false"}},
		{"status", head + "paths: {/a: {get: {responses: {ok: {description: d}}}}}\n", nil, []string{"spec.yaml:3:32: \"OK\" is no status code; write one like 200"}},
		{"unknown type", path + "{type: strnig}}}}\n", nil, []string{"spec.yaml:7:78: there is no type \"strnig\"; write string"}},
		{"pointer to nothing", path + "{$ref: '#/components/schemas/Nope'}}}}\n", nil, []string{"spec.yaml:7:72: the reference \"#/components/schemas/Nope\" names nothing"}},
		{"pointer to nothing in a file", path + "{$ref: 'b.yaml#/Nope'}}}}\n-- b.yaml --\na: b\n", nil, []string{"spec.yaml:7:72: the reference \"b.yaml#/Nope\" names nothing: b.yaml has no \"/Nope\""}},
		{"other file broken", path + "{$ref: b.yaml}}}}\n-- b.yaml --\na: [\n", nil, []string{"b.yaml:"}},
		{"reference to itself", path + "{$ref: '#/components/schemas/A'}}}}\ncomponents: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}}}\n", nil, []string{"the reference", "the reference"}},
		{"allOf of itself", head + "components: {schemas: {A: {allOf: [{$ref: '#/components/schemas/A'}]}}}\n", nil, []string{"spec.yaml:3:24: the schema \"A\" leads only to itself"}},
		{"path item that is itself", head + "paths: {/a: {$ref: '#/paths/~1a'}}\n", nil, []string{"spec.yaml:3:13: the reference"}},
		{"parameter without a name", head + "paths: {/a: {get: {parameters: [{in: query}]}}}\n", nil, []string{"spec.yaml:3:33: a parameter without a name; add name:"}},
		{"parameter in nothing", head + "paths: {/a: {get: {parameters: [{in: body, name: b}]}}}\n", nil, []string{"spec.yaml:3:33: the parameter \"b\" is in \"body\"; write in:"}},
		{"security scheme", head + "components: {securitySchemes: {a: {type: basic}}}\n", nil, []string{"spec.yaml:3:35: a security scheme of type \"basic\"; write"}},
		{"two files, one operation", "-- a.yaml --\n" + head + "paths: {/a: {get: {responses: {200: {description: one}}}}}\n-- b.yaml --\n" + head + "paths: {/a: {get: {responses: {200: {description: two}}}}}\n", []string{"a.yaml", "b.yaml"}, []string{"b.yaml:3:14: GET /a is defined twice, and not alike; keep one of them (see a.yaml:3:14)"}},
		{"many at once", head + "paths:\n  /a: {get: {deprecated: 3, summary: [a]}}\n  /b: {get: x}\n", nil, []string{"spec.yaml:4:26", "spec.yaml:4:38", "spec.yaml:5:13"}},
		{"several files at once", "-- a.yaml --\n\ta: b\n-- b.yaml --\n" + head + "paths: [a]\n", []string{"a.yaml", "b.yaml"}, []string{"a.yaml:1:1", "b.yaml:3:8"}},
		{"alias of itself", head + "x-a: &a {b: *a}\n", nil, []string{"spec.yaml:3:"}},
		{"merge of a text", head + "x-a: &a b\nx-c: {<<: *a}\n", nil, []string{"spec.yaml:4:11: << merges a mapping"}},
		{"key that is a list", head + "? [a]\n: b\n", nil, []string{"spec.yaml:3:3: a key must be plain text"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := test.files
			if files == nil {
				files = []string{"spec.yaml"}
			}
			a, err := Load(folder(test.spec), files...)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("the error is %T %v, the API %v", err, err, a)
			}
			if len(problems) != len(test.want) {
				t.Errorf("%d problems, want %d", len(problems), len(test.want))
			}
			for i, p := range problems {
				if i < len(test.want) && !strings.HasPrefix(p.Error(), strings.Split(test.want[i], "\n")[0]) &&
					!strings.Contains(p.Error(), test.want[i]) || p.Fix == "" {
					t.Errorf("problem %d is\n%s\nwant\n%s", i, p.Error(), test.want[i])
				}
			}
		})
	}
}
