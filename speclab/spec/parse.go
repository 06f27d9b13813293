package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// parse reads YAML, of which JSON is a part. All aliases and merges are written out.
func parse(name string, data []byte) (*node, Problems) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	refuse := func(line int, what, fix string) (*node, Problems) {
		return nil, Problems{{Position: Position{File: name, Line: line}, What: what, Fix: fix}}
	}
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return refuse(0, "the file is not UTF-8 text", "save it as UTF-8")
	}
	if bytes.Count(data, []byte(",")) > 2*maxNodes || bytes.Count(data, []byte("\n")) > 2*maxNodes {
		// before they take memory
		return refuse(0, fmt.Sprintf("the file holds more than %d values", maxNodes),
			"split it, or leave out long examples")
	}
	var doc yaml.Node
	if err := unmarshal(data, &doc); err != nil {
		return nil, Problems{yamlProblem(name, data, err)}
	}
	if len(doc.Content) != 1 {
		return refuse(1, "the file is empty", "write an OpenAPI document")
	}
	b := &builder{file: name}
	root := b.build(doc.Content[0], 0)
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return root, nil
}

// unmarshal is the library's, whose panics become errors.
func unmarshal(data []byte, doc *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return yaml.Unmarshal(data, doc)
}

var lineInError = regexp.MustCompile(`line (\d+)(?:, column (\d+))?`)

// yamlProblem says where YAML is broken, and what to write instead where that is known.
func yamlProblem(name string, data []byte, err error) Problem {
	p := Problem{Position: Position{File: name, Line: 1}, What: "not valid YAML: " + said(err), Fix: "mend the line"}
	var typed *yaml.LoadErrors
	if errors.As(err, &typed) && len(typed.Errors) > 0 {
		p.Line, p.Column = typed.Errors[0].Mark.Line, typed.Errors[0].Mark.Column
	} else if found := lineInError.FindAllStringSubmatch(err.Error(), -1); found != nil {
		last := found[len(found)-1]
		p.Line, _ = strconv.Atoi(last[1])
		p.Column, _ = strconv.Atoi(last[2])
	}
	if tab := tabLine(data, p.Line); tab > 0 &&
		(abs(tab-p.Line) <= 2 || strings.Contains(err.Error(), "cannot start any token")) {
		p.Position, p.What, p.Fix = Position{File: name, Line: tab, Column: 1}, "a tab in the indentation",
			"use spaces: YAML allows no tabs there"
	}
	return p
}

// said is the library's message without its name and the line, which stands before it.
func said(err error) string {
	text := strings.TrimPrefix(firstLine(err.Error()), "yaml:")
	return strings.TrimLeft(lineInError.ReplaceAllString(text, ""), " :")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// tabLine is the line that is indented by a tab and nearest to where the library stumbled, or 0.
func tabLine(data []byte, near int) int {
	found := 0
	for i, line := range bytes.Split(data, []byte("\n")) {
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		if bytes.IndexByte(indent, '\t') >= 0 && len(bytes.TrimSpace(line)) > 0 &&
			(found == 0 || abs(i+1-near) < abs(found-near)) {
			found = i + 1
		}
	}
	return found
}

func abs(n int) int { return max(n, -n) }

// builder makes nodes of YAML's.
type builder struct {
	file     string
	count    int
	text     int          // bytes
	within   []*yaml.Node // aliases being written out, to see one that contains itself
	problems Problems
	stopped  bool
}

func (b *builder) position(y *yaml.Node) Position {
	return Position{File: b.file, Line: y.Line, Column: y.Column}
}

func (b *builder) refuse(y *yaml.Node, what, fix string) {
	if len(b.problems) < maxProblems {
		b.problems = append(b.problems, Problem{Position: b.position(y), What: what, Fix: fix})
	}
}

// stop refuses and gives up: what follows would only cost more.
func (b *builder) stop(y *yaml.Node, what, fix string) *node {
	if !b.stopped {
		b.refuse(y, what, fix)
	}
	b.stopped = true
	return newScalar(b.position(y), nil)
}

func (b *builder) build(y *yaml.Node, depth int) *node {
	b.count++
	b.text += len(y.Value)
	switch {
	case b.stopped:
		return newScalar(b.position(y), nil)
	case b.count > maxNodes:
		return b.stop(y, fmt.Sprintf("the file holds more than %d values, aliases written out", maxNodes),
			"write less, or use $ref in place of aliases")
	case b.text > maxText:
		return b.stop(y, fmt.Sprintf("the file holds more than %d MB of text, aliases written out", maxText>>20),
			"write less, or use $ref in place of aliases")
	case depth > maxDepth:
		return b.stop(y, fmt.Sprintf("values lie more than %d levels deep in one another", maxDepth),
			"give the inner ones names under components and refer to them")
	}
	switch y.Kind {
	case yaml.AliasNode:
		return b.alias(y, depth)
	case yaml.MappingNode:
		return b.mapping(y, depth)
	case yaml.SequenceNode:
		list := &node{at: b.position(y), kind: sequenceNode}
		for _, item := range y.Content {
			list.items = append(list.items, b.build(item, depth+1))
		}
		return list
	}
	return newScalar(b.position(y), scalarOf(y))
}

func (b *builder) alias(y *yaml.Node, depth int) *node {
	for _, outer := range b.within {
		if outer == y.Alias {
			return b.stop(y, "the alias *"+y.Value+" lies in what it stands for", "use $ref for a recursive schema")
		}
	}
	b.within = append(b.within, y.Alias)
	n := b.build(y.Alias, depth+1)
	b.within = b.within[:len(b.within)-1]
	return n
}

func (b *builder) mapping(y *yaml.Node, depth int) *node {
	if len(y.Content) > 2*maxKeys {
		return b.stop(y, fmt.Sprintf("a mapping with more than %d keys", maxKeys),
			"split it: each part can be served on its own")
	}
	var own, merged []field
	places := make(map[string]Position, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = &yaml.Node{Kind: key.Alias.Kind, Tag: key.Alias.Tag, Value: key.Alias.Value, Line: key.Line,
				Column: key.Column}
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			b.refuse(key, "a key must be plain text", "put the key in quotes")
		case key.ShortTag() == "!!merge":
			merged = append(merged, b.merge(value, depth)...)
		case places[key.Value] != Position{}:
			b.refuse(key, fmt.Sprintf("the key %q stands here a second time (first on line %d)", key.Value,
				places[key.Value].Line), "keep one of them")
		default:
			places[key.Value] = b.position(key)
			b.text += len(key.Value)
			own = append(own, field{key.Value, b.position(key), b.build(value, depth+1)})
		}
	}
	for _, f := range merged { // what is written in the mapping itself wins, then the earlier merge
		if places[f.name] == (Position{}) {
			places[f.name] = f.at
			own = append(own, f)
		}
	}
	return newMapping(b.position(y), own...)
}

// merge is the fields that "<<" brings in.
func (b *builder) merge(y *yaml.Node, depth int) []field {
	n := b.build(y, depth+1)
	switch {
	case n.isMapping():
		return n.fields
	case n.isSequence():
		var all []field
		for _, item := range n.items {
			all = append(all, item.fields...)
		}
		return all
	}
	if !b.stopped {
		b.refuse(y, "<< merges a mapping, and this is none", "name an anchor of a mapping, as in <<: *common")
	}
	return nil
}

// scalarOf is what JSON can say of a scalar: dates and binary stay the text they are.
func scalarOf(y *yaml.Node) any {
	switch y.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(y.Value, "true")
	case "!!int", "!!float":
		return number(y)
	}
	return y.Value
}

func number(y *yaml.Node) any {
	if json.Valid([]byte(y.Value)) {
		return json.Number(y.Value)
	}
	var i int64
	if y.Decode(&i) == nil {
		return json.Number(strconv.FormatInt(i, 10))
	}
	var f float64
	if y.Decode(&f) != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return y.Value
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
}
