package requests

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// level is an object or a list that is open.
type level struct {
	object bool
	secret bool // whether everything in it is
	count  int  // of names and values so far
	named  bool // whether the next value's name is a secret's
}

// hideJSON writes JSON again with its secrets hidden, as far as it can be read: whole is false when there was something
// that could not.
func hideJSON(raw []byte) (out string, whole bool) { return hideJSONTo(raw, maxNested) }

// hideJSONTo does so with what is nested in its strings.
func hideJSONTo(raw []byte, deep int) (out string, whole bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // numbers stay as they came
	var b strings.Builder
	open := []level{{}}
	for {
		token, err := decoder.Token()
		if err != nil {
			return b.String(), err == io.EOF && len(open) == 1
		}
		top := &open[len(open)-1]
		if end, is := token.(json.Delim); is && (end == '}' || end == ']') {
			b.WriteString(end.String())
			open = open[:len(open)-1]
			continue
		}
		isName := top.object && top.count%2 == 0
		b.WriteString(top.before())
		top.count++
		hide := top.secret || top.named
		switch value := token.(type) {
		case json.Delim:
			b.WriteString(value.String())
			open = append(open, level{object: value == '{', secret: hide})
		case string:
			if isName {
				top.named = secret(value)
				hide = false
			}
			b.WriteString(quote(value, hide, deep))
		case json.Number:
			b.WriteString(number(value, hide, deep))
		default: // true, false or null, which are no secrets
			b.Write(encode(value))
		}
		if !isName {
			top.named = false
		}
	}
}

// before separates what comes next from what is there.
func (l *level) before() string {
	switch {
	case l.count == 0:
		return ""
	case l.object && l.count%2 == 1:
		return ":"
	}
	return ","
}

func quote(value string, hide bool, deep int) string {
	if hide && value != "" {
		value = hidden
	}
	return string(encode(scrubTo(value, deep)))
}

func number(value json.Number, hide bool, deep int) string {
	if hide {
		return quote(value.String(), true, deep)
	}
	return value.String()
}

// encode writes JSON without escaping what only HTML minds.
func encode(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // unreachable: strings, numbers, lists and objects of them
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
