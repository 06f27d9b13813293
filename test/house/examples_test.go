package house

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/test/rig/matrixtest"
)

// TestExamples: in every contract each body, each documented error, each parameter that a request must have and each
// header of an answer has an example, and examples fit what they are examples of. The spec lab's page begins with them,
// and where no handler is, they are the answer.
func TestExamples(t *testing.T) {
	t.Parallel()
	toModule()
	files, err := filepath.Glob("api/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range exampleProblems(t, raw) {
			t.Errorf("%s: %s", file, problem)
		}
	}
}

// exampleProblems says what of a contract has no example, and which examples do not fit.
func exampleProblems(t testing.TB, contract []byte) []string {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(contract)
	if err != nil {
		t.Fatal(err)
	}
	var found problems
	for path, item := range doc.Paths.Map() {
		found.parameters(path, item.Parameters)
		for _, op := range item.Operations() {
			found.parameters(op.OperationID, op.Parameters)
			if op.RequestBody != nil {
				found.body(op.OperationID, op.RequestBody.Value.Content, "")
			}
			for code, response := range op.Responses.Map() {
				where := op.OperationID + " " + code
				found.body(where, response.Value.Content, *response.Value.Description)
				for name, header := range response.Value.Headers {
					found.value(where+" "+name, header.Value.Schema.Value, header.Value.Example)
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

type problems []string

func (p *problems) parameters(where string, all openapi3.Parameters) {
	for _, one := range all {
		if one.Value.Required {
			p.value(where+" "+one.Value.Name, one.Value.Schema.Value, one.Value.Example)
		}
	}
}

// errcode is how a description names an error that the response may be.
var errcode = regexp.MustCompile("`([A-Z][A-Z0-9._]*[._][A-Z0-9_]+|invalid_[a-z_]+)`")

// body demands of each content an example, and of an error's one for each code that its description names.
func (p *problems) body(where string, contents openapi3.Content, description string) {
	for kind, media := range contents {
		examples := map[string]any{}
		if media.Example != nil {
			examples["example"] = media.Example
		}
		for name, one := range media.Examples {
			examples[name] = one.Value.Value
		}
		if len(examples) == 0 {
			*p = append(*p, where+" "+kind+" has no example")
		}
		var codes []string
		for _, name := range slices.Sorted(maps.Keys(examples)) {
			p.value(where+" "+name, media.Schema.Value, examples[name])
			object, _ := examples[name].(map[string]any)
			for _, field := range []string{"errcode", "error"} {
				code, _ := object[field].(string)
				codes = append(codes, code)
			}
		}
		for _, code := range errcode.FindAllStringSubmatch(description, -1) {
			if !slices.Contains(codes, code[1]) {
				*p = append(*p, where+" has no example of "+code[1])
			}
		}
	}
}

func (p *problems) value(where string, schema *openapi3.Schema, value any) {
	if value == nil {
		*p = append(*p, where+" has no example")
		return
	}
	err := schema.VisitJSON(value)
	if err == nil {
		err = matrixtest.Undeclared(schema, value)
	}
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), "\n")
		*p = append(*p, where+": the example does not fit: "+text)
	}
}

// TestExamplesMissed: the test above sees what is missing and what does not fit.
func TestExamplesMissed(t *testing.T) {
	t.Parallel()
	const head = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /a/{id}:\n    post:\n" +
		"      operationId: a\n"
	const fits = head + `      parameters:
        - {name: id, in: path, required: true, schema: {type: string}, example: b}
      requestBody:
        content: {application/json: {schema: {type: object, properties: {n: {type: integer}}}, example: {n: 1}}}
      responses:
        "400":
          description: "` + "`M_BAD`" + `: it is bad."
          headers: {Retry-After: {schema: {type: integer}, example: 5}}
          content:
            application/json:
              schema: {type: object, properties: {errcode: {type: string}}}
              examples: {bad: {value: {errcode: M_BAD}}}
`
	for _, c := range []struct{ from, to, want string }{
		{", example: b", "", "a id has no example"},
		{", example: {n: 1}", "", "a application/json has no example"},
		{"{n: 1}", "{n: one}", "a example: the example does not fit: "},
		{"{n: 1}", "{m: 1}", `a example: the example does not fit: the contract declares no field "m"`},
		{", example: 5", "", "a 400 Retry-After has no example"},
		{"errcode: M_BAD}", "errcode: M_OTHER}", "a 400 has no example of M_BAD"},
		{"examples: {bad: {value: {errcode: M_BAD}}}", "", "a 400 application/json has no example"},
		{"", "", ""},
	} {
		found := exampleProblems(t, []byte(strings.Replace(fits, c.from, c.to, 1)))
		if got := strings.Join(found, "\n"); !strings.HasPrefix(got, c.want) || got != "" && c.want == "" {
			t.Errorf("%q for %q: %q", c.to, c.from, got)
		}
	}
}
