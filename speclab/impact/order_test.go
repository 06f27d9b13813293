package impact

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSameEachTime: a check that is made again prints the same. A change that many statuses, headers and
// parameters share is reported for one of them: for the same one each time.
func TestSameEachTime(t *testing.T) {
	t.Parallel()
	var was strings.Builder
	was.WriteString("openapi: 3.1.0\ninfo: {title: same, version: '1'}\npaths:\n")
	for i := range 6 {
		fmt.Fprintf(&was, "  /%d:\n    get:\n      parameters:\n", i)
		for _, name := range []string{"a", "b", "c"} {
			fmt.Fprintf(&was, "      - {name: %s, in: query, schema: {$ref: '#/components/schemas/S'}}\n", name)
		}
		was.WriteString("      responses:\n")
		for _, status := range []string{"200", "400", "403", "404"} {
			fmt.Fprintf(&was, "        '%s': {description: d, headers: {A: %[2]s, B: %[2]s}, content: {a/json: %[2]s, "+
				"b/json: %[2]s}}\n", status, "{schema: {$ref: '#/components/schemas/S'}}")
		}
	}
	was.WriteString("components: {schemas: {S: {type: object, properties: {a: {}, b: {}}}}}\n")
	is := strings.Replace(was.String(), "S: {", "S: {unevaluatedProperties: false, ", 1)
	print := func() string {
		var text strings.Builder
		if err := (&Report{Changes: changesOf(t, was.String(), is)}).WriteText(&text); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	first := print()
	if !strings.Contains(first, "unevaluatedProperties") {
		t.Fatal(first)
	}
	for range 4 {
		if diff := cmp.Diff(first, print()); diff != "" {
			t.Fatalf("it is another time:\n%s", diff)
		}
	}
}
