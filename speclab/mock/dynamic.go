package mock

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp/syntax"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

const (
	tries   = 8  // of chance, before a part of a value is made as it always is
	failure = 10 // what a try costs that leads to nothing, in values that may still be made
)

// makeDynamic makes a value for a schema at random, so that a client meets others than those that its author wrote
// down. As with Prism all optional fields are there, and examples and defaults count for nothing.
func (k keywords) makeDynamic(ref *openapi3.SchemaRef, random *rand.Rand) any {
	if ref == nil || ref.Value == nil {
		return k.makeValue(ref)
	}
	if value, fits := k.newDynamicMaker(random).value(ref.Value, 0, 0); fits {
		return value
	}
	return k.makeValue(ref)
}

func (k keywords) newDynamicMaker(random *rand.Rand) *maker {
	m := k.newMaker()
	m.random, m.left = random, maxValues/4 // where that does not do, all is made once more
	return m
}

// drawn makes a value of a schema at random, and reports whether it found a valid one.
func (m *maker) drawn(schema *openapi3.Schema, depth int) (any, bool) {
	for i := 0; i < tries && m.left > 0; i++ {
		value := m.draw(flatten(schema, m.random.IntN(max(1, alternatives(schema, 0))), 0), depth)
		if m.fits(schema, value) {
			return value, true
		}
		m.left -= failure
	}
	return nil, false
}

func (m *maker) draw(s *openapi3.Schema, depth int) any {
	switch {
	case s.Const != nil:
		return tidy(s.Const)
	case len(s.Enum) > 0:
		return tidy(s.Enum[m.random.IntN(len(s.Enum))])
	case s.PermitsNull() && m.random.IntN(4) == 0:
		return nil
	}
	switch kindOf(s) {
	case openapi3.TypeString:
		return m.drawText(s)
	case openapi3.TypeInteger:
		return m.drawNumber(s, true)
	case openapi3.TypeNumber:
		return m.drawNumber(s, false)
	case openapi3.TypeBoolean:
		return m.random.IntN(2) == 0
	}
	return m.plain(s, depth, 0)
}

// drawLength draws how long a list is: up to four more than it must be, fewer deep inside.
func (m *maker) drawLength(s *openapi3.Schema, depth int) uint64 {
	return s.MinItems + m.random.Uint64N(uint64(max(2, 5-depth)))
}

// drawText draws a string: by its pattern, or its format, or of letters.
func (m *maker) drawText(s *openapi3.Schema) string {
	tree, err := syntax.Parse(spec.Pattern(cmp.Or(s.Pattern, formats[s.Format].drawn, m.anyText(s))), syntax.Perl)
	if err != nil {
		return text(s, 0)
	}
	w := patternWriter{random: m.random, more: int(min(s.MinLength+12, 200))}
	w.write(tree)
	return w.String()
}

// anyText is a pattern of letters and spaces, as many as there may be but not too many.
func (m *maker) anyText(s *openapi3.Schema) string {
	least, most := max(1, s.MinLength), max(1, s.MinLength)+30
	if s.MaxLength != nil {
		least, most = min(least, *s.MaxLength), min(most, *s.MaxLength)
	}
	return fmt.Sprintf("[A-Za-z ]{%d}", least+m.random.Uint64N(most-least+1))
}

// drawNumber draws a number between its bounds, or a thousand from the one that there is, or from 0.
func (m *maker) drawNumber(s *openapi3.Schema, whole bool) float64 {
	const reach = 1000
	low, high := bounds(s)
	from, to := low.at, high.at
	switch {
	case math.IsInf(from, -1) && to >= 0:
		from = 0
	case math.IsInf(from, -1):
		from = to - reach
	}
	if math.IsInf(to, 1) {
		to = from + reach
	}
	step := 0.001
	if s.MultipleOf != nil && *s.MultipleOf > 0 {
		step = *s.MultipleOf
	} else if whole {
		step = 1
	}
	first, last := math.Ceil(from/step), math.Floor(to/step)
	value := first + math.Floor(m.random.Float64()*(last-first+1))
	if step < 1 {
		value /= 1 / step // with fewer digits than a product
	} else {
		value *= step
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return number(s, whole, 0)
	}
	return value
}
