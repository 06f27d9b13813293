package mock

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// preference is what a request asks of a made-up answer.
type preference struct {
	code    string // a status, as a spec writes it
	example string // the name of one of its examples
}

// preference reads `Prefer: code=403, example=NAME` (RFC 7240, with the names that mock servers use) and
// `Postern-Status: 403`. A status or an example that the operation does not document is refused with those that it
// does.
func (o *operation) preference(h http.Header) (preference, *refusal) {
	var asked preference
	for _, line := range h.Values("Prefer") {
		for _, one := range strings.FieldsFunc(line, func(c rune) bool { return c == ',' || c == ';' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(one), "=")
			value = strings.Trim(strings.TrimSpace(value), `"`)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "code":
				asked.code = value
			case "example":
				asked.example = value
			}
		}
	}
	asked.code = cmp.Or(h.Get(statusAsk), asked.code)
	if asked.code == "" {
		return o.withExample(asked)
	}
	if n, err := strconv.Atoi(asked.code); err != nil || n < 200 || n > 599 || response(o.edited, asked.code) == nil {
		return asked, badRequest("M_INVALID_PARAM",
			fmt.Sprintf("%s has no status %.20q; it has %s (%s)", o.id, asked.code, strings.Join(o.codes(), ", "),
				o.place))
	}
	return o.withExample(asked)
}

// withExample finds the status that has the example of a name: that which is asked for, or else the one that an answer
// has when nobody asks, or else the first.
func (o *operation) withExample(asked preference) (preference, *refusal) {
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

// exampleNames are the names of the examples that a response has.
func exampleNames(r *openapi3.Response) []string {
	if r == nil {
		return nil
	}
	if _, media := mediaOf(r); media != nil {
		return slices.Sorted(maps.Keys(media.Examples))
	}
	return nil
}

// mediaOf is what a response's body is: JSON if it may be JSON.
func mediaOf(r *openapi3.Response) (kind string, media *openapi3.MediaType) {
	if kind, media = jsonOf(r.Content); media == nil && len(r.Content) > 0 {
		kind = slices.Sorted(maps.Keys(r.Content))[0]
		media = r.Content[kind]
	}
	return kind, media
}

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
	kind, body, wrong := content(documented, asked.example)
	if wrong != nil {
		wrong.message += " (" + o.place + ")"
		wrong.send(w)
		return
	}
	if documented != nil {
		headersOf(w.Header(), documented)
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

// content makes the body of an answer: JSON if it may be JSON, or else an example's text.
func content(r *openapi3.Response, example string) (kind string, body []byte, wrong *refusal) {
	if r == nil {
		return "", nil, nil
	}
	kind, media := mediaOf(r)
	if media == nil {
		return "", nil, nil
	}
	value, found := exampleOf(media, example)
	if !isJSON(kind) {
		if strings.Contains(kind, "*") {
			kind = "application/octet-stream"
		}
		text, _ := value.(string)
		return kind, []byte(text), nil
	}
	if !found {
		value = makeValue(media.Schema)
	}
	raw, err := encode(value)
	if err != nil {
		return "", nil, &refusal{http.StatusInternalServerError, "M_UNKNOWN",
			"The spec's example cannot be written as JSON: " + err.Error()}
	}
	return kind, raw, nil
}

// exampleOf finds the example of a media type: the one, or that of the name, or the first by name.
func exampleOf(media *openapi3.MediaType, name string) (value any, found bool) {
	names := slices.Sorted(maps.Keys(media.Examples))
	if name != "" {
		names = []string{name}
	} else if media.Example != nil {
		return media.Example, true
	}
	for _, name := range names {
		if one := media.Examples[name]; one != nil && one.Value != nil && one.Value.Value != nil {
			return one.Value.Value, true
		}
	}
	return nil, false
}

// headersOf sets the headers that a response documents.
func headersOf(h http.Header, r *openapi3.Response) {
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		ref := r.Headers[name]
		if ref == nil || ref.Value == nil || !mayDocument(name) {
			continue
		}
		value := ref.Value.Example
		if value == nil {
			value = makeValue(ref.Value.Schema)
		}
		text, ok := value.(string)
		if !ok {
			raw, err := encode(value)
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

// encode writes JSON as a person would: without escapes for HTML.
func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}
