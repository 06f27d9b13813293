package spec

import (
	"fmt"
	"net/url"
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
		b.noteFile(f)
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

// noteFile takes up what is wrong with a file, once.
func (b *bundler) noteFile(f *file) {
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
			_, behind, found := b.resolve(valueShape, n)
			b.hops--
			if found {
				f, ok = behind.field(name)
			}
		}
		if !ok {
			return nil
		}
		n = f.value
	}
	return n
}

// standIn is what takes the place of a part that is not there.
func (b *bundler) standIn(s shape, n *node) *node {
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
