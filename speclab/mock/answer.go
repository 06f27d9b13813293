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
// `Postern-Status: 403`. A status that the operation does not document is refused with those that it does.
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
		return asked, nil
	}
	if n, err := strconv.Atoi(asked.code); err != nil || n < 200 || n > 599 || response(o.edited, asked.code) == nil {
		return asked, badRequest("M_INVALID_PARAM",
			fmt.Sprintf("%s has no status %.20q; it has %s (%s)", o.id, asked.code, strings.Join(o.codes(), ", "),
				o.place))
	}
	return asked, nil
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
	if r == nil || len(r.Content) == 0 {
		return "", nil, nil
	}
	kind, media := jsonOf(r.Content)
	if media == nil {
		kind = slices.Sorted(maps.Keys(r.Content))[0]
		media = r.Content[kind]
	}
	if media == nil {
		return "", nil, nil
	}
	value, found, wrong := exampleOf(media, example)
	if wrong != nil {
		return "", nil, wrong
	}
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
func exampleOf(media *openapi3.MediaType, name string) (value any, found bool, wrong *refusal) {
	names := slices.Sorted(maps.Keys(media.Examples))
	if name != "" {
		if !slices.Contains(names, name) {
			return nil, false, badRequest("M_INVALID_PARAM",
				fmt.Sprintf("There is no example %.40q; there is %s", name,
					cmp.Or(strings.Join(names, ", "), "none with a name")))
		}
		names = []string{name}
	} else if media.Example != nil {
		return media.Example, true, nil
	}
	for _, name := range names {
		if one := media.Examples[name]; one != nil && one.Value != nil && one.Value.Value != nil {
			return one.Value.Value, true, nil
		}
	}
	return nil, false, nil
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
