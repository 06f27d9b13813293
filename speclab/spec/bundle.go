package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// bundler makes one document of OpenAPI 3.1 of files: it follows the grammar through them, converts each part, and
// makes a component of each part that is referred to.
type bundler struct {
	files    *files
	problems Problems
	gaps     []Problem

	parts    map[target]*component // by what they were made from
	order    []*component
	pointers []*node               // each will be the pointer of a component: see pointerTo
	named    map[string]*component // by pointer, once they are settled
	count    int                   // nodes made
	text     int                   // bytes of text in them

	inlining []target // targets of references that are being inlined, to find one that leads to itself
	depth    int
	hops     int // references followed on the way to one
}

// target is a part of a file that something refers to.
type target struct {
	file, pointer string
	shape         shape
}

// component is a named part of the result. It gets its name last, when all components are known.
type component struct {
	target
	preferred string   // the name that it should have
	at        Position // of its key, if it has one
	name      string
	raw       *node // as it was written
	scope     scope
	node      *node // converted
	class     int   // components of one class are equal: see groupEqual
}

// scope is what a part inherits from around it.
type scope struct {
	swagger  bool // the file is Swagger 2.0
	modern   bool // the file is OpenAPI 3.1: what is written beside a $ref counts
	consumes []string
	produces []string
}

func (b *bundler) problem(at Position, what, fix string) {
	b.refuse(Problem{Position: at, What: what, Fix: fix})
}

func (b *bundler) refuse(p Problem) {
	if len(b.problems) <= maxProblems {
		b.problems = append(b.problems, p)
	}
}

func (b *bundler) gap(at Position, what, fix string) {
	b.warn(Problem{Position: at, What: what, Fix: fix})
}

func (b *bundler) warn(p Problem) {
	if len(b.gaps) < maxProblems && !slices.Contains(b.gaps, p) {
		b.gaps = append(b.gaps, p)
	}
}

// convert converts a part to OpenAPI 3.1. It is nil where nothing is written.
func (b *bundler) convert(p part, n *node, c scope) *node {
	if n == nil || b.overLimit(n) {
		return nil
	}
	b.depth++
	defer func() { b.depth-- }()
	switch p.how {
	case list:
		return b.convertList(p.shape, n, c)
	case mapped:
		return b.convertMap(p.shape, n, c)
	}
	return b.convertOne(p.shape, n, c)
}

// overLimit reports whether the result has become larger than any API is.
func (b *bundler) overLimit(n *node) bool {
	b.count++
	b.text += n.size()
	switch {
	case b.count == maxResult:
		b.problem(n.at, fmt.Sprintf("with its references written out the spec holds more than %d values", maxResult),
			"give repeated parts names under components")
	case b.count > maxResult:
	case b.text > maxText:
		b.count = maxResult
		b.problem(n.at, fmt.Sprintf("with its references written out the spec holds more than %d MB of text",
			maxText>>20), "refer to long texts less often, or leave them out")
	case b.depth > maxDepth:
		b.count = maxResult
		b.problem(n.at, fmt.Sprintf("values lie more than %d levels deep in one another", maxDepth),
			"give the inner ones names under components and refer to them")
	default:
		return false
	}
	return true
}

func (b *bundler) convertList(s shape, n *node, c scope) *node {
	if n.isMapping() && n.text("$ref") != "" {
		return b.inline(listOf(s), n, c)
	}
	if !n.isSequence() {
		if n.kind == scalarNode && n.scalar == nil {
			return nil
		}
		if n.isMapping() && s != textShape {
			b.problem(n.at, "a list of "+string(s)+"s is expected here", "write each as an item, with a dash")
			return nil
		}
		n = newSequence(n.at, n)
	}
	if s != textShape && s != valueShape && len(n.items) > maxMembers {
		b.problem(n.at, fmt.Sprintf("a list of more than %d %ss", maxMembers, s), "write fewer")
		return nil
	}
	taken := &node{at: n.at, kind: sequenceNode}
	for _, item := range n.items {
		if t := b.convert(one(s), item, c); t != nil {
			taken.items = append(taken.items, t)
		}
	}
	return taken
}

func (b *bundler) convertMap(s shape, n *node, c scope) *node {
	if n.kind == scalarNode && n.scalar == nil {
		return nil
	}
	if !n.isMapping() {
		b.problem(n.at, "a mapping of names to "+string(s)+"s is expected here",
			"write name: and the "+string(s)+" below it")
		return nil
	}
	if n.text("$ref") != "" {
		return b.inline(mapOf(s), n, c)
	}
	var fields []field
	for _, f := range n.fields {
		if isExtension(f.name) && s != schemaShape && s != headerShape {
			fields = append(fields, f)
			continue
		}
		if t := b.convert(one(s), f.value, c); t != nil {
			fields = append(fields, field{f.name, f.at, t})
		}
	}
	return newMapping(n.at, fields...)
}

func (b *bundler) convertOne(s shape, n *node, c scope) *node {
	switch s {
	case textShape, flagShape, numberShape, wholeShape:
		return b.convertScalar(s, n)
	case valueShape:
		return b.convertValue(n)
	case plainShape:
		return n
	}
	if n.isMapping() && n.text("$ref") != "" {
		if section[s] == "" {
			return b.inline(one(s), n, c)
		}
		return b.refer(s, n, c)
	}
	if n.kind == scalarNode && n.scalar == nil && s != schemaShape {
		return nil
	}
	if (s == parameterShape || s == headerShape) && n.isMapping() {
		b.untyped(s, n, c)
	}
	if c.swagger {
		n, c = b.fromSwagger(s, n, c)
	}
	switch {
	case s == discriminatorShape && n.isMapping():
		return b.convertDiscriminator(n, c)
	// as Swagger has it, in a file of a later version
	case s == parameterShape && n.get("type") != nil && n.get("schema") == nil:
		n = swaggerParameter(n)
	}
	if s == schemaShape {
		return b.convertSchema(n, c)
	}
	if !n.isMapping() {
		b.problem(n.at, "the "+string(s)+" must be a mapping", "write its fields below it, indented")
		return nil
	}
	return b.repair(s, newMapping(n.at, b.convertFields(s, n, c)...))
}

// convertFields converts the fields that the grammar knows, and keeps those that begin with x-.
func (b *bundler) convertFields(s shape, n *node, c scope) []field {
	var fields []field
	for _, f := range n.fields {
		p, known := partOf(s, f.name)
		switch {
		case isExtension(f.name):
			fields = append(fields, f)
		case !known:
			b.gap(f.at, fmt.Sprintf("%q is no field of %s and is left out", f.name, s.withArticle()),
				"remove it, or let its name begin with x-")
		default:
			if t := b.convert(p, f.value, c); t != nil {
				fields = append(fields, field{f.name, f.at, t})
			}
		}
	}
	return fields
}

// component is the component of a target. It is converted later, so that a chain of a thousand references does not nest
// a thousand calls.
func (b *bundler) component(t target, n *node, c scope) *component {
	if known := b.parts[t]; known != nil {
		return known
	}
	made := &component{target: t, preferred: preferredName(t), raw: n, scope: c}
	b.parts[t] = made
	b.order = append(b.order, made)
	return made
}

// convertComponents converts all components, and those that they refer to.
func (b *bundler) convertComponents() {
	for i := 0; i < len(b.order); i++ {
		c := b.order[i]
		b.depth = 0
		if c.node = b.convert(one(c.shape), c.raw, c.scope); c.node == nil {
			c.node = b.placeholder(c.shape, c.raw)
		}
	}
}

// preferredName is the last part of the pointer to a component, or else the name of its file.
func preferredName(t target) string {
	name := t.pointer[strings.LastIndexByte(t.pointer, '/')+1:]
	if name == "" {
		base := path.Base(t.file)
		name = strings.TrimSuffix(base, path.Ext(base))
	}
	return pointerName.Replace(name)
}
