package mock

import (
	"errors"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"postern/speclab/spec"
)

// checker validates values by a schema. kin-openapi has two ways: its own, whose errors name the field, and JSON
// Schema 2020-12, which knows the keywords that OpenAPI 3.1 brought and is compiled for each value. The second is taken
// where one of those keywords is met.
type checker struct{ modern bool }

// keywords says of the schemas of a document whether they use, or lead to one that uses, a keyword of JSON Schema
// 2020-12. To walk from every schema to all that it leads to would take minutes where half an API leads to the other
// half.
type keywords map[*openapi3.Schema]bool

// keywordsOf walks the document once, and then back from the schemas that use such a keyword.
func keywordsOf(doc *openapi3.T) keywords {
	known, users := make(keywords), make(map[*openapi3.Schema][]*openapi3.Schema)
	var open []*openapi3.Schema
	_ = doc.WalkSchemas(func(_ string, ref *openapi3.SchemaRef) error { // it stops at no error
		if known[ref.Value] = usesModern(ref.Value); known[ref.Value] {
			open = append(open, ref.Value)
		}
		return ref.WalkSubtree(func(_ string, part *openapi3.SchemaRef) error {
			if part.Value == ref.Value {
				return nil
			}
			users[part.Value] = append(users[part.Value], ref.Value)
			return openapi3.SkipSubtree
		})
	})
	for ; len(open) > 0; open = open[1:] {
		for _, user := range users[open[0]] {
			if !known[user] {
				known[user] = true
				open = append(open, user)
			}
		}
	}
	return known
}

// checker is the one for a schema, be it of the document or made of some of its.
func (k keywords) checker(schema *openapi3.Schema) checker {
	found := errors.New("found")
	err := openapi3.NewSchemaRef("", schema).WalkSubtree(func(_ string, ref *openapi3.SchemaRef) error {
		switch modern, known := k[ref.Value]; {
		case modern || !known && usesModern(ref.Value):
			return found
		case known:
			return openapi3.SkipSubtree
		}
		return nil
	})
	return checker{modern: errors.Is(err, found)}
}

func usesModern(s *openapi3.Schema) bool {
	return s.Const != nil || len(s.PrefixItems) > 0 || s.Contains != nil || len(s.PatternProperties) > 0 ||
		len(s.DependentSchemas) > 0 ||
		s.PropertyNames != nil || s.UnevaluatedItems.Has != nil || s.UnevaluatedItems.Schema != nil ||
		s.UnevaluatedProperties.Has != nil || s.UnevaluatedProperties.Schema != nil ||
		s.If != nil || s.Then != nil || s.Else != nil || len(s.DependentRequired) > 0 || len(s.Defs) > 0
}

func (c checker) visit(schema *openapi3.Schema, value any, options ...openapi3.SchemaValidationOption) error {
	options = append(options, openapi3.SetSchemaRegexCompiler(lenient))
	if c.modern {
		options = append(options, openapi3.EnableJSONSchema2020())
	}
	return schema.VisitJSON(value, options...)
}

// lenient compiles a pattern of a spec. Patterns are ECMAScript's, and what Go cannot read (a lookahead) must not make
// every request wrong: such a pattern lets everything pass.
func lenient(pattern string) (openapi3.RegexMatcher, error) { return readPattern(pattern), nil }

// readPattern is a pattern that lets everything pass when it cannot be read.
func readPattern(pattern string) jsonschema.Regexp {
	if compiled, err := regexp.Compile(spec.Pattern(pattern)); err == nil {
		return compiled
	}
	return anything{}
}

type anything struct{}

func (anything) String() string { return "" }

// MatchString implements openapi3.RegexMatcher.
func (anything) MatchString(string) bool { return true }

// innermostError follows the causes of an error to the one that an author can act on. It returns the path to the value
// that this is about.
func innermostError(err *openapi3.SchemaError) ([]string, *openapi3.SchemaError) {
	path := err.JSONPointer()
	for range 100 { // schemas do not nest deeper than that in requests
		var inner *openapi3.SchemaError
		if err.Origin == nil || !errors.As(err.Origin, &inner) {
			break
		}
		if deeper := inner.JSONPointer(); len(deeper) > 0 {
			if len(deeper) >= len(path) && strings.Join(deeper[:len(path)], "/") == strings.Join(path, "/") {
				path = deeper // JSON Schema's errors have the whole path each
			} else {
				path = append(path[:len(path):len(path)], deeper...)
			}
		}
		err = inner
	}
	return path, err
}
