package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// bundler writes files out as one document of OpenAPI 3.1: it follows the grammar through what was written, takes each
// part over, and gives what is referred to a name among the components.
type bundler struct {
	files    *files
	problems Problems
	gaps     []Problem

	parts map[target]*component // by what they were made from
	order []*component
	names []*node               // what will be the pointer of a *component
	named map[string]*component // by pointer, once they are settled
	count int                   // nodes made

	inlining []target // references being written out, to see one that leads to itself
	depth    int
	hops     int // references followed on the way to one
}

// target is a part of a file that something refers to.
type target struct {
	file, pointer string
	shape         shape
}

// component is a named part of the result. Its name is settled last, when all are known.
type component struct {
	target
	wanted string   // the name that it should have
	at     Position // of its key, if it has one
	name   string
	raw    *node // as it was written
	scope  scope
	node   *node // as it was taken over
	class  int   // components of one class say the same
}

// scope is what a part inherits from around it.
type scope struct {
	swagger  bool // the file is Swagger 2.0
	modern   bool // the file is OpenAPI 3.1: what stands beside a $ref counts
	consumes []string
	produces []string
}

func (b *bundler) problem(at Position, what, fix string) {
	if len(b.problems) <= maxProblems {
		b.problems = append(b.problems, Problem{at, what, fix})
	}
}

func (b *bundler) gap(at Position, what, fix string) {
	p := Problem{at, what, fix}
	if len(b.gaps) < maxProblems && !slices.Contains(b.gaps, p) {
		b.gaps = append(b.gaps, p)
	}
}

// take takes a part over. It is nil where there is nothing to take.
func (b *bundler) take(p part, n *node, c scope) *node {
	if n == nil || b.exhausted(n) {
		return nil
	}
	b.depth++
	defer func() { b.depth-- }()
	switch p.how {
	case list:
		return b.takeList(p.shape, n, c)
	case mapped:
		return b.takeMap(p.shape, n, c)
	}
	return b.takeOne(p.shape, n, c)
}

// exhausted tells that the result has become larger than any API is.
func (b *bundler) exhausted(n *node) bool {
	b.count++
	switch {
	case b.count == maxResult:
		b.problem(n.at, fmt.Sprintf("with its references written out the spec holds more than %d values", maxResult),
			"give repeated parts names under components")
	case b.count > maxResult:
	case b.depth > maxDepth:
		b.count = maxResult
		b.problem(n.at, fmt.Sprintf("values lie more than %d levels deep in one another", maxDepth),
			"give the inner ones names under components and refer to them")
	default:
		return false
	}
	return true
}

func (b *bundler) takeList(s shape, n *node, c scope) *node {
	if n.isMapping() && n.text("$ref") != "" {
		return b.writeOut(listOf(s), n, c)
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
		if t := b.take(one(s), item, c); t != nil {
			taken.items = append(taken.items, t)
		}
	}
	return taken
}

func (b *bundler) takeMap(s shape, n *node, c scope) *node {
	if n.kind == scalarNode && n.scalar == nil {
		return nil
	}
	if !n.isMapping() {
		b.problem(n.at, "a mapping of names to "+string(s)+"s is expected here",
			"write name: and the "+string(s)+" below it")
		return nil
	}
	if n.text("$ref") != "" {
		return b.writeOut(mapOf(s), n, c)
	}
	var fields []field
	for _, f := range n.fields {
		if isExtension(f.name) && s != schemaShape && s != headerShape {
			fields = append(fields, f)
			continue
		}
		if t := b.take(one(s), f.value, c); t != nil {
			fields = append(fields, field{f.name, f.at, t})
		}
	}
	return newMapping(n.at, fields...)
}

func (b *bundler) takeOne(s shape, n *node, c scope) *node {
	switch s {
	case textShape, flagShape, numberShape, wholeShape:
		return b.takeScalar(s, n)
	case valueShape:
		return b.takeValue(n)
	case plainShape:
		return n
	}
	if n.isMapping() && n.text("$ref") != "" {
		if section[s] == "" {
			return b.writeOut(one(s), n, c)
		}
		return b.refer(s, n, c)
	}
	if n.kind == scalarNode && n.scalar == nil && s != schemaShape {
		return nil
	}
	if c.swagger {
		n, c = b.fromSwagger(s, n, c)
	}
	switch {
	case s == discriminatorShape && n.isMapping():
		return b.takeDiscriminator(n, c)
	// as Swagger has it, in a file of a later version
	case s == parameterShape && n.get("type") != nil && n.get("schema") == nil:
		n = swaggerParameter(n)
	}
	if s == schemaShape {
		return b.takeSchema(n, c)
	}
	if !n.isMapping() {
		b.problem(n.at, "the "+string(s)+" must be a mapping", "write its fields below it, indented")
		return nil
	}
	return b.mend(s, newMapping(n.at, b.takeFields(s, n, c)...))
}

// takeFields takes over what the grammar knows, and what begins with x-.
func (b *bundler) takeFields(s shape, n *node, c scope) []field {
	var fields []field
	for _, f := range n.fields {
		p, known := partOf(s, f.name)
		switch {
		case isExtension(f.name):
			fields = append(fields, f)
		case !known:
			b.gap(f.at, fmt.Sprintf("%q is no field of a %s and is left out", f.name, s),
				"remove it, or let its name begin with x-")
		default:
			if t := b.take(p, f.value, c); t != nil {
				fields = append(fields, field{f.name, f.at, t})
			}
		}
	}
	return fields
}

// refer makes a reference to a component, which is taken over if it is not yet.
func (b *bundler) refer(s shape, n *node, c scope) *node {
	t, found, ok := b.follow(s, n)
	if !ok {
		return b.standIn(s, n)
	}
	if c.swagger && s == parameterShape && isBody(found) {
		return found // becomes the request body, which Swagger 2.0 has no components for
	}
	written, _ := n.field("$ref")
	ref := newMapping(n.at, field{"$ref", written.at, b.name(written.at, b.component(t, found, c))})
	if s == schemaShape {
		return b.besideRef(ref, n.without("$ref"), c)
	}
	return ref
}

// takeDiscriminator settles what the mapping refers to: by pointer, by file or by the name of a schema.
func (b *bundler) takeDiscriminator(n *node, c scope) *node {
	mapping, ok := n.field("mapping")
	if !ok || !mapping.value.isMapping() {
		return newMapping(n.at, b.takeFields(discriminatorShape, n, c)...)
	}
	var fields []field
	for _, f := range mapping.value.fields {
		ref := f.value.string()
		if !strings.ContainsAny(ref, "#/") && path.Ext(ref) == "" {
			ref = "#/components/schemas/" + ref
			if c.swagger {
				ref = "#/definitions/" + f.value.string()
			}
		}
		at := f.value.at
		if t, found, ok := b.follow(schemaShape, newMapping(at, field{"$ref", at, newScalar(at, ref)})); ok {
			fields = append(fields, field{f.name, f.at, b.name(at, b.component(t, found, c))})
		}
	}
	taken := b.takeFields(discriminatorShape, n.without("mapping"), c)
	return newMapping(n.at, append(taken, field{"mapping", mapping.at, newMapping(mapping.at, fields...)})...)
}

// name is the component's pointer: a node whose text is settled when all names are known.
func (b *bundler) name(at Position, c *component) *node {
	n := newScalar(at, c)
	b.names = append(b.names, n)
	return n
}

// component is the named part made of a target. It is taken over later: a chain of a thousand names is no deep nesting.
func (b *bundler) component(t target, n *node, c scope) *component {
	if known := b.parts[t]; known != nil {
		return known
	}
	made := &component{target: t, wanted: nameOf(t), raw: n, scope: c}
	b.parts[t] = made
	b.order = append(b.order, made)
	return made
}

// finish takes over all components, and those that they refer to.
func (b *bundler) finish() {
	for i := 0; i < len(b.order); i++ {
		c := b.order[i]
		b.depth = 0
		if c.node = b.take(one(c.shape), c.raw, c.scope); c.node == nil {
			c.node = b.standIn(c.shape, c.raw)
		}
	}
}

// nameOf is what a component is called after: the last part of the pointer, else the file.
func nameOf(t target) string {
	name := t.pointer[strings.LastIndexByte(t.pointer, '/')+1:]
	if name == "" {
		base := path.Base(t.file)
		name = strings.TrimSuffix(base, path.Ext(base))
	}
	return pointerName.Replace(name)
}

// writeOut puts what a reference names in its place, where OpenAPI has no components for it.
func (b *bundler) writeOut(p part, n *node, c scope) *node {
	t, found, ok := b.follow(p.shape, n)
	if !ok {
		return nil
	}
	if slices.Contains(b.inlining, t) {
		b.problem(n.at, fmt.Sprintf("the reference %q leads back to itself", n.text("$ref")),
			"refer to what is meant, or write it here")
		return nil
	}
	b.inlining = append(b.inlining, t)
	taken := b.take(p, merged(found, n.without("$ref")), c)
	b.inlining = b.inlining[:len(b.inlining)-1]
	return taken
}

// merged is a mapping with what was written beside the reference to it.
func merged(found, beside *node) *node {
	if !found.isMapping() || len(beside.fields) == 0 {
		return found
	}
	return found.with(beside.fields...)
}
