package spec

import (
	"os"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// TestContract: of the contract that the generator reads by itself, it makes the same code by way of Load. So what is
// checked against a spec's code is checked against the code that go generate makes.
func TestContract(t *testing.T) {
	// not parallel: the generator keeps its state in globals
	doc, err := openapi3.NewLoader().LoadFromFile("../../api/login.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := codegen.Generate(doc, settings(t, "gen"))
	if err != nil {
		t.Fatal(err)
	}
	a := loaded(t, os.DirFS("../../api"), "login.yaml")
	got, err := generate(t, a, "gen")
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Error("by way of Load the contract becomes other code")
	}
	for _, gap := range a.Gaps {
		t.Error(gap)
	}
}
