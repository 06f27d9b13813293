package impact

import (
	"os"
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

// read is a file of the module.
func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
