package mock

import (
	"fmt"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// TestKeywordsOfADocument: one walk over a document finds of each schema what a walk from that schema finds.
func TestKeywordsOfADocument(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "schemas")
		var text strings.Builder
		text.WriteString("openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths: {}\ncomponents:\n  schemas:\n")
		for i := range n {
			fmt.Fprintf(&text, "    S%d: {type: object, properties: {", i)
			for j := range rapid.IntRange(0, 3).Draw(t, "references") {
				fmt.Fprintf(&text, "p%d: {$ref: '#/components/schemas/S%d'}, ", j, rapid.IntRange(0, n-1).Draw(t, "to"))
			}
			if rapid.IntRange(0, 5).Draw(t, "modern") == 0 {
				text.WriteString("c: {const: 1}, ")
			}
			text.WriteString("}}\n")
		}
		doc, err := openapi3.NewLoader().LoadFromData([]byte(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		all := keywordsOf(doc)
		for name, ref := range doc.Components.Schemas {
			if want := keywords(nil).checker(ref.Value); all.checker(ref.Value) != want {
				t.Errorf("%s: %v, want %v\n%s", name, all.checker(ref.Value), want, text.String())
			}
		}
	})
}
