package spec

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// folder makes a file system of a text in which lines like "-- name --" begin a file. Without one it is spec.yaml.
func folder(text string) fstest.MapFS {
	fsys := fstest.MapFS{}
	name := "spec.yaml"
	var lines []string
	keep := func() {
		if len(lines) > 0 {
			fsys[name] = &fstest.MapFile{Data: []byte(strings.Join(lines, "\n") + "\n")}
		}
		lines = nil
	}
	for _, line := range strings.Split(strings.TrimSuffix(strings.TrimPrefix(text, "\n"), "\n"), "\n") {
		if inner, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(inner, " --") {
			keep()
			name = strings.TrimSuffix(inner, " --")
			continue
		}
		lines = append(lines, line)
	}
	keep()
	return fsys
}

// indented is a block at a depth.
func indented(depth int, block string) string {
	block = strings.Trim(block, "\n")
	return strings.Repeat(" ", depth) + strings.ReplaceAll(block, "\n", "\n"+strings.Repeat(" ", depth))
}

// withSchema is a spec in which a schema stands as a component, as a property, as a body and as an answer.
func withSchema(version, schema string) string {
	return fmt.Sprintf(`
openapi: %s
info: {title: t, version: '1'}
paths:
  /a:
    post:
      operationId: postA
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/S'}}}}
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema:
%s
        '400': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/S'}}}}
components:
  schemas:
    S:
%s
    Holder:
      type: object
      required: [must]
      properties:
        may: {$ref: '#/components/schemas/S'}
        must:
%s
        many: {type: array, items: {$ref: '#/components/schemas/S'}}
    Other: {type: object, properties: {o: {type: string}}}
    Text: {type: string}
`, version, indented(16, schema), indented(6, schema), indented(10, schema))
}

// withOperation is a spec with one operation, POST /a/{id}.
func withOperation(version, operation string) string {
	return fmt.Sprintf("openapi: %s\ninfo: {title: t, version: '1'}\npaths:\n  '/a/{id}':\n    post:\n%s\n", version,
		indented(6, operation))
}

// swagger is a spec of Swagger 2.0 with one operation, POST /a.
func swagger(operation, rest string) string {
	return fmt.Sprintf("swagger: '2.0'\ninfo: {title: t, version: '1'}\nbasePath: /base\npaths:\n  /a:\n    post:\n%s\n%s", indented(6, operation), rest)
}

// construct is something that spec authors write.
type construct struct {
	name string
	spec string
	want func(t *testing.T, a *API) // what matters of it, beyond that it compiles
	main []string                   // the files to give; spec.yaml where there are none
}

// TestConstructs loads each construct, asks what matters, and compiles all of them together; with -short it does not
// generate and compile.
func TestConstructs(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	seen := make(map[string]bool)
	for _, c := range constructs() {
		t.Run(c.name, func(t *testing.T) {
			if seen[c.name] {
				t.Fatal("two constructs of one name")
			}
			seen[c.name] = true
			if c.main == nil {
				c.main = []string{"spec.yaml"}
			}
			a := loaded(t, fs.FS(folder(c.spec)), c.main...)
			if c.want != nil {
				c.want(t, a)
			}
			if !testing.Short() {
				s.add(t, c.name, a)
			}
		})
	}
	if !testing.Short() {
		s.compile(t)
	}
}

// TestSameTwice: the same files give the same document, byte for byte.
func TestSameTwice(t *testing.T) {
	t.Parallel()
	for _, c := range constructs() {
		if c.main == nil {
			c.main = []string{"spec.yaml"}
		}
		first, err := loaded(t, folder(c.spec), c.main...).YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := loaded(t, folder(c.spec), c.main...).YAML()
		if err != nil {
			t.Fatal(err)
		}
		if string(first) != string(again) {
			t.Errorf("%s: the second time it is another", c.name)
		}
	}
}

func constructs() []construct {
	all := schemaConstructs()
	all = append(all, swaggerConstructs()...)
	all = append(all, operationConstructs()...)
	all = append(all, historyConstructs()...)
	all = append(all, worldConstructs()...)
	return append(all, fileConstructs()...)
}
