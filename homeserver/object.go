package homeserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"

	"postern/handlers"
)

// object is a JSON object whose members can be taken out and put in without touching the others.
type object struct {
	raw     []byte
	members []member
}

// member is one member of an object, as it was written.
type member struct {
	name        string
	text, value []byte
}

var errNoObject = errors.New("the body is not a JSON object")

// parseObject finds the members of an object.
func parseObject(raw []byte) (object, error) {
	o := object{raw: raw}
	refused := func(err error) (object, error) {
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

// get gives a member's value, or nil. Of several of one name the last counts, as in most parsers.
func (o object) get(name string) (value json.RawMessage) {
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

// without gives the text of the object without the members of a name, and with others at its end.
func (o object) without(name string, more ...string) []byte {
	var texts [][]byte
	for _, m := range o.members {
		if m.name != name {
			texts = append(texts, m.text)
		}
	}
	for _, text := range more {
		texts = append(texts, []byte(text))
	}
	return append(append([]byte("{"), bytes.Join(texts, []byte(","))...), '}')
}
