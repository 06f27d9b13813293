package mock

import (
	"cmp"
	"math"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// formats are the formats that specs name. Those that begin with mx- are Matrix's.
// Client-Server API v1.19, Appendices, "Identifier Grammar".
var formats = map[string]struct {
	plain string
	drawn string // the pattern of others
}{
	"uri": {"https://example.org/", drawnURL}, "url": {"https://example.org/", drawnURL},
	"iri": {"https://example.org/", drawnURL}, "uri-reference": {"/", "/" + drawnWord},
	"date-time": {"2015-01-01T00:00:00Z", drawnDate + "T" + drawnTime}, "date": {"2015-01-01", drawnDate},
	"time": {"00:00:00Z", drawnTime}, "duration": {"PT1S", "PT[1-9][0-9]?[SM]"},
	"byte": {"cG9zdGVybg==", "([A-Za-z0-9+/]{4}){1,8}"}, "binary": {"postern", "[ -~]{1,40}"},
	"uuid": {"2b0ad4d2-9e3f-4a53-8a5c-5a4c6d0f2a11",
		"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"},
	"email": {"alice@example.org", drawnWord + "@example[.]org"}, "hostname": {"example.org", drawnHost},
	"ipv4": {"192.0.2.1", "192[.]0[.]2[.][1-9][0-9]?"}, "ipv6": {"2001:db8::1", "2001:db8::[1-9a-f][0-9a-f]{0,3}"},
	"json-pointer": {"/example", "/" + drawnWord}, "regex": {".*", "[a-z]{1,4}[.][*]"},
	"password":    {"password", "[!-~]{8,24}"},
	"mx-user-id":  {"@alice:example.org", "@" + drawnWord + ":example[.]org"},
	"mx-room-id":  {"!room:example.org", "![A-Za-z]{8,18}:example[.]org"},
	"mx-event-id": {"$event", "[$][A-Za-z0-9_-]{43}"}, "mx-room-alias": {"#room:example.org",
		"#" + drawnWord + ":example[.]org"},
	"mx-mxc-uri":     {"mxc://example.org/media", "mxc://example[.]org/[A-Za-z]{8,24}"},
	"mx-server-name": {"example.org", drawnHost},
}

const (
	drawnWord = "[a-z]{2,12}"
	drawnHost = "[a-z]{2,12}[.]example[.]org"
	drawnURL  = "https://example[.]org/[a-z]{1,12}"
	drawnDate = "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
	drawnTime = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
)

// text makes a string: its format's, or the plainest that its length and pattern allow.
func text(s *openapi3.Schema, nth int) string {
	for _, candidate := range []string{cmp.Or(formats[s.Format].plain, "string"), "string", "@alice:example.org",
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
		w := patternWriter{more: more, nth: nth}
		w.write(tree)
		best = w.String()
		if uint64(utf8.RuneCountInString(best)) >= s.MinLength && (nth == 0 || more >= nth) {
			break
		}
	}
	if compiled, err := regexp.Compile(s.Pattern); err == nil && !compiled.MatchString(best) {
		return resize("string"+suffix(nth), s) // word boundaries and the like
	}
	return best
}

// patternWriter writes a text that an expression matches.
type patternWriter struct {
	strings.Builder
	more   int        // repetitions, where there may be
	nth    int        // chooses among alternatives and characters
	random *rand.Rand // chooses instead, when it is there, and among numbers of repetitions too
	steps  int
}

func (w *patternWriter) write(re *syntax.Regexp) {
	// repetitions in repetitions of nothing would write nothing, and not end
	const longest, mostSteps = 4096, 100_000
	if w.steps++; w.Len() > longest || w.steps > mostSteps {
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		w.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		w.WriteRune(w.char(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		w.WriteRune(w.char([]rune{'a', 'z'}))
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			w.write(sub)
		}
	case syntax.OpAlternate:
		w.write(re.Sub[w.choose(len(re.Sub))])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		for range w.repetitions(re) {
			if w.write(re.Sub[0]); w.steps > mostSteps {
				return
			}
		}
	}
}

// choose chooses one of n.
func (w *patternWriter) choose(n int) int {
	if w.random != nil {
		return w.random.IntN(n)
	}
	return w.nth % n
}

func (w *patternWriter) repetitions(re *syntax.Regexp) int {
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
	more := min(w.more, most-least)
	if w.random != nil {
		more = w.random.IntN(more + 1)
	}
	return least + more
}

// char takes a letter of a class, or else a digit, or else what comes first; at random it takes any that is ASCII.
func (w *patternWriter) char(ranges []rune) rune {
	in := func(c rune) bool {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= c && c <= ranges[i+1] {
				return true
			}
		}
		return false
	}
	if w.random != nil {
		ascii := make([]rune, 0, '~'-' '+1)
		for c := ' '; c <= '~'; c++ {
			if in(c) {
				ascii = append(ascii, c)
			}
		}
		if len(ascii) > 0 {
			return ascii[w.random.IntN(len(ascii))]
		}
	}
	for _, kind := range []string{"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "-_."} {
		n := w.nth % len(kind)
		for _, c := range kind[n:] + kind[:n] {
			if in(c) {
				return c
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
