package mock

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/elnormous/contenttype"
	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// preference is what a request asks of a made-up answer.
type preference struct {
	code    string // a status, as a spec writes it
	example string // the name of one of its examples
	dynamic string // "true": another value each time
	accept  string // media types. RFC 9110, section 12.5.1
}

// set takes a preference by its name.
func (p *preference) set(name, value string) (known bool) {
	switch name {
	case "code":
		p.code = value
	case "example":
		p.example = value
	case "dynamic":
		p.dynamic = value
	default:
		return false
	}
	return true
}

// readPreference reads what a request asks, in the ways of Prism: `Prefer: code=403, example=NAME, dynamic=true`
// (RFC 7240), or `?__code=403&__example=NAME&__dynamic=true`, which counts when the header says nothing.
// `Postern-Status: 403` comes before both. It returns the request without those parameters.
func readPreference(r *http.Request) (preference, *http.Request) {
	var asked preference
	for _, line := range r.Header.Values("Prefer") {
		for _, one := range strings.FieldsFunc(line, func(c rune) bool { return c == ',' || c == ';' }) {
			name, value, given := strings.Cut(strings.TrimSpace(one), "=")
			if !given {
				value = "true"
			}
			asked.set(strings.ToLower(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
	fromQuery, r := cutPreference(r)
	if asked == (preference{}) {
		asked = fromQuery
	}
	asked.code = cmp.Or(r.Header.Get(statusAsk), asked.code)
	asked.accept = strings.Join(r.Header.Values("Accept"), ",")
	return asked, r
}

// cutPreference takes the preference out of the query. No operation has its parameters.
func cutPreference(r *http.Request) (asked preference, rest *http.Request) {
	if !strings.Contains(r.URL.RawQuery, "__") {
		return asked, r
	}
	var others []string
	for parameter := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		value, err := url.QueryUnescape(value)
		if name, ours := strings.CutPrefix(name, "__"); err != nil || !ours || !asked.set(name, value) {
			others = append(others, parameter)
		}
	}
	without, at := *r, *r.URL
	at.RawQuery = strings.Join(others, "&")
	without.URL, without.RequestURI = &at, at.RequestURI()
	return asked, &without
}

// check holds a preference against an operation. A status or an example that it does not document is refused with those
// that it does.
func (asked preference) check(o *operation) (preference, *refusal) {
	if asked.dynamic != "" && asked.dynamic != "true" && asked.dynamic != "false" {
		return asked, badRequest("M_INVALID_PARAM",
			fmt.Sprintf("dynamic=%.20s is neither dynamic=true nor dynamic=false", asked.dynamic))
	}
	if n, err := strconv.Atoi(asked.code); asked.code != "" &&
		(err != nil || n < 200 || n > 599 || response(o.edited, asked.code) == nil) {
		return asked, badRequest("M_INVALID_PARAM",
			fmt.Sprintf("%s has no status %.20q; it has %s (%s)", o.id, asked.code, strings.Join(o.codes(), ", "),
				o.place))
	}
	return asked.withExample(o)
}

// withExample finds the status that has the example of a name: that which is asked for, or else the one that an answer
// has when nobody asks, or else the first.
func (asked preference) withExample(o *operation) (preference, *refusal) {
	if asked.example == "" {
		return asked, nil
	}
	usual, _ := o.status()
	codes := append([]string{strconv.Itoa(usual)}, o.codes()...)
	if asked.code != "" {
		codes = []string{asked.code}
	}
	var known []string
	for _, code := range codes {
		if code[0] == '1' {
			continue // no answer, only news of one
		}
		names := exampleNames(response(o.edited, code))
		if slices.Contains(names, asked.example) {
			asked.code = anyOf(code)
			return asked, nil
		}
		known = append(known, names...)
	}
	slices.Sort(known)
	return asked, badRequest("M_INVALID_PARAM", fmt.Sprintf("%s has no example %.40q; it has %s (%s)", o.id,
		asked.example, cmp.Or(strings.Join(slices.Compact(known), ", "), "none with a name"), o.place))
}

// anyOf is a status of those that a key of responses stands for.
func anyOf(key string) string {
	if key == "default" {
		return strconv.Itoa(http.StatusInternalServerError) // what is not documented is an error
	}
	return strings.ReplaceAll(strings.ToUpper(key), "XX", "00")
}

// exampleNames are the names of the examples that a response has, in any media type, in order.
func exampleNames(r *openapi3.Response) (names []string) {
	if r == nil {
		return nil
	}
	for _, media := range r.Content {
		if media != nil {
			names = slices.AppendSeq(names, maps.Keys(media.Examples))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// isDynamic reports whether the answer is to be another one each time. Prism gives an example that is named too.
func (asked preference) isDynamic() bool { return asked.dynamic == "true" && asked.example == "" }

// mediaOf chooses the media type of an answer: of those that it can be made in, the one that the request accepts most,
// and JSON when it accepts all the same. A response of one type has that, whatever the request accepts.
func (asked preference) mediaOf(r *openapi3.Response) (kind string, media *openapi3.MediaType, wrong *refusal) {
	kinds := asked.kindsOf(r.Content)
	if len(kinds) == 0 {
		return "", nil, nil
	}
	best := 0
	if asked.accept != "" && len(r.Content) > 1 {
		if best = asked.mostAccepted(kinds); best < 0 {
			return "", nil, &refusal{http.StatusNotAcceptable, "M_UNRECOGNIZED",
				"The spec has nothing for this Accept; it has " + strings.Join(kinds, ", ")}
		}
	}
	return kinds[best], r.Content[kinds[best]], nil
}

// mostAccepted gives the index of the media type that the request accepts most, or -1. An Accept that cannot be read
// accepts everything.
func (asked preference) mostAccepted(kinds []string) int {
	offers := make([]contenttype.MediaType, len(kinds))
	for i, kind := range kinds {
		offers[i] = contenttype.NewMediaType(kind)
	}
	best, _, err := contenttype.GetAcceptableMediaTypeFromHeader(asked.accept, offers)
	switch {
	case errors.Is(err, contenttype.ErrNoAcceptableTypeFound):
		return slices.IndexFunc(offers, func(offer contenttype.MediaType) bool {
			return offer.IsWildcard() && slices.ContainsFunc(strings.Split(asked.accept, ","), func(item string) bool {
				return contenttype.NewMediaType(item).Matches(offer)
			})
		})
	case err != nil:
		return 0
	}
	return slices.IndexFunc(offers, best.Equal)
}

// kindsOf are the media types that an answer can be made in, JSON first: with the example that is asked for, or else
// JSON or text. Where it can be made in none, they are all that there are.
func (asked preference) kindsOf(content openapi3.Content) []string {
	all := kindsIn(content)
	good := slices.DeleteFunc(slices.Clone(all), func(kind string) bool { return !asked.canMake(kind, content[kind]) })
	if len(good) == 0 {
		return all
	}
	return good
}

func (asked preference) canMake(kind string, media *openapi3.MediaType) bool {
	if asked.example != "" {
		return media.Examples[asked.example] != nil
	}
	if spec.IsJSON(kind) {
		return true
	}
	value, found := exampleOf(media, "")
	_, isText := value.(string)
	if found && !asked.isDynamic() {
		return isText
	}
	return media.Schema != nil && media.Schema.Value != nil && media.Schema.Value.Type.Is(openapi3.TypeString)
}
