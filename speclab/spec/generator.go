package spec

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// The generator fails on some of what OpenAPI 3.1 allows, or makes Go of it that does not compile. What it reads is
// therefore a second form of the document, which says less: types where the document says exactly what is valid.
// Nothing is changed that the generator can read.

// forGenerator is the second form of a document: see the package's documentation.
func forGenerator(doc *node) *node {
	g := &generator{doc: doc, recursive: recursiveFields(doc)}
	return g.rewrite(one(documentShape), doc)
}

type generator struct {
	doc       *node
	recursive map[*node]bool // see recursiveFields
	depth     int
}

// goExtensions begin the names of the extensions that the generator reads.
var goExtensions = []string{"x-go-", "x-oapi-", "x-enum", "x-omitempty", "x-omitzero", "x-order", "x-deprecated-reason"}

func (g *generator) rewrite(p part, n *node) *node {
	switch {
	case p.how == list && n.isSequence():
		fresh := newSequence(n.at)
		for _, item := range n.items {
			fresh.items = append(fresh.items, g.rewrite(one(p.shape), item))
		}
		return fresh
	case p.how == mapped && n.isMapping():
		fields := make([]field, 0, len(n.fields))
		for _, f := range n.fields {
			if p.shape != schemaShape && p.shape != headerShape && isExtension(f.name) {
				continue
			}
			fields = append(fields, field{f.name, f.at, g.rewrite(one(p.shape), f.value)})
		}
		return newMapping(n.at, fields...)
	case p.shape == schemaShape:
		return g.schema(n)
	case p.shape == textShape:
		return newScalar(n.at, goComment(n.scalar))
	case !n.isMapping() || n.text("$ref") != "":
		return n
	}
	return g.object(p.shape, n)
}

func (g *generator) object(s shape, n *node) *node {
	fields := make([]field, 0, len(n.fields))
	for _, f := range n.fields {
		p, known := partOf(s, f.name)
		switch {
		case isExtension(f.name):
			if slices.ContainsFunc(goExtensions, func(begin string) bool { return strings.HasPrefix(f.name, begin) }) {
				fields = append(fields, f)
			}
		case f.name == "example", f.name == "examples", f.name == "links", f.name == "callbacks", f.name == "webhooks",
			f.name == "externalDocs", f.name == "xml":
		case (f.name == "summary" || f.name == "title") && s != infoShape:
			fields = append(fields, field{f.name, f.at,
				newScalar(f.at, strings.Join(strings.Fields(f.value.string()), " "))})
		case known:
			fields = append(fields, field{f.name, f.at, g.rewrite(p, f.value)})
		}
	}
	fresh := newMapping(n.at, fields...)
	switch s {
	case responseShape:
		return g.response(fresh)
	case operationShape:
		return g.operation(fresh)
	case componentsShape:
		return withPlainAnswers(fresh)
	case requestBodyShape:
		if content, ok := fresh.field("content"); ok {
			return fresh.with(field{"content", content.at, g.content(content.value)})
		}
	}
	return fresh
}

// goComment is a text without characters that end a Go comment.
func goComment(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r' || r == '\u2028' || r == '\u2029' || r == '\u0085':
			return '\n'
		case r == '\ufeff' || unicode.IsControl(r) && r != '\n' && r != '\t':
			return -1
		}
		return r
	}, s)
}

// response: the types of answers need methods, so they cannot be any.
func (g *generator) response(n *node) *node {
	if headers, ok := n.field("headers"); ok && headers.value.isMapping() {
		used := names{}
		kept := slices.DeleteFunc(slices.Clone(headers.value.fields),
			func(f field) bool { return used.choose(f.name) != f.name })
		n = n.with(field{"headers", headers.at, newMapping(headers.value.at, kept...)})
	}
	content, ok := n.field("content")
	if !ok {
		return n
	}
	kept := g.content(content.value)
	fields := slices.Clone(kept.fields)
	for i, media := range fields {
		if !strings.Contains(media.name, "json") {
			fields[i].value = withPlainSchema(media.value)
		}
		kind := "object"
		if strings.HasPrefix(media.name, "text/") {
			kind = "string"
		}
		if (kind == "string" || strings.Contains(media.name, "json")) && g.isAny(media.value.get("schema")) {
			schema := newMapping(media.at, field{"type", media.at, newScalar(media.at, kind)})
			fields[i].value = media.value.with(field{"schema", media.at, schema})
		}
	}
	return n.with(field{"content", content.at, newMapping(content.at, fields...)})
}

// content leaves out the second of two media types that get one Go name, and a schema-less encoding.
func (g *generator) content(n *node) *node {
	used := names{}
	var kept []field
	for _, f := range n.fields {
		name, _, _ := strings.Cut(f.name, ";")
		if folded(name) == "" || used[folded(name)] {
			continue
		}
		used[folded(name)] = true
		kept = append(kept, f)
	}
	return newMapping(n.at, kept...)
}

// withPlainAnswers: the generator uses the types of constants and unions in an answer that has a name, and does not
// make them.
func withPlainAnswers(components *node) *node {
	responses, ok := components.field("responses")
	if !ok {
		return components
	}
	fresh := newMapping(responses.value.at)
	for _, r := range responses.value.fields {
		if content, ok := r.value.field("content"); ok {
			plain := newMapping(content.value.at)
			for _, media := range content.value.fields {
				plain.fields = append(plain.fields, field{media.name, media.at, withPlainSchema(media.value)})
			}
			r.value = r.value.with(field{"content", content.at, plain})
		}
		fresh.fields = append(fresh.fields, r)
	}
	return components.with(field{"responses", responses.at, fresh})
}

// withPlainSchema is a media type whose schema needs no types of its own: the generator makes none for XML either.
func withPlainSchema(media *node) *node {
	schema, ok := media.field("schema")
	if !ok {
		return media
	}
	return media.with(field{"schema", schema.at, plainSchema(schema.value)})
}

// plainSchema leaves out the constants of a schema and of all that is written in it, and makes any of what is made of
// several schemas.
func plainSchema(n *node) *node {
	if !n.isMapping() || n.text("$ref") != "" {
		return n
	}
	if n.get("oneOf") != nil || n.get("anyOf") != nil || n.get("allOf") != nil && len(n.get("allOf").items) > 1 {
		return anySchema(n)
	}
	fresh := newMapping(n.at)
	for _, f := range n.without("enum", "const", "x-enum-varnames", "x-enumNames").fields {
		switch {
		case f.name == "properties" && f.value.isMapping():
			inner := newMapping(f.value.at)
			for _, p := range f.value.fields {
				inner.fields = append(inner.fields, field{p.name, p.at, plainSchema(p.value)})
			}
			f.value = inner
		case f.name == "items" || f.name == "additionalProperties":
			f.value = plainSchema(f.value)
		}
		fresh.fields = append(fresh.fields, f)
	}
	return fresh
}

// isAny reports whether a schema's Go type is any.
func (g *generator) isAny(n *node) bool {
	for range 50 {
		if n = g.dereference(n); n == nil {
			return true
		}
		n = g.schema(n)
		if all := n.get("allOf"); all == nil || len(all.items) != 1 {
			break
		}
		n = n.get("allOf").items[0]
	}
	return n.kindOf() == "" && !slices.ContainsFunc(n.fields, func(f field) bool {
		return slices.Contains([]string{"properties", "allOf", "oneOf", "anyOf", "x-go-type"}, f.name)
	})
}

// dereference is the component that a schema refers to.
func (g *generator) dereference(n *node) *node {
	for range 50 {
		ref := n.text("$ref")
		if ref == "" {
			return n
		}
		n = g.doc.get("components").get("schemas").get(strings.TrimPrefix(ref, "#/components/schemas/"))
	}
	return nil
}

// operation gives parameters that would have one name in Go different ones.
func (g *generator) operation(n *node) *node {
	parameters, ok := n.field("parameters")
	if !ok {
		return n
	}
	used := names{}
	fresh := newSequence(parameters.value.at)
	for _, p := range parameters.value.items {
		actual := g.parameter(p)
		name := actual.text("name")
		if actual.text("in") != "path" && actual.get("x-go-name") == nil {
			if mine := used.choose(goWord(name)); mine != goWord(name) || goWord(name) != name && folded(name) == "" {
				p = actual.with(field{"x-go-name", p.at, newScalar(p.at, mine)})
			}
		}
		fresh.items = append(fresh.items, p)
	}
	return n.with(field{"parameters", parameters.at, fresh})
}

func (g *generator) parameter(n *node) *node {
	if ref := n.text("$ref"); ref != "" {
		if c := g.doc.get("components").get("parameters").get(strings.TrimPrefix(ref,
			"#/components/parameters/")); c != nil {
			return g.rewrite(one(parameterShape), c)
		}
	}
	return n
}

var notWord = regexp.MustCompile(`[^a-zA-Z0-9_]+`)

// goWord is a name with nothing in it that Go forbids.
func goWord(name string) string {
	word := strings.Trim(notWord.ReplaceAllString(name, "_"), "_")
	if folded(word) == "" {
		return "Field"
	}
	return withoutDigit(word)
}

// withoutDigit is a name that begins with no digit, as the generator would name a type.
func withoutDigit(name string) string {
	if name != "" && unicode.IsDigit(rune(name[0])) {
		return "N" + name
	}
	return name
}

// wholeNumbers reports whether all of a list are whole numbers.
func wholeNumbers(items []*node) bool {
	return !slices.ContainsFunc(items, func(n *node) bool {
		number, ok := n.scalar.(json.Number)
		if !ok {
			return true
		}
		_, err := number.Int64()
		return err != nil
	})
}

func textsOnly(items []*node) bool {
	return !slices.ContainsFunc(items, func(n *node) bool { _, ok := n.scalar.(string); return !ok })
}
