package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var templated = regexp.MustCompile(`\{([^{}]*)\}`)

// pathsOf makes one mapping of paths from the operations of all roots. Paths that differ in the names of their
// parameters alone are one.
func (b *bundler) pathsOf(at Position, all []*operation) *node {
	first := make(map[string]*operation) // by the form of the path
	same := make(map[string]*operation)  // by form and method
	byPath := make(map[string][]*operation)
	var order []string
	for _, op := range all {
		form := templated.ReplaceAllString(op.path, "{}")
		if first[form] == nil {
			first[form] = op
			order = append(order, op.path)
		}
		b.renameParameters(op, first[form].path)
		if other := same[op.method+form]; other != nil {
			b.refuseDuplicate(op, other)
			continue
		}
		same[op.method+form] = op
		byPath[op.path] = append(byPath[op.path], op)
	}
	var paths []field
	for _, path := range order {
		paths = append(paths, field{path, byPath[path][0].pathAt, b.pathItem(byPath[path])})
	}
	return newMapping(at, paths...)
}

// refuseDuplicate refuses two definitions of one method of one path, unless they are equal.
func (b *bundler) refuseDuplicate(op, other *operation) {
	unnamed := func(o *operation) *node {
		return newMapping(o.at, field{"operation", o.at, o.node.without("operationId")}, field{"item", o.at, o.item})
	}
	if !same(unnamed(op), unnamed(other)) {
		b.refuse(Problem{Position: op.at, What: fmt.Sprintf("%s %s is defined twice, and not alike",
			strings.ToUpper(op.method), op.path), Fix: "keep one of them", See: other.at})
	}
}

// renameParameters gives the parameters of an operation's path the names that another path has for them.
func (b *bundler) renameParameters(op *operation, path string) {
	if op.path == path {
		return
	}
	was, is := templated.FindAllStringSubmatch(op.path, -1), templated.FindAllStringSubmatch(path, -1)
	renamed := make(map[string]string)
	for i := range was {
		renamed[was[i][1]] = is[i][1]
	}
	in := func(n *node) *node {
		list, ok := n.field("parameters")
		if !ok {
			return n
		}
		fresh := newSequence(list.value.at)
		for _, p := range list.value.items {
			if actual := b.dereference(p); actual.text("in") == "path" && renamed[actual.text("name")] != "" {
				name, _ := actual.field("name")
				p = actual.with(field{"name", name.at, newScalar(name.at, renamed[name.value.string()])})
			}
			fresh.items = append(fresh.items, p)
		}
		return n.with(field{"parameters", list.at, fresh})
	}
	op.node, op.item, op.path = in(op.node), in(op.item), path
}

// dereference is the component that a reference in the result refers to, or the node itself when it is none.
func (b *bundler) dereference(n *node) *node {
	for range 10 {
		ref := n.get("$ref")
		if ref == nil {
			break
		}
		c, ok := b.byName(ref)
		if !ok {
			break
		}
		n = c.node
	}
	return n
}

func (b *bundler) byName(ref *node) (*component, bool) {
	if c, ok := ref.scalar.(*component); ok {
		return c, true
	}
	c, ok := b.named[ref.string()]
	return c, ok
}

// pathItem is the operations of one path. What the path says for all of them is kept where one path item said it, else
// each operation gets it.
func (b *bundler) pathItem(ops []*operation) *node {
	item := ops[0].item
	shared := !slices.ContainsFunc(ops, func(op *operation) bool { return op.item != item })
	var fields []field
	if shared {
		item = b.distinctParameters(item, ops[0].path)
		fields = slices.Clone(item.fields)
	}
	for _, op := range ops {
		node := op.node
		if !shared {
			node = node.with(field{"parameters", op.at,
				newSequence(op.at, append(b.inherited(op), parametersOf(node)...)...)})
			item = newMapping(op.at)
		}
		fields = append(fields, field{op.method, op.at,
			b.pathParameters(b.distinctParameters(node, op.path), item, op)})
	}
	return newMapping(ops[0].pathAt, fields...)
}

// inherited are the path's parameters that the operation does not define itself.
func (b *bundler) inherited(op *operation) []*node {
	own := make(map[string]bool)
	for _, p := range parametersOf(op.node) {
		own[b.parameterKey(p)] = true
	}
	var kept []*node
	for _, p := range parametersOf(op.item) {
		if !own[b.parameterKey(p)] {
			kept = append(kept, p)
		}
	}
	return kept
}

func (b *bundler) parameterKey(p *node) string {
	actual := b.dereference(p)
	return actual.text("in") + " " + actual.text("name")
}

// distinctParameters leaves out parameters that are defined twice, or for a part of the path that there is not.
func (b *bundler) distinctParameters(n *node, path string) *node {
	list, ok := n.field("parameters")
	if !ok {
		return n
	}
	kept, seen := newSequence(list.value.at), make(map[string]*node)
	for _, p := range list.value.items {
		key, actual := b.parameterKey(p), b.dereference(p)
		switch other := seen[key]; {
		case other != nil && !same(b.dereference(other), actual):
			b.warn(Problem{Position: p.at, What: fmt.Sprintf("the parameter %q is defined twice; the first counts",
				actual.text("name")), Fix: "keep one of them", See: other.at})
		case other != nil:
		case actual.text("in") == "path" && !slices.Contains(templateNames(path), actual.text("name")):
			b.gap(p.at, fmt.Sprintf("the path %s has no {%s}: the parameter is left out", path, actual.text("name")),
				"add it to the path, or remove the parameter")
		default:
			seen[key] = p
			kept.items = append(kept.items, p)
		}
	}
	return n.with(field{"parameters", list.at, kept})
}

func templateNames(path string) []string {
	var names []string
	for _, match := range templated.FindAllStringSubmatch(path, -1) {
		names = append(names, match[1])
	}
	return names
}

// pathParameters defines the parameters in the path that are not defined.
func (b *bundler) pathParameters(n, item *node, op *operation) *node {
	known := make(map[string]bool)
	for _, p := range append(slices.Clone(parametersOf(n)), parametersOf(item)...) {
		known[b.parameterKey(p)] = true
	}
	parameters := newSequence(op.at, parametersOf(n)...)
	for _, name := range templateNames(op.path) {
		if known["path "+name] {
			continue
		}
		known["path "+name] = true
		says := func(key string, value any) field { return field{key, op.pathAt, newScalar(op.pathAt, value)} }
		schema := newMapping(op.pathAt, says("type", "string"))
		b.gap(op.pathAt, fmt.Sprintf("the parameter {%s} of the path is not defined; it is read as text", name),
			"add it to parameters, with in: path")
		parameters.items = append(slices.Clone(parameters.items),
			newMapping(op.pathAt, says("name", name), says("in", "path"), says("required", true),
				field{"schema", op.pathAt, schema}))
	}
	if len(parameters.items) == 0 {
		return n
	}
	at := op.at
	if f, ok := n.field("parameters"); ok {
		at = f.at
	}
	return n.with(field{"parameters", at, parameters})
}
