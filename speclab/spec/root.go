package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// root is one of the files that Load was given.
type root struct {
	at      Position
	schemes map[string]*component
	scope   scope
	raw     *node
	alone   bool // the only one
}

// open reads a root and its version.
func (b *bundler) open(name string) *root {
	f := b.files.open(name)
	at := Position{File: name, Line: 1}
	switch {
	case f.missing != "":
		b.problem(Position{File: name}, "the file "+f.missing, "give the name of a file in the spec's folder")
		return nil
	case f.root == nil:
		b.reportFile(f)
		return nil
	case !f.root.isMapping():
		b.problem(at, "the file is no OpenAPI document", "begin it with openapi: 3.1.0")
		return nil
	}
	r := &root{at: f.root.at, raw: f.root, schemes: make(map[string]*component)}
	if !b.version(r) {
		return nil
	}
	return r
}

// version reads which version of OpenAPI or Swagger the root is written in.
func (b *bundler) version(r *root) bool {
	version, ok := r.raw.field("swagger")
	if !ok {
		version, ok = r.raw.field("openapi")
	}
	if !ok {
		b.problem(r.at, "the file is no OpenAPI document: it has neither openapi nor swagger at its top",
			"begin it with openapi: 3.1.0")
		return false
	}
	said := fmt.Sprint(version.value.scalar)
	switch {
	case version.name == "swagger" && (said == "2.0" || said == "2"):
		r.scope = scope{swagger: true, consumes: texts(r.raw.get("consumes")), produces: texts(r.raw.get("produces"))}
	case version.name == "openapi" && (said == "3.1" || strings.HasPrefix(said, "3.1.")):
		r.scope.modern = true
	case version.name == "openapi" && (said == "3.2" || strings.HasPrefix(said, "3.2.")):
		r.scope.modern = true
		b.gap(version.at, "openapi: "+said+" is read as 3.1, and what 3.2 added to it is left out",
			"write openapi: 3.1.0")
	case version.name == "openapi" && (said == "3.0" || said == "3" || strings.HasPrefix(said, "3.0.")):
	default:
		b.problem(version.at, fmt.Sprintf("%s: %s is no version that is known here", version.name, said),
			"write swagger: '2.0', openapi: 3.0.3 or openapi: 3.1.0")
		return false
	}
	return true
}

// swaggerSections are the top-level keys of Swagger 2.0 that became sections of components.
var swaggerSections = map[string]shape{"definitions": schemaShape, "parameters": parameterShape,
	"responses": responseShape, "securityDefinitions": securitySchemeShape}

// register makes components of those that a root defines, before those that are only referred to.
func (b *bundler) register(r *root) {
	if r.scope.swagger {
		for _, name := range sortedKeys(swaggerSections) {
			b.registerSection(r, "/"+name, swaggerSections[name])
		}
		return
	}
	for _, s := range []shape{schemaShape, responseShape, parameterShape, requestBodyShape, headerShape,
		securitySchemeShape, linkShape, callbackShape} {
		b.registerSection(r, "/components/"+section[s], s)
	}
}

func (b *bundler) registerSection(r *root, pointer string, s shape) {
	found := b.lookUp(r.raw, pointer)
	t := target{file: r.raw.at.File, pointer: pointer}
	for found.isMapping() && found.text("$ref") != "" { // the whole section is in another file
		actual, next, ok := b.resolve(s, found)
		if !ok || next == found {
			return
		}
		t, found = actual, next
	}
	if found == nil || found.kind == scalarNode && found.scalar == nil {
		return
	}
	if !found.isMapping() {
		b.problem(found.at, "a mapping of names to "+string(s)+"s is expected here",
			"write name: and the "+string(s)+" below it")
		return
	}
	for _, f := range found.fields {
		if isExtension(f.name) && s != schemaShape && s != headerShape {
			continue
		}
		if r.scope.swagger && s == parameterShape && isBody(b.dereferenceParameter(f.value)) {
			continue
		}
		at := target{t.file, t.pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(f.name), s}
		c := b.component(at, f.value, r.scope)
		c.at = f.at
		if s == securitySchemeShape {
			r.schemes[f.name] = c
		}
	}
}

// head is the part of the root that is about the whole API.
func (b *bundler) head(r *root) *node {
	fields := r.raw.only("info", "tags", "externalDocs")
	if !r.alone {
		fields = r.raw.only("info", "tags")
	}
	info, ok := r.raw.field("info")
	if !ok || !info.value.isMapping() {
		b.gap(r.at, "there is no info", "add info: with title: and version:")
		fields = append(fields, field{"info", r.at, newMapping(r.at)})
	}
	return newMapping(r.at, b.convertFields(documentShape, newMapping(r.at, fields...), r.scope)...)
}

// operation is one of the API, with the path that it is reached at.
type operation struct {
	path, method string
	short        string // the path without its base
	at, pathAt   Position
	node         *node
	item         *node // the path item without operations
	id           string
}

// operations converts all operations of a root, each with its whole path.
func (b *bundler) operations(r *root) []*operation {
	paths := r.raw.get("paths")
	if paths.isMapping() && paths.text("$ref") != "" {
		if _, found, ok := b.follow(pathsShape, paths); ok {
			paths = found
		}
	}
	if paths != nil && !paths.isMapping() && (paths.kind != scalarNode || paths.scalar != nil) {
		b.problem(paths.at, "paths must be a mapping", "write each path and its operations below it")
	}
	if !paths.isMapping() {
		return nil
	}
	var all []*operation
	for _, f := range paths.fields {
		if isExtension(f.name) {
			continue
		}
		all = append(all, b.pathOperations(r, f)...)
	}
	return all
}

func (b *bundler) pathOperations(r *root, f field) []*operation {
	if len(f.name) > maxPath {
		b.problem(f.at, fmt.Sprintf("a path of more than %d characters", maxPath), "write a shorter one")
		return nil
	}
	item := b.convert(one(pathItemShape), f.value, r.scope)
	if item == nil {
		return nil
	}
	prefix := base(r.raw)
	if item.get("servers") != nil {
		prefix = base(item)
	}
	rest := item.without(append(slices.Clone(methods), "servers")...)
	var all []*operation
	for _, method := range methods {
		op, ok := item.field(method)
		if !ok {
			continue
		}
		at := prefix
		short, _, _ := strings.Cut(f.name, "?")
		if op.value.get("servers") != nil {
			at = base(op.value)
		}
		path := b.wholePath(at, f)
		node := b.secure(r, op.value.without("servers"))
		all = append(all, &operation{path: path, short: short, method: method, at: op.at, pathAt: f.at, node: node,
			item: rest})
	}
	slices.SortStableFunc(all, func(a, b *operation) int { // as they are written: of two alike the second gives way
		return cmp.Or(cmp.Compare(a.at.File, b.at.File), cmp.Compare(a.at.Line, b.at.Line),
			cmp.Compare(a.at.Column, b.at.Column))
	})
	return all
}

// wholePath is a path after its base. A query is no part of it.
func (b *bundler) wholePath(base string, f field) string {
	path, query, ok := strings.Cut(f.name, "?")
	if ok {
		b.gap(f.at, fmt.Sprintf("the query %q is no part of a path and is left out", query),
			"write a parameter with in: query")
	}
	path = base + "/" + strings.TrimPrefix(path, "/")
	return majorVersion.ReplaceAllStringFunc(path, currentVersion)
}

// secure converts an operation's security. Where there are several roots, the default of each goes into its operations.
func (b *bundler) secure(r *root, op *node) *node {
	security, ok := op.field("security")
	if !ok {
		if security, ok = r.raw.field("security"); !ok || r.alone {
			return op
		}
	}
	return op.with(field{"security", security.at, b.security(r, security.value)})
}

// security puts marks for the names of schemes: each root has its own schemes.
func (b *bundler) security(r *root, n *node) *node {
	list := newSequence(n.at)
	for _, requirement := range items(n) {
		if !requirement.isMapping() {
			if requirement.scalar != nil {
				b.problem(requirement.at, "security must be a list of schemes, each with its scopes",
					"write - name: []")
			}
			continue
		}
		var fields []field
		for _, f := range requirement.fields {
			scopes := newSequence(f.value.at)
			for _, s := range texts(f.value) {
				scopes.items = append(scopes.items, newScalar(f.value.at, s))
			}
			fields = append(fields, field{b.scheme(r, f), f.at, scopes})
		}
		list.items = append(list.items, newMapping(requirement.at, fields...))
	}
	return list
}

// scheme is the mark for the name of a security scheme, which is given later: see nameSchemes.
func (b *bundler) scheme(r *root, f field) string {
	c := r.schemes[f.name]
	if c == nil {
		b.gap(f.at, fmt.Sprintf("the security scheme %q is defined nowhere; a bearer token is assumed", f.name),
			"define it under securitySchemes")
		t := target{file: r.raw.at.File, pointer: "/components/securitySchemes/" + f.name, shape: securitySchemeShape}
		c = b.component(t, b.placeholder(securitySchemeShape, newScalar(f.at, nil)), scope{modern: true})
		r.schemes[f.name] = c
	}
	return fmt.Sprintf("%s%d", schemeMark, slices.Index(b.order, c))
}

// schemeMark begins a mark for the name of a security scheme. No author can write this text in YAML.
const schemeMark = "\x00"
