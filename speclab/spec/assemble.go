package spec

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// bundle makes one document of all roots.
func bundle(fsys fs.FS, names []string) (*bundler, *node) {
	b := &bundler{files: newFiles(fsys), parts: make(map[target]*component), named: make(map[string]*component)}
	var roots []*root
	for _, name := range names {
		if r := b.open(path.Clean(name)); r != nil &&
			!slices.ContainsFunc(roots, func(o *root) bool { return o.raw == r.raw }) {
			roots = append(roots, r)
		}
	}
	if len(roots) == 0 || b.tooMany(roots) {
		return b, nil
	}
	for _, r := range roots {
		r.alone = len(roots) == 1
		b.register(r)
	}
	return b, b.assemble(roots)
}

// tooMany refuses before any work is done what would take too much of it.
func (b *bundler) tooMany(roots []*root) bool {
	total := 0
	for _, r := range roots {
		if paths := r.raw.get("paths"); paths.isMapping() {
			for _, f := range paths.fields {
				for _, method := range methods {
					if f.value.get(method) != nil {
						total++
					}
				}
			}
		}
		if total > maxOperations {
			b.problem(r.at, fmt.Sprintf("the spec has more than %d operations", maxOperations),
				"split it: each part can be served on its own")
			return true
		}
	}
	return false
}

func (b *bundler) assemble(roots []*root) *node {
	var all []*operation
	var tags, hooks []field
	var head *node
	tagged := make(map[string]bool)
	for _, r := range roots {
		h := b.head(r)
		if head == nil {
			head = h
		}
		for _, tag := range itemsOf(h.get("tags")) {
			name := tag.text("name")
			if name != "" && !tagged[name] {
				tagged[name] = true
				tags = append(tags, field{name, tag.at, tag})
			}
		}
		all = append(all, b.operations(r)...)
		if written := r.raw.get("webhooks"); written != nil {
			if taken := b.convert(mapOf(pathItemShape), written, r.scope); taken != nil {
				hooks = append(hooks, taken.fields...)
			}
		}
	}
	first := roots[0]
	if security, ok := first.raw.field("security"); ok && first.alone {
		head = head.with(field{"security", security.at, b.security(first, security.value)})
	}
	b.convertComponents()
	b.refuseCycles()
	if b.limitSize(first.at); len(b.problems) > 0 {
		return nil
	}
	taken := b.nameOperations(all)
	b.nameComponents(taken)
	for _, c := range b.order {
		b.named["#/components/"+section[c.shape]+"/"+c.name] = c
	}
	return b.document(first, head, tags, hooks, all)
}

func itemsOf(n *node) []*node {
	if n == nil {
		return nil
	}
	return n.items
}

// document puts the parts together.
func (b *bundler) document(first *root, head *node, tags, hooks []field, all []*operation) *node {
	at := first.at
	version, server := newScalar(at, "3.1.0"), newMapping(at, field{"url", at, newScalar(at, "/")})
	for _, op := range all {
		if security, ok := op.node.field("security"); ok {
			op.node = op.node.with(field{"security", security.at, b.nameSchemes(security.value)})
		}
	}
	fields := []field{{"openapi", at, version}, b.info(head), {"servers", at, newSequence(at, server)}}
	if security, ok := head.field("security"); ok {
		fields = append(fields, field{"security", security.at, b.nameSchemes(security.value)})
	}
	if len(tags) > 0 {
		list := newSequence(at)
		for _, tag := range tags {
			list.items = append(list.items, tag.value)
		}
		fields = append(fields, field{"tags", at, list})
	}
	pathsAt := at
	if f, ok := first.raw.field("paths"); ok {
		pathsAt = f.at
	}
	fields = append(fields, field{"paths", pathsAt, b.pathsOf(pathsAt, all)})
	if len(hooks) > 0 {
		fields = append(fields, field{"webhooks", at, newMapping(at, hooks...)})
	}
	fields = append(fields, field{"components", at, b.components(at)})
	for _, f := range head.fields {
		if isExtension(f.name) || f.name == "externalDocs" {
			fields = append(fields, f)
		}
	}
	return newMapping(at, fields...)
}

// info has what must be there.
func (b *bundler) info(head *node) field {
	info, _ := head.field("info")
	if info.value == nil {
		info = field{"info", head.at, newMapping(head.at)}
	}
	for _, must := range [][2]string{{"title", "API"}, {"version", "0"}} {
		if info.value.text(must[0]) == "" {
			info.value = info.value.with(field{must[0], info.at, newScalar(info.at, must[1])})
		}
	}
	return info
}
