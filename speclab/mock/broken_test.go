package mock_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/speclab/spec"
)

// broken is what the document says of a save that cannot be served.
type broken struct {
	Since    time.Time     `json:"since"`
	Problems spec.Problems `json:"problems"`
}

// broken waits until the document says of the last save what is asked for, or says nothing of it.
func (b *bench) broken(says string) *broken {
	b.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var document struct {
			Paths  map[string]any
			Broken *broken `json:"x-postern-broken"`
		}
		fatal(b, json.Unmarshal([]byte(b.server.Document()), &document))
		if document.Paths["/hello"] == nil {
			b.Fatal("the document lost the last good spec")
		}
		if of := document.Broken; says == "" && of == nil || says != "" && of != nil &&
			strings.Contains(of.Problems.Error(), says) {
			return of
		}
		if time.Now().After(deadline) {
			b.Fatalf("the document does not say %q: %+v", says, document.Broken)
		}
	}
}

// TestBrokenSaves: whatever is wrong with a save, the document says it as the console does, until it is mended.
func TestBrokenSaves(t *testing.T) {
	t.Parallel()
	b := newBench(t, "hello.yaml", hello)
	b.broken("")
	for _, test := range []struct {
		name, text string
		line       int
	}{
		{"no YAML", hello + "  /never: [\n", 18},
		{"no OpenAPI", strings.Replace(hello, "getHello", "[1]", 1), 6},
		{"a reference to nothing", strings.Replace(hello, "{type: string}", `{$ref: "#/components/schemas/No"}`, 1),
			15},
		{"empty", "", 1},
	} {
		b.save("hello.yaml", test.text)
		got := b.broken(fmt.Sprintf("hello.yaml:%d:", test.line))
		b.says("spec: "+got.Problems[0].Error(), 1)
		if first := got.Problems[0]; first.Line != test.line || filepath.Base(first.File) != "hello.yaml" ||
			first.What == "" || got.Since.IsZero() {
			t.Errorf("%s: the document says %+v", test.name, got)
		}
	}
	fatal(t, os.Remove(filepath.Join(b.dir, "hello.yaml")))
	b.broken("hello.yaml: ")
	b.want(b.ask("GET", "/hello", "", ""), 200, "spec")
	b.save("hello.yaml", hello)
	b.broken("")
	b.says("as it was before it broke", 1)
}
