package spec

import (
	"slices"
	"strings"
	"testing"
)

// TestHabitsOfTheWorld: what published specs of others do is read, and what is left out of it is reported. See
// docs/specs-tried.md.
func TestHabitsOfTheWorld(t *testing.T) {
	t.Parallel()
	const info = "info: {title: t, version: '1'}\n"
	const answers = "{responses: {200: {description: ok}}}"
	for _, test := range []struct{ name, spec, gap, want string }{
		{"OpenAPI 3.2", "openapi: 3.2.0\n" + info + "paths: {/a: {get: " + answers + ", query: " + answers + "}}\n",
			"spec.yaml:1:1: openapi: 3.2.0 is read as 3.1, and what 3.2 added to it is left out", `"/a":{"get"`},
		{"a field that an operation does not have", "openapi: 3.1.0\n" + info +
			"paths: {/a: {get: {produces: [a/b], responses: {200: {description: ok}}}}}\n",
			`"produces" is no field of an operation and is left out`, `"/a":{"get"`},
		{"a code point in a pattern", "openapi: 3.1.0\n" + info +
			`components: {schemas: {A: {type: string, pattern: '^[\u0080-\u024F]+$'}}}` + "\n",
			"", `"pattern":"^[\\u0080-\\u024F]+$"`},
		{"a description in another file", "-- spec.yaml --\nopenapi: 3.0.3\n" +
			"info: {title: t, version: '1', description: {$ref: 'words.yaml#/intro'}}\n-- words.yaml --\nintro: Hello.\n",
			"", `"description":"Hello."`},
		{"a description in a file that is not there", "openapi: 3.0.3\n" +
			"info: {title: t, version: '1', description: {$ref: 'words.yaml#/intro'}}\npaths: {/a: {get: " + answers + "}}\n",
			"spec.yaml:2:46: the file of the reference \"words.yaml#/intro\" is not there", `"/a":{"get"`},
		{"a license with two addresses", "openapi: 3.1.0\n" +
			"info: {title: t, version: '1', license: {name: MIT, url: 'https://example.org', identifier: MIT}}\n",
			"spec.yaml:2:81: a license has an identifier or a url, not both: the identifier is left out",
			`"url":"https://example.org"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			api, err := Load(folder(test.spec), "spec.yaml")
			if err != nil {
				t.Fatal(err)
			}
			text, err := api.Doc.MarshalJSON()
			if err != nil || !strings.Contains(string(text), test.want) {
				t.Errorf("the document is %s, %v; want %s in it", text, err, test.want)
			}
			told := slices.ContainsFunc(api.Gaps, func(p Problem) bool {
				return strings.Contains(p.Error(), test.gap) && p.Fix != ""
			})
			if told != (test.gap != "") {
				t.Errorf("the gaps are %v, want %q", api.Gaps, test.gap)
			}
		})
	}
}
