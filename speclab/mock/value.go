package mock

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

// Bounds of a value: schemas refer to themselves, and some hold half an API.
const (
	maxDepth  = 12
	maxValues = 4000
	maxItems  = 100
)

// maker makes a value that fits a schema, the same one every time. Examples that fit come first, then whatever the
// schema allows.
type maker struct {
	left     int // how many values may still be made
	keywords keywords
	known    map[*openapi3.Schema]checker
	request  bool       // the value is a client's to send
	random   *rand.Rand // draws another value every time; nil: see above
}

// makeValue makes the value for a schema of a document with these keywords.
func (k keywords) makeValue(ref *openapi3.SchemaRef) any {
	if ref == nil || ref.Value == nil {
		return map[string]any{}
	}
	value, _ := k.newMaker().value(ref.Value, 0, 0)
	return value
}

// Sample makes a value for a schema, as a client may send it: without what is read-only.
func Sample(ref *openapi3.SchemaRef) any {
	if ref == nil || ref.Value == nil {
		return map[string]any{}
	}
	m := keywords(nil).newMaker()
	m.request = true
	value, _ := m.value(ref.Value, 0, 0)
	return value
}

func (k keywords) newMaker() *maker {
	return &maker{left: maxValues, keywords: k, known: make(map[*openapi3.Schema]checker)}
}

// fits reports whether a value is valid in an answer by a schema. Once too many values were made none is validated.
func (m *maker) fits(schema *openapi3.Schema, value any) bool {
	if m.left <= 0 {
		return false
	}
	c, known := m.known[schema]
	if !known {
		c = m.keywords.checker(schema)
		m.known[schema] = c
	}
	direction := openapi3.VisitAsResponse()
	if m.request {
		direction = openapi3.VisitAsRequest()
	}
	return c.visit(schema, value, direction) == nil
}

// value makes the nth value of a schema, so that items may differ, and reports whether it is valid. Of alternatives it
// takes the first that is.
func (m *maker) value(schema *openapi3.Schema, depth, nth int) (value any, fits bool) {
	m.left--
	if m.random != nil {
		if value, fits := m.drawn(schema, depth); fits {
			return value, true
		}
		defer func(random *rand.Rand) { m.random = random }(m.random)
		m.random = nil
	}
	if value, found := m.written(schema, nth); found {
		return value, m.fits(schema, value)
	}
	var first any
	for choice := range max(1, alternatives(schema, 0)) {
		flat := flatten(schema, choice, 0)
		value, found := m.written(flat, nth)
		if !found {
			value = m.plain(flat, depth, nth)
		}
		if m.fits(schema, value) {
			return value, true
		}
		if choice == 0 {
			first = value
		}
		if m.left <= 0 {
			break
		}
	}
	return first, false
}

// written is what the author wrote down: a constant, an example, a default, a member of an enumeration.
func (m *maker) written(s *openapi3.Schema, nth int) (any, bool) {
	if s.Const != nil {
		return tidy(s.Const), true
	}
	if nth == 0 {
		for _, written := range append([]any{s.Example}, append(slices.Clone(s.Examples), s.Default)...) {
			if written == nil {
				continue
			}
			if value := tidy(written); m.fits(s, value) {
				return value, true
			}
		}
	}
	if len(s.Enum) > 0 {
		return tidy(s.Enum[nth%len(s.Enum)]), true
	}
	return nil, false
}

// tidy gives a value that was read from YAML the types that reading JSON gives.
func tidy(written any) any {
	raw, err := json.Marshal(written)
	if err != nil {
		return written
	}
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return written
	}
	return value
}

// plain makes a value of a schema without allOf, oneOf and anyOf.
func (m *maker) plain(s *openapi3.Schema, depth, nth int) any {
	switch kindOf(s) {
	case openapi3.TypeString:
		return text(s, nth)
	case openapi3.TypeInteger:
		return number(s, true, nth)
	case openapi3.TypeNumber:
		return number(s, false, nth)
	case openapi3.TypeBoolean:
		return nth%2 == 0
	case openapi3.TypeArray:
		return m.array(s, depth)
	case openapi3.TypeNull:
		return nil
	default:
		return m.object(s, depth)
	}
}

// kindOf is the first type of a schema that is not null, or the one that its keywords are for.
func kindOf(s *openapi3.Schema) string {
	types := s.Type.Slice()
	for _, one := range types {
		if one != openapi3.TypeNull {
			return one
		}
	}
	switch {
	case len(types) > 0:
		return openapi3.TypeNull
	case len(s.Properties) > 0 || len(s.Required) > 0 || s.MinProps > 0 || s.AdditionalProperties.Schema != nil ||
		len(s.PatternProperties) > 0:
		return openapi3.TypeObject
	case s.Items != nil || len(s.PrefixItems) > 0 || s.MinItems > 0:
		return openapi3.TypeArray
	case s.Pattern != "" || s.Format != "" || s.MinLength > 0 || s.MaxLength != nil:
		return openapi3.TypeString
	case s.Min != nil || s.Max != nil || s.MultipleOf != nil || s.ExclusiveMin.IsSet() || s.ExclusiveMax.IsSet():
		return openapi3.TypeNumber
	}
	return openapi3.TypeObject
}

func (m *maker) array(s *openapi3.Schema, depth int) any {
	items := []any{}
	n := max(1, s.MinItems, uint64(len(s.PrefixItems)))
	if s.Contains != nil && s.MinContains != nil {
		n = max(n, *s.MinContains)
	}
	if m.random != nil && len(s.PrefixItems) == 0 && s.Contains == nil {
		n = m.drawLength(s, depth)
	}
	if s.MaxItems != nil {
		n = min(n, *s.MaxItems)
	}
	if s.MinItems == 0 && (depth >= maxDepth || m.left <= 0 || len(s.PrefixItems) == 0 && s.Contains == nil &&
		saysNothing(s.Items)) {
		n = 0
	}
	for i := range int(min(n, maxItems)) {
		nth := 0
		if s.UniqueItems {
			nth = i
		}
		items = append(items, m.item(s, i, nth, depth))
	}
	return items
}

// saysNothing reports whether items may be anything, such as where a reference leads nowhere. A client has no use for
// {}.
func saysNothing(ref *openapi3.SchemaRef) bool {
	return ref == nil || ref.Value == nil || ref.Value.IsEmpty()
}

func (m *maker) item(s *openapi3.Schema, i, nth, depth int) any {
	for _, ref := range []*openapi3.SchemaRef{itemAt(s.PrefixItems, i), s.Contains, s.Items} {
		if ref != nil && ref.Value != nil && depth < 4*maxDepth && m.left > -maxValues {
			value, _ := m.value(ref.Value, depth+1, nth)
			return value
		}
	}
	return "string" + suffix(nth)
}

func itemAt(refs openapi3.SchemaRefs, i int) *openapi3.SchemaRef {
	if i < len(refs) {
		return refs[i]
	}
	return nil
}

// suffix makes the nth text differ from the first.
func suffix(nth int) string {
	if nth == 0 {
		return ""
	}
	return strconv.Itoa(nth)
}

func (m *maker) object(s *openapi3.Schema, depth int) any {
	object := make(map[string]any)
	most := maxValues
	if s.MaxProps != nil {
		most = int(min(*s.MaxProps, maxValues))
	}
	for _, name := range slices.Sorted(slices.Values(s.Required)) {
		if ref := s.Properties[name]; ref != nil && ref.Value != nil {
			// required counts in one direction only. OpenAPI 3.0, "Fixed Fields" of the Schema Object
			// a schema that requires itself has no value
			if !m.hides(ref.Value) && depth < 4*maxDepth && m.left > -maxValues {
				object[name], _ = m.value(ref.Value, depth+1, 0)
			}
		} else if _, there := object[name]; !there {
			object[name] = m.undeclared(s, depth)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		ref := s.Properties[name]
		if _, there := object[name]; there || ref == nil || ref.Value == nil || m.hides(ref.Value) ||
			len(object) >= most || depth >= maxDepth || m.left <= 0 {
			continue
		}
		if value, fits := m.value(ref.Value, depth+1, 0); fits {
			object[name] = value
		}
	}
	m.addEntries(s, object, depth, most)
	return object
}

// hides reports whether a property is not for the reader of the value.
func (m *maker) hides(s *openapi3.Schema) bool {
	if m.request {
		return s.ReadOnly
	}
	return s.WriteOnly
}

// addEntries adds entries to an object that is a map: one, or as many as it must have.
func (m *maker) addEntries(s *openapi3.Schema, object map[string]any, depth, most int) {
	want := len(object)
	if s.AdditionalProperties.Schema != nil || len(s.PatternProperties) > 0 {
		want = max(1, len(object))
	}
	want = min(max(want, int(min(s.MinProps, maxItems))), most)
	if depth >= maxDepth && s.MinProps == 0 {
		return
	}
	for i := 0; len(object) < want && i < maxItems; i++ {
		name := "example" + suffix(i)
		switch {
		case s.PropertyNames != nil && s.PropertyNames.Value != nil:
			key, _ := m.value(s.PropertyNames.Value, depth+1, i)
			if text, ok := key.(string); ok {
				name = text
			}
		case len(s.PatternProperties) > 0:
			pattern := slices.Sorted(maps.Keys(s.PatternProperties))[0]
			name = text(&openapi3.Schema{Pattern: pattern}, i)
			if ref := s.PatternProperties[pattern]; ref != nil && ref.Value != nil {
				object[name], _ = m.value(ref.Value, depth+1, 0)
				continue
			}
		}
		object[name] = m.undeclared(s, depth)
	}
}

// undeclared is a member that the object has no property for.
func (m *maker) undeclared(s *openapi3.Schema, depth int) any {
	if ref := s.AdditionalProperties.Schema; ref != nil && ref.Value != nil {
		value, _ := m.value(ref.Value, depth+1, 0)
		return value
	}
	return "string"
}
