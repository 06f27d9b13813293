package mock

import (
	"cmp"
	"math"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// formats are texts of the formats that specs name. Those that begin with mx- are Matrix's.
// Client-Server API v1.19, Appendices, "Identifier Grammar".
var formats = map[string]string{
	"uri": "https://example.org/", "url": "https://example.org/", "uri-reference": "/", "iri": "https://example.org/",
	"date-time": "2015-01-01T00:00:00Z", "date": "2015-01-01", "time": "00:00:00Z", "duration": "PT1S",
	"byte": "cG9zdGVybg==", "binary": "postern", "uuid": "2b0ad4d2-9e3f-4a53-8a5c-5a4c6d0f2a11",
	"email": "alice@example.org", "hostname": "example.org", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
	"json-pointer": "/example", "regex": ".*", "password": "password",
	"mx-user-id": "@alice:example.org", "mx-room-id": "!room:example.org", "mx-event-id": "$event",
	"mx-room-alias": "#room:example.org",
	"mx-mxc-uri":    "mxc://example.org/media", "mx-server-name": "example.org",
}

// text makes a string: its format's, or the plainest that its length and pattern allow.
func text(s *openapi3.Schema, nth int) string {
	for _, candidate := range []string{cmp.Or(formats[s.Format], "string"), "string", "@alice:example.org",
		"!room:example.org", "#room:example.org", "$event", "mxc://example.org/media", "1", "v1.1", ""} {
		sized := resize(candidate+suffix(nth), s)
		if (nth == 0 || s.Pattern == "") && (checker{}).visit(s, sized) == nil {
			return sized
		}
	}
	if s.Pattern == "" {
		return resize("string"+suffix(nth), s)
	}
	return fromPattern(s, nth)
}

// resize makes a text as long as it must be, and no longer than it may be.
func resize(text string, s *openapi3.Schema) string {
	const enough = 10_000
	if missing := int(min(s.MinLength, enough)) - utf8.RuneCountInString(text); missing > 0 {
		text += strings.Repeat("x", missing)
	}
	if runes := []rune(text); s.MaxLength != nil && uint64(len(runes)) > *s.MaxLength {
		text = string(runes[:*s.MaxLength])
	}
	return text
}

// fromPattern writes a text that a pattern matches, growing what may be repeated until it is long enough.
func fromPattern(s *openapi3.Schema, nth int) string {
	tree, err := syntax.Parse(spec.Pattern(s.Pattern), syntax.Perl)
	if err != nil {
		return resize("string"+suffix(nth), s)
	}
	best := ""
	for more := range 64 {
		var out strings.Builder
		writePattern(&out, tree, more, nth)
		best = out.String()
		if uint64(utf8.RuneCountInString(best)) >= s.MinLength && (nth == 0 || more >= nth) {
			break
		}
	}
	if compiled, err := regexp.Compile(s.Pattern); err == nil && !compiled.MatchString(best) {
		return resize("string"+suffix(nth), s) // word boundaries and the like
	}
	return best
}

// writePattern writes the shortest text of an expression, with more repetitions where there may be.
func writePattern(out *strings.Builder, re *syntax.Regexp, more, nth int) {
	const longest = 4096
	if out.Len() > longest {
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		out.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		out.WriteRune(charOf(re.Rune, nth))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		out.WriteRune('a')
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			writePattern(out, sub, more, nth)
		}
	case syntax.OpAlternate:
		writePattern(out, re.Sub[nth%len(re.Sub)], more, nth)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		for range repetitions(re, more) {
			writePattern(out, re.Sub[0], more, nth)
		}
	}
}

func repetitions(re *syntax.Regexp, more int) int {
	least, most := re.Min, re.Max
	switch re.Op {
	case syntax.OpStar:
		least, most = 0, -1
	case syntax.OpPlus:
		least, most = 1, -1
	case syntax.OpQuest:
		least, most = 0, 1
	}
	if most < 0 {
		most = math.MaxInt
	}
	return min(least+more, most)
}

// charOf takes a letter of a class, or else a digit, or else what comes first.
func charOf(ranges []rune, nth int) rune {
	for _, typesOf := range []string{"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "-_."} {
		n := nth % len(typesOf)
		for _, c := range typesOf[n:] + typesOf[:n] {
			for i := 0; i+1 < len(ranges); i += 2 {
				if ranges[i] <= c && c <= ranges[i+1] {
					return c
				}
			}
		}
	}
	if len(ranges) == 0 {
		return 'a'
	}
	return ranges[0]
}

// number makes a number: 1, or what comes nearest between the bounds.
func number(s *openapi3.Schema, whole bool, nth int) float64 {
	step := 1.0
	if s.MultipleOf != nil && *s.MultipleOf > 0 {
		step = *s.MultipleOf
	}
	low, high := bounds(s)
	value := max(1, low.at)
	if whole || s.MultipleOf != nil {
		value = math.Ceil(value/step) * step
	}
	if low.exclusive && value <= low.at {
		value += step
	}
	if value > high.at || high.exclusive && value >= high.at {
		value = high.at
		if whole || s.MultipleOf != nil {
			value = math.Floor(value/step) * step
		}
		switch {
		case high.exclusive && value >= high.at && (whole || s.MultipleOf != nil):
			value -= step
		case high.exclusive && value >= high.at:
			value = between(low.at, high.at)
		}
	}
	return value + float64(nth)*step
}

func between(low, high float64) float64 {
	if math.IsInf(low, -1) {
		return high - 1
	}
	return low + (high-low)/2
}

type bound struct {
	at        float64
	exclusive bool // the bound itself is outside
}

// bounds reads both ways of writing an exclusive bound: as a number (OpenAPI 3.1) and as a flag on the other (3.0).
func bounds(s *openapi3.Schema) (low, high bound) {
	low, high = bound{at: math.Inf(-1)}, bound{at: math.Inf(1)}
	if s.Min != nil {
		low = bound{*s.Min, s.ExclusiveMin.IsTrue()}
	}
	if v := s.ExclusiveMin.Value; v != nil && *v >= low.at {
		low = bound{*v, true}
	}
	if s.Max != nil {
		high = bound{*s.Max, s.ExclusiveMax.IsTrue()}
	}
	if v := s.ExclusiveMax.Value; v != nil && *v <= high.at {
		high = bound{*v, true}
	}
	return low, high
}
