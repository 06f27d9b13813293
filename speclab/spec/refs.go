package spec

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// follow finds what a reference names, through references to references.
func (b *bundler) follow(s shape, n *node) (target, *node, bool) {
	seen := make(map[target]bool)
	for {
		t, found, ok := b.resolve(s, n)
		if !ok {
			return t, nil, false
		}
		next := found.text("$ref")
		if next == "" || !found.isMapping() || len(found.fields) > 1 {
			return t, found, true
		}
		if seen[t] {
			b.problem(n.at, fmt.Sprintf("the reference %q leads only to itself", next),
				"let one of them say what is meant")
			return t, nil, false
		}
		seen[t] = true
		n = found
	}
}

// resolve finds what one reference names.
func (b *bundler) resolve(s shape, n *node) (target, *node, bool) {
	written, _ := n.field("$ref")
	ref := strings.TrimSpace(written.value.string())
	name, fragment, _ := strings.Cut(ref, "#")
	if unescaped, err := url.PathUnescape(name); err == nil {
		name = unescaped
	}
	in := n.at.File
	if name != "" {
		inside, outside := b.files.locate(n.at.File, name)
		if outside != "" {
			b.gap(written.at, fmt.Sprintf("the reference %q %s: left open", ref, outside),
				"put the file into the folder and refer to it by its relative path")
			return target{}, nil, false
		}
		in = inside
	}
	f := b.files.open(in)
	if f.missing != "" {
		b.gap(written.at, fmt.Sprintf("the file of the reference %q %s: left open", ref, f.missing),
			"add "+in+", or refer to another")
		return target{}, nil, false
	}
	if f.root == nil {
		b.reportFile(f)
		return target{}, nil, false
	}
	if unescaped, err := url.PathUnescape(fragment); err == nil {
		fragment = unescaped
	}
	fragment = strings.TrimSuffix(fragment, "/")
	found := b.lookUp(f.root, fragment)
	if found == nil {
		b.problem(written.at, fmt.Sprintf("the reference %q names nothing: %s has no %q", ref, in, fragment),
			"correct the name after #, or define it there")
		return target{}, nil, false
	}
	return target{in, fragment, s}, found, true
}

// reportFile reports what is wrong with a file, once.
func (b *bundler) reportFile(f *file) {
	b.problems = append(b.problems, f.problem...)
	f.problem = nil
}

// pointerName undoes what JSON pointers do to names.
var pointerName = strings.NewReplacer("~1", "/", "~0", "~")

// lookUp finds a part by a JSON pointer, also where a mapping on the way is itself a reference.
func (b *bundler) lookUp(n *node, pointer string) *node {
	if pointer == "" {
		return n
	}
	for _, name := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		name = pointerName.Replace(name)
		if n.isSequence() {
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(n.items) {
				return nil
			}
			n = n.items[i]
			continue
		}
		f, ok := n.field(name)
		if !ok && n.isMapping() && n.text("$ref") != "" && b.hops < maxDepth {
			b.hops++
			_, actual, found := b.resolve(valueShape, n)
			b.hops--
			if found {
				f, ok = actual.field(name)
			}
		}
		if !ok {
			return nil
		}
		n = f.value
	}
	return n
}

// refer makes a reference to a component, which is made if there is none yet.
func (b *bundler) refer(s shape, n *node, c scope) *node {
	t, found, ok := b.follow(s, n)
	if !ok {
		return b.placeholder(s, n)
	}
	if c.swagger && s == parameterShape && isBody(found) {
		return found // becomes the request body, which Swagger 2.0 has no components for
	}
	written, _ := n.field("$ref")
	ref := newMapping(n.at, field{"$ref", written.at, b.pointerTo(written.at, b.component(t, found, c))})
	if s == schemaShape {
		return b.besideRef(ref, n.without("$ref"), c)
	}
	return ref
}

// annotations say something about a schema and nothing about what is valid.
var annotations = []string{"description", "title", "default", "example", "examples", "deprecated", "readOnly",
	"writeOnly", "nullable"}

// besideRef keeps what is written beside a schema's reference: all of it in 3.1, the annotations in older versions,
// where the rest never counted.
func (b *bundler) besideRef(ref, beside *node, c scope) *node {
	if !c.modern {
		beside = newMapping(beside.at, beside.only(annotations...)...)
	}
	counts := slices.ContainsFunc(beside.fields, func(f field) bool { return !isExtension(f.name) && f.name != "$ref" })
	if !counts {
		return ref
	}
	var around, inner []field
	for _, f := range beside.fields {
		if slices.Contains(annotations, f.name) || isExtension(f.name) {
			around = append(around, f)
		} else {
			inner = append(inner, f)
		}
	}
	members := newSequence(ref.at, ref)
	if len(inner) > 0 {
		if also := b.convertSchema(newMapping(beside.at, inner...), c); also != nil && len(also.fields) > 0 {
			members.items = append(members.items, also)
		}
	}
	s := &schema{b: b, raw: newMapping(beside.at, around...)}
	s.prepare()
	s.fields = append(b.convertFields(schemaShape, s.raw.without("nullable"), c), field{"allOf", ref.at, members})
	return s.repair()
}

// pointerTo is the pointer to a component: a node whose text is filled in by nameComponents, when all names are known.
func (b *bundler) pointerTo(at Position, c *component) *node {
	n := newScalar(at, c)
	b.pointers = append(b.pointers, n)
	return n
}

// convertDiscriminator makes pointers of what the mapping refers to by pointer, by file or by the name of a schema.
func (b *bundler) convertDiscriminator(n *node, c scope) *node {
	mapping, ok := n.field("mapping")
	if !ok || !mapping.value.isMapping() {
		return newMapping(n.at, b.convertFields(discriminatorShape, n, c)...)
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
			fields = append(fields, field{f.name, f.at, b.pointerTo(at, b.component(t, found, c))})
		}
	}
	taken := b.convertFields(discriminatorShape, n.without("mapping"), c)
	return newMapping(n.at, append(taken, field{"mapping", mapping.at, newMapping(mapping.at, fields...)})...)
}

// inline puts what a reference refers to in its place, where OpenAPI has no components for it.
func (b *bundler) inline(p part, n *node, c scope) *node {
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
	taken := b.convert(p, withBeside(found, n.without("$ref")), c)
	b.inlining = b.inlining[:len(b.inlining)-1]
	return taken
}

// withBeside is a mapping with the fields that were written beside the reference to it.
func withBeside(found, beside *node) *node {
	if !found.isMapping() || len(beside.fields) == 0 {
		return found
	}
	return found.with(beside.fields...)
}

// placeholder is put in the place of a part that is not there.
func (b *bundler) placeholder(s shape, n *node) *node {
	says := func(key, value string) field { return field{key, n.at, newScalar(n.at, value)} }
	switch s {
	case schemaShape:
		return newMapping(n.at)
	case responseShape:
		return newMapping(n.at, says("description", ""))
	case requestBodyShape:
		return newMapping(n.at, field{"content", n.at,
			newMapping(n.at, field{"application/json", n.at, newMapping(n.at)})})
	case headerShape:
		return newMapping(n.at, field{"schema", n.at, newMapping(n.at)})
	case securitySchemeShape:
		return newMapping(n.at, says("type", "http"), says("scheme", "bearer"))
	}
	return nil
}

// PointerOf reads a reference that stays in the document.
func PointerOf(ref string) ([]string, bool) {
	rest, found := strings.CutPrefix(ref, "#/")
	if !found {
		return nil, false
	}
	parts := strings.Split(rest, "/")
	for i, part := range parts {
		parts[i] = pointerName.Replace(part)
	}
	return parts, true
}

// Reference is a reference to a part of the document.
func Reference(pointer []string) string {
	var ref strings.Builder
	ref.WriteByte('#')
	for _, part := range pointer {
		ref.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(part))
	}
	return ref.String()
}
