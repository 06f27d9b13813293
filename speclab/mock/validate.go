package mock

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// checker validates values by a schema. kin-openapi has two ways: its own, whose errors name the field, and JSON
// Schema 2020-12, which knows the keywords that OpenAPI 3.1 brought and is compiled for each value. The second is taken
// where one of those keywords is met.
type checker struct{ modern bool }

func checkerOf(schema *openapi3.Schema) checker {
	found := errors.New("found")
	err := openapi3.NewSchemaRef("", schema).WalkSubtree(func(_ string, ref *openapi3.SchemaRef) error {
		if ref != nil && ref.Value != nil && usesModern(ref.Value) {
			return found
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

var codepoint = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// lenient compiles a pattern of a spec. Patterns are ECMAScript's, and what Go cannot read (a lookahead) must not make
// every request wrong: such a pattern lets everything pass.
func lenient(pattern string) (openapi3.RegexMatcher, error) {
	if compiled, err := regexp.Compile(codepoint.ReplaceAllString(pattern, `\x{$1}`)); err == nil {
		return compiled, nil
	}
	return anything{}, nil
}

type anything struct{}

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

// positionOf finds the place of a field's schema in the spec: it follows the field's path down the schema as far as
// possible.
func (e *edition) positionOf(pointer []string, ref *openapi3.SchemaRef, path []string) spec.Position {
	for {
		if target, found := pointerOf(ref.Ref); found {
			pointer = target
		}
		if len(path) == 0 || ref.Value == nil {
			break
		}
		more, next := childSchema(ref.Value, path[0], 0)
		if next == nil {
			break
		}
		pointer, ref, path = append(pointer[:len(pointer):len(pointer)], more...), next, path[1:]
	}
	return e.api.At(pointer...)
}

// childSchema finds a field's schema, or an item's, and how to get there.
func childSchema(s *openapi3.Schema, name string, depth int) ([]string, *openapi3.SchemaRef) {
	if next := s.Properties[name]; next != nil {
		return []string{"properties", name}, next
	}
	if _, err := strconv.Atoi(name); err == nil && s.Items != nil {
		return []string{"items"}, s.Items
	}
	if depth < 8 { // a schema may be a part of itself
		for keyword, list := range map[string]openapi3.SchemaRefs{"allOf": s.AllOf, "oneOf": s.OneOf,
			"anyOf": s.AnyOf} {
			for i, part := range list {
				if part == nil || part.Value == nil {
					continue
				}
				if more, next := childSchema(part.Value, name, depth+1); next != nil {
					if target, found := pointerOf(part.Ref); found {
						// The place is elsewhere, so the reference is followed from there.
						return more, &openapi3.SchemaRef{Ref: "#/" +
							strings.Join(append(escape(target), escape(more)...), "/"), Value: next.Value}
					}
					return append([]string{keyword, strconv.Itoa(i)}, more...), next
				}
			}
		}
	}
	if s.AdditionalProperties.Schema != nil {
		return []string{"additionalProperties"}, s.AdditionalProperties.Schema
	}
	return nil, nil
}

// pointerOf reads a reference that stays in the document.
func pointerOf(ref string) ([]string, bool) {
	rest, found := strings.CutPrefix(ref, "#/")
	if !found {
		return nil, false
	}
	parts := strings.Split(rest, "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
	}
	return parts, true
}

func escape(parts []string) []string {
	escaped := make([]string, len(parts))
	for i, part := range parts {
		escaped[i] = strings.ReplaceAll(strings.ReplaceAll(part, "~", "~0"), "/", "~1")
	}
	return escaped
}
