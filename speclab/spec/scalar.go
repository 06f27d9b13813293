package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// convertScalar converts a text, a number or a flag. One with quotes missing, or too many, is read as it was meant.
func (b *bundler) convertScalar(s shape, n *node) *node {
	if n.isMapping() && n.text("$ref") != "" && s == textShape { // a description in a file of its own
		return b.inline(one(textShape), n, scope{})
	}
	if n.kind != scalarNode {
		b.problem(n.at, "a "+string(s)+" is expected here, not a "+[]string{"", "mapping", "list"}[n.kind],
			"write one value")
		return nil
	}
	switch v := n.scalar.(type) {
	case nil:
		return nil
	case *component:
		return n
	case string:
		return b.fromText(s, n, v)
	case json.Number:
		return b.fromNumber(s, n, v)
	case bool:
		switch s {
		case flagShape:
			return n
		case textShape:
			return newScalar(n.at, strconv.FormatBool(v))
		}
	}
	return b.mismatch(s, n)
}

func (b *bundler) mismatch(s shape, n *node) *node {
	fix := map[shape]string{flagShape: "write true or false", numberShape: "write a number",
		wholeShape: "write a whole number"}[s]
	b.problem(n.at, fmt.Sprintf("%v is no %s", n.scalar,
		map[shape]string{flagShape: "true or false", numberShape: "number", wholeShape: "whole number",
			textShape: "text"}[s]), fix)
	return nil
}

func (b *bundler) fromText(s shape, n *node, v string) *node {
	switch s {
	case textShape:
		return newScalar(n.at, strings.ReplaceAll(v, "\r\n", "\n"))
	case flagShape:
		if flag, err := strconv.ParseBool(strings.ToLower(v)); err == nil && len(v) > 1 {
			return newScalar(n.at, flag)
		}
	default:
		if json.Valid([]byte(v)) && v != "" && strings.ContainsRune("-0123456789", rune(v[0])) {
			return b.fromNumber(s, n, json.Number(v))
		}
	}
	return b.mismatch(s, n)
}

func (b *bundler) fromNumber(s shape, n *node, v json.Number) *node {
	switch s {
	case textShape:
		return newScalar(n.at, v.String())
	case numberShape:
		if _, err := v.Float64(); err == nil {
			return newScalar(n.at, v)
		}
	case wholeShape:
		if f, err := v.Float64(); err == nil && f >= 0 && f < 1<<53 && f == float64(uint64(f)) {
			return newScalar(n.at, json.Number(strconv.FormatUint(uint64(f), 10)))
		}
	}
	return b.mismatch(s, n)
}

// convertValue converts data. References in it to other files are inlined, as Matrix's examples have them; where the
// file is not there, there is no example.
func (b *bundler) convertValue(n *node) *node {
	switch ref := n.text("$ref"); {
	case n.isMapping() && ref != "":
		return b.inline(one(valueShape), n, scope{})
	case n.isMapping():
		var fields []field
		for _, f := range n.fields {
			v := b.convert(one(valueShape), f.value, scope{})
			if v == nil {
				return nil
			}
			fields = append(fields, field{f.name, f.at, v})
		}
		return newMapping(n.at, fields...)
	case n.isSequence():
		taken := newSequence(n.at)
		for _, item := range n.items {
			v := b.convert(one(valueShape), item, scope{})
			if v == nil {
				return nil
			}
			taken.items = append(taken.items, v)
		}
		return taken
	}
	return newScalar(n.at, finite(n.scalar))
}

// finite keeps numbers that JSON readers can hold; others become text.
func finite(v any) any {
	if number, ok := v.(json.Number); ok {
		if _, err := number.Float64(); err != nil {
			return number.String()
		}
	}
	return v
}

// jsonIn is an example that was written as JSON in a text, as Matrix did until 2016; anything else stays as it is.
func jsonIn(n *node) *node {
	text := strings.TrimSpace(n.string())
	if n == nil || text == "" || !strings.ContainsRune("{[", rune(text[0])) {
		return n
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil || decoder.More() {
		return n
	}
	return nodeOf(n.at, v, 0)
}

// nodeOf makes a node of what encoding/json reads.
func nodeOf(at Position, v any, depth int) *node {
	if depth > maxDepth {
		return newScalar(at, nil)
	}
	switch v := v.(type) {
	case map[string]any:
		var fields []field
		for _, name := range sortedKeys(v) {
			fields = append(fields, field{name, at, nodeOf(at, v[name], depth+1)})
		}
		return newMapping(at, fields...)
	case []any:
		list := newSequence(at)
		for _, item := range v {
			list.items = append(list.items, nodeOf(at, item, depth+1))
		}
		return list
	}
	return newScalar(at, finite(v))
}
