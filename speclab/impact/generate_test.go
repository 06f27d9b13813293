package impact

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestGenerate: it makes the same bytes as `go generate`, so that a watch does not leave what `make generate-check`
// calls stale.
func TestGenerate(t *testing.T) {
	t.Parallel()
	g, err := newGenerator(read(t, "oapi-config.yaml"), read(t, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	api, err := loadText(read(t, contractFile))
	if err != nil {
		t.Fatal(err)
	}
	code, _, err := g.generate(api)
	if err != nil {
		t.Fatal(err)
	}
	if code != string(read(t, generatedFile)) {
		t.Error("it is not gen/gen.go")
	}
}

// TestLongDescription: a long description that many properties refer to does not make gigabytes of comments.
func TestLongDescription(t *testing.T) {
	t.Parallel()
	text := strings.Builder{}
	text.WriteString("openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {}\ncomponents:\n  schemas:\n" +
		"    Long: {type: string, description: '" + strings.Repeat("ä", 500_000) + "'}\n")
	for i := range 100 {
		fmt.Fprintf(&text, "    S%d: {type: object, properties: {a: {$ref: '#/components/schemas/Long'}}}\n", i)
	}
	g, err := newGenerator(read(t, "oapi-config.yaml"), read(t, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	api, err := loadText([]byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	code, _, err := g.generate(api)
	if err != nil {
		t.Fatal(err)
	}
	if len(code) > 10<<20 || !strings.Contains(code, "ä…") {
		t.Errorf("it has %d bytes", len(code))
	}
}

// read is a file of the module.
func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
