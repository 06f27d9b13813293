package impact

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"postern/speclab/spec"
)

// inputOf is a check of a spec against the contract, in this module.
func inputOf(t *testing.T, text string) Input {
	t.Helper()
	in := inputFor(t)
	in.Edited = loaded(t, "edited.yaml", text)
	return in
}

// inputFor is a check against the contract, in this module; it has no edited spec yet.
func inputFor(t *testing.T) Input {
	t.Helper()
	module, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	contract, err := readContract()
	if err != nil {
		t.Fatal(err)
	}
	return Input{Contract: contract, Config: read(t, "oapi-config.yaml"), Source: Source{Module: module}}
}

// readContract reads the contract once for all tests.
var readContract = sync.OnceValues(func() (*spec.API, error) { return spec.Load(os.DirFS("../.."), contractFile) })

// TestTooManyToCompile: a spec of more operations than the compiler is given is compared, and the report says why no
// more was done.
func TestTooManyToCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("compares and generates a thousand operations")
	}
	t.Parallel()
	var text strings.Builder
	text.WriteString("openapi: 3.1.0\ninfo: {title: many, version: '1'}\npaths:\n")
	for i := range mostCompiled + 1 {
		fmt.Fprintf(&text, "  /many/%d: {get: {operationId: many_%d, responses: {'204': {description: done}}}}\n", i, i)
	}
	in := inputOf(t, text.String())
	in.Whole = true
	report, err := Check(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if report.Compiled || !strings.Contains(report.Reason, "1001 operations are more than 1000") ||
		!strings.Contains(report.Reason, "check fewer files") {
		t.Errorf("compiled %v, because %q", report.Compiled, report.Reason)
	}
	if len(report.Changes) <= mostCompiled {
		t.Errorf("only %d changes were found", len(report.Changes))
	}
}
