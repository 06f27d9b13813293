package impact

import (
	"slices"
	"strings"
)

// The keywords under which a schema has other schemas.
var (
	innerSchemas = []string{"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
		"unevaluatedItems", "unevaluatedProperties", "contentSchema"}
	namedSchemas  = []string{"properties", "patternProperties", "dependentSchemas", "$defs"}
	listedSchemas = []string{"allOf", "anyOf", "oneOf", "prefixItems"}
)

var (
	lowest  = []string{"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
	highest = []string{"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
)

// evaluating are the keywords about what no other has evaluated.
var evaluating = []string{"unevaluatedProperties", "unevaluatedItems"}

// asks reports whether a keyword asks anything of a value. The others are texts, or their changes have checks.
func asks(keyword string) bool {
	return !strings.HasPrefix(keyword, "x-") && !slices.Contains([]string{"title", "description", "example", "examples",
		"default", "deprecated", "externalDocs", "xml", "$comment", "$defs", "in", "name", "content"}, keyword)
}

// says reports whether a schema asks anything of a value.
func says(schema map[string]any) bool {
	for key := range schema {
		if !slices.Contains([]string{"title", "description", "example", "examples"}, key) &&
			!strings.HasPrefix(key, "x-") {
			return true
		}
	}
	return false
}

// anything reports whether a schema lets every value pass: neither it nor a part of its allOf asks anything.
func anything(schema any) bool {
	object, isObject := schema.(map[string]any)
	if !isObject {
		return schema == nil || schema == true
	}
	own, parts := member{value: object}.parts()
	return !says(own) && !slices.ContainsFunc(parts, func(part member) bool { return !anything(part.value) })
}

// senseOf is what narrowing a schema under a keyword does to the schema that has the keyword.
func senseOf(keyword string) effect {
	switch keyword {
	case "not":
		return widens
	case "if", "contains", "oneOf":
		return unknown
	}
	return narrows
}
