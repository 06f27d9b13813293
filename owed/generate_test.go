package owed

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestGenerate: it makes the same bytes as `go generate`.
func TestGenerate(t *testing.T) {
	config, err := os.ReadFile("../oapi-config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGenerator(config, mod)
	if err != nil {
		t.Fatal(err)
	}
	contract, err := os.ReadFile("../api/login.yaml")
	if err != nil {
		t.Fatal(err)
	}
	loader := openapi3.NewLoader()
	loader.IncludeOrigin = true
	start := time.Now()
	api, err := loader.LoadFromData(contract)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(start))
	code, _, err := g.generate(api)
	t.Log(time.Since(start))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../gen/gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal([]byte(code), want) {
		os.WriteFile("/tmp/ow2/gen.go", []byte(code), 0o600)
		t.Error("it is not gen/gen.go")
	}
}
