package mock

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// codes are the statuses that the edited spec documents.
func (o *operation) codes() []string {
	if o.edited.Responses == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(o.edited.Responses.Map()))
}

// status chooses the status of an answer that nobody asked for: the lowest success, or what comes nearest.
func (o *operation) status() (int, *openapi3.Response) {
	codes := o.codes()
	for _, success := range []bool{true, false} {
		for _, code := range codes {
			n, err := strconv.Atoi(strings.ReplaceAll(strings.ToUpper(code), "XX", "00"))
			if err == nil && n >= 200 && (n < 300) == success {
				return n, response(o.edited, code)
			}
		}
		if fallback := response(o.edited, "default"); success && fallback != nil {
			return http.StatusOK, fallback
		}
	}
	return http.StatusOK, nil
}

// answer writes what the spec says.
func (e *edition) answer(w http.ResponseWriter, o *operation, asked preference) {
	status, documented := o.status()
	if asked.code != "" {
		status, _ = strconv.Atoi(asked.code) // a number: see preference
		documented = response(o.edited, asked.code)
	}
	kind, body, wrong := e.content(documented, asked)
	if wrong != nil {
		wrong.message += " (" + o.place + ")"
		wrong.send(w)
		return
	}
	if documented != nil {
		e.setHeaders(w.Header(), documented, asked)
	}
	if status == http.StatusNoContent || status == http.StatusNotModified {
		w.WriteHeader(status)
		return
	}
	if kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

// content makes the body of an answer: JSON if it may be JSON, or else a text.
func (e *edition) content(r *openapi3.Response, asked preference) (kind string, body []byte, wrong *refusal) {
	if r == nil {
		return "", nil, nil
	}
	kind, media, wrong := asked.mediaOf(r)
	if media == nil {
		return "", nil, wrong
	}
	if asked.isDynamic() && media.Schema == nil {
		return "", nil, badRequest("M_INVALID_PARAM", "There is no schema to make a dynamic answer of")
	}
	value, found := exampleOf(media, asked.example)
	if !found || asked.isDynamic() {
		value = e.make(media.Schema, asked)
	}
	if !spec.IsJSON(kind) {
		if strings.Contains(kind, "*") {
			kind = "application/octet-stream"
		}
		text, _ := value.(string)
		return kind, []byte(text), nil
	}
	raw, err := spec.JSON(value)
	if err != nil {
		return "", nil, &refusal{http.StatusInternalServerError, "M_UNKNOWN",
			"The spec's example cannot be written as JSON: " + err.Error()}
	}
	return kind, raw, nil
}

// make makes a value for a schema: another one each time, when that is asked for.
func (e *edition) make(ref *openapi3.SchemaRef, asked preference) any {
	if asked.isDynamic() {
		return e.keywords.makeDynamic(ref, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	}
	return e.keywords.makeValue(ref)
}

// exampleOf finds the example of a media type: the one, or that of the name, or the first that is written, which is
// Prism's choice too.
func exampleOf(media *openapi3.MediaType, name string) (value any, found bool) {
	names := []string{name}
	if name == "" {
		names = asWritten(media.Examples)
		if media.Example != nil {
			return media.Example, true
		}
	}
	for _, name := range names {
		if one := media.Examples[name]; one != nil && one.Value != nil && one.Value.Value != nil {
			return one.Value.Value, true
		}
	}
	return nil, false
}

// asWritten are the names of examples in the order of the file, which the library's map has lost.
func asWritten(examples openapi3.Examples) []string {
	place := func(name string) openapi3.Location {
		if ref := examples[name]; ref != nil && ref.Origin != nil && ref.Origin.Key != nil {
			return *ref.Origin.Key
		}
		return openapi3.Location{}
	}
	return slices.SortedFunc(maps.Keys(examples), func(a, b string) int {
		one, other := place(a), place(b)
		return cmp.Or(cmp.Compare(one.Line, other.Line), cmp.Compare(one.Column, other.Column), cmp.Compare(a, b))
	})
}

// setHeaders sets the headers that a response documents.
func (e *edition) setHeaders(h http.Header, r *openapi3.Response, asked preference) {
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		ref := r.Headers[name]
		if ref == nil || ref.Value == nil || !mayDocument(name) {
			continue
		}
		value := ref.Value.Example
		if value == nil {
			value = e.make(ref.Value.Schema, asked)
		}
		text, ok := value.(string)
		if !ok {
			raw, err := spec.JSON(value)
			if err != nil {
				continue
			}
			text = string(raw)
		}
		h.Set(name, strings.Map(printable, text))
		expose(h, http.CanonicalHeaderKey(name))
	}
}

// printable keeps what an example holds from breaking out of its header.
func printable(c rune) rune {
	if c < ' ' || c == 0x7f {
		return ' '
	}
	return c
}
