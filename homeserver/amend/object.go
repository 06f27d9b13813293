package amend

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"postern/handlers"
)

// Object is a JSON object whose members can be taken out and put in without touching the others.
type Object struct {
	Raw     []byte // as it came
	members []member
}

// member is one member of an object, as it was written.
type member struct {
	name        string
	text, value []byte
}

var errNoObject = errors.New("the body is not a JSON object")

// ParseObject finds the members of an object.
func ParseObject(raw []byte) (Object, error) {
	o := Object{Raw: raw}
	refused := func(err error) (Object, error) {
		if json.Valid(raw) {
			return o, &handlers.Error{Status: http.StatusBadRequest, Code: "M_BAD_JSON",
				Message: "The body must be a JSON object.", Cause: err}
		}
		return o, &handlers.Error{Status: http.StatusBadRequest, Code: "M_NOT_JSON", Message: "The body is not JSON.",
			Cause: err}
	}
	if !json.Valid(raw) {
		return refused(errNoObject)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return refused(errNoObject)
	}
	for d.More() {
		start := int(d.InputOffset())
		name, err := d.Token()
		if err != nil {
			return refused(err) // unreachable: it is valid
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return refused(err) // unreachable: it is valid
		}
		text := bytes.TrimLeft(raw[start:d.InputOffset()], ", \t\r\n")
		o.members = append(o.members, member{name: name.(string), text: text, value: value})
	}
	return o, nil
}

// Get gives a member's value, or nil. Of several of one name the last counts, as in most parsers.
func (o Object) Get(name string) (value json.RawMessage) {
	for _, m := range o.members {
		if m.name == name {
			value = m.value
		}
	}
	if string(value) == "null" {
		return nil
	}
	return value
}

// Has reports whether the object has a member of a name, even if that is null.
func (o Object) Has(name string) bool {
	return slices.ContainsFunc(o.members, func(m member) bool { return m.name == name })
}

// Without gives the text of the object without the members of some names, and with others at its end.
func (o Object) Without(names []string, more ...string) []byte {
	var texts [][]byte
	for _, m := range o.members {
		if !slices.Contains(names, m.name) {
			texts = append(texts, m.text)
		}
	}
	for _, text := range more {
		texts = append(texts, []byte(text))
	}
	return append(append([]byte("{"), bytes.Join(texts, []byte(","))...), '}')
}
