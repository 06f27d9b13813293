package spec

import (
	"bytes"
	"encoding/json"
)

// writer writes a document as JSON, one key or item a line, and remembers where each line was written by its author: so
// that an error of a library for a line of the result can be reported for the line of the spec.
type writer struct {
	bytes.Buffer
	places []Position // by line, from 0
}

func (w *writer) line(at Position) {
	w.WriteByte('\n')
	w.places = append(w.places, at)
}

// place is where a line of the result comes from.
func (w *writer) place(line int) (Position, bool) {
	if line < 1 || line > len(w.places) {
		return Position{}, false
	}
	return w.places[line-1], true
}

func write(n *node) *writer {
	w := &writer{places: []Position{n.at}}
	w.value(n)
	return w
}

func (w *writer) value(n *node) {
	switch n.kind {
	case mappingNode:
		w.WriteByte('{')
		for i, f := range n.fields {
			if i > 0 {
				w.WriteByte(',')
			}
			w.line(f.at)
			w.scalar(f.name)
			w.WriteByte(':')
			w.value(f.value)
		}
		w.WriteByte('}')
	case sequenceNode:
		w.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				w.WriteByte(',')
			}
			w.line(item.at)
			w.value(item)
		}
		w.WriteByte(']')
	default:
		w.scalar(n.scalar)
	}
}

func (w *writer) scalar(v any) {
	text, err := json.Marshal(v)
	if err != nil { // unreachable: scalars are what JSON knows
		text = []byte("null")
	}
	w.Write(text)
}
