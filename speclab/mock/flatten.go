package mock

import (
	"reflect"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// alternatives counts the ways through a schema's oneOf and anyOf, so many as are worth trying.
func alternatives(s *openapi3.Schema, depth int) int {
	n := max(1, len(s.OneOf)) * max(1, len(s.AnyOf))
	if depth < maxDepth {
		for _, part := range s.AllOf {
			if part != nil && part.Value != nil {
				n = min(n, 64) * alternatives(part.Value, depth+1)
			}
		}
	}
	return min(n, 64)
}

// flatten makes one schema of a schema's parts: all of allOf, and one of oneOf and of anyOf.
func flatten(s *openapi3.Schema, choice, depth int) *openapi3.Schema {
	flat := *s
	flat.AllOf, flat.OneOf, flat.AnyOf = nil, nil, nil
	if depth >= maxDepth {
		return &flat
	}
	flat.Required = slices.Clone(s.Required)
	for _, part := range s.AllOf {
		if part == nil || part.Value == nil {
			continue
		}
		ways := alternatives(part.Value, depth+1)
		merge(&flat, flatten(part.Value, choice%ways, depth+1))
		choice /= ways
	}
	for _, list := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf} {
		if len(list) == 0 {
			continue
		}
		if part := list[choice%len(list)]; part != nil && part.Value != nil {
			merge(&flat, flatten(part.Value, 0, depth+1))
		}
		choice /= len(list)
	}
	return &flat
}

// merge adds to a schema what another asks for too.
func merge(into, from *openapi3.Schema) {
	into.Type = bothTypes(into.Type, from.Type)
	into.Required = append(into.Required, from.Required...)
	mergeProperties(into, from)
	mergeBounds(into, from)
	into.Items = bothSchemas(into.Items, from.Items)
	if into.AdditionalProperties.Schema == nil && into.AdditionalProperties.Has == nil {
		into.AdditionalProperties = from.AdditionalProperties
	}
	into.PatternProperties = first(into.PatternProperties, from.PatternProperties)
	into.PropertyNames = first(into.PropertyNames, from.PropertyNames)
	into.PrefixItems = first(into.PrefixItems, from.PrefixItems)
	into.Contains = first(into.Contains, from.Contains)
	into.Format, into.Pattern = first(into.Format, from.Format), first(into.Pattern, from.Pattern)
	into.Const = first(into.Const, from.Const)
	into.UniqueItems = into.UniqueItems || from.UniqueItems
	into.Enum = bothEnums(into.Enum, from.Enum)
	if len(into.Properties) == 0 { // the example of a part is not one of the whole
		into.Example, into.Default = first(into.Example, from.Example), first(into.Default, from.Default)
		into.Examples = first(into.Examples, from.Examples)
	} else {
		into.Example, into.Default, into.Examples = nil, nil, nil
	}
}

func mergeProperties(into, from *openapi3.Schema) {
	all := make(openapi3.Schemas, len(into.Properties)+len(from.Properties))
	for name, ref := range into.Properties {
		all[name] = ref
	}
	for name, ref := range from.Properties {
		all[name] = bothSchemas(all[name], ref)
	}
	into.Properties = all
}

func mergeBounds(into, from *openapi3.Schema) {
	into.MinLength, into.MinItems, into.MinProps = max(into.MinLength, from.MinLength),
		max(into.MinItems, from.MinItems), max(into.MinProps, from.MinProps)
	into.MaxLength, into.MaxItems, into.MaxProps = least(into.MaxLength, from.MaxLength),
		least(into.MaxItems, from.MaxItems), least(into.MaxProps, from.MaxProps)
	into.Max = least(into.Max, from.Max)
	if into.Min == nil || from.Min != nil && *from.Min > *into.Min {
		into.Min = from.Min
	}
	into.MultipleOf = first(into.MultipleOf, from.MultipleOf)
	if !into.ExclusiveMin.IsSet() {
		into.ExclusiveMin = from.ExclusiveMin
	}
	if !into.ExclusiveMax.IsSet() {
		into.ExclusiveMax = from.ExclusiveMax
	}
}

func least[T uint64 | float64](a, b *T) *T {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

// first is the one that is there.
func first[T any](a, b T) T {
	if reflect.ValueOf(&a).Elem().IsZero() {
		return b
	}
	return a
}

// bothSchemas is a schema that asks what two ask.
func bothSchemas(a, b *openapi3.SchemaRef) *openapi3.SchemaRef {
	switch {
	case a == nil || a == b:
		return b
	case b == nil:
		return a
	}
	return &openapi3.SchemaRef{Value: &openapi3.Schema{AllOf: openapi3.SchemaRefs{a, b}}}
}

func bothTypes(a, b *openapi3.Types) *openapi3.Types {
	if len(a.Slice()) == 0 || len(b.Slice()) == 0 {
		return first(a, b)
	}
	var common openapi3.Types
	for _, one := range a.Slice() {
		if b.Includes(one) || one == openapi3.TypeInteger && b.Includes(openapi3.TypeNumber) {
			common = append(common, one)
		}
	}
	if a.Includes(openapi3.TypeNumber) && b.Includes(openapi3.TypeInteger) && !common.Includes(openapi3.TypeInteger) {
		common = append(common, openapi3.TypeInteger)
	}
	if len(common) == 0 {
		return a
	}
	return &common
}

func bothEnums(a, b []any) []any {
	if len(a) == 0 || len(b) == 0 {
		return first(a, b)
	}
	var common []any
	for _, one := range a {
		if slices.ContainsFunc(b, func(other any) bool { return reflect.DeepEqual(tidy(one), tidy(other)) }) {
			common = append(common, one)
		}
	}
	if len(common) == 0 {
		return a
	}
	return common
}
