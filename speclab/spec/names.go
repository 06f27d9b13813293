package spec

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// folded is a name's letters and digits in lower case. Names must differ in these: the generator makes one Go name of
// foo_bar and fooBar, and types of the components of all sections.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// names are the folded names that are taken.
type names map[string]bool

// choose takes the first of the wishes that is free, or else the last with a number.
func (n names) choose(wishes ...string) string {
	for _, w := range wishes {
		if !n[folded(w)] {
			n[folded(w)] = true
			return w
		}
	}
	last := wishes[len(wishes)-1]
	if last != "" && unicode.IsDigit(rune(last[len(last)-1])) {
		last += "_v"
	}
	for i := 2; ; i++ {
		if w := last + strconv.Itoa(i); !n[folded(w)] {
			n[folded(w)] = true
			return w
		}
	}
}

// generatedNames are the names that the generator's own code takes.
var generatedNames = []string{"ServerInterface", "ServerInterfaceWrapper", "EchoRouter", "StrictServerInterface",
	"StrictHandlerFunc", "StrictMiddlewareFunc",
	"RegisterHandlers", "RegisterHandlersWithBaseURL", "RegisterHandlersOptions", "RegisterHandlersWithOptions",
	"NewStrictHandler", "strictHandler"}

// operationSuffixes end the names of the types that the generator makes for an operation.
var operationSuffixes = []string{"Params", "RequestObject", "ResponseObject", "JSONBody", "JSONRequestBody",
	"FormdataBody", "FormdataRequestBody", "MultipartBody", "MultipartRequestBody", "TextBody", "TextRequestBody",
	"RequestBody"}

// responseSuffixes end those for each of its responses, and for components that are responses.
var responseSuffixes = []string{"Response", "ResponseHeaders", "JSONResponse", "JSONResponseBody",
	"JSONResponseHeaders", "TextResponse", "TexthtmlResponse", "FormdataResponse", "MultipartResponse"}

// operationName is a name for an operation that has none: PostLogin for POST /login.
func operationName(method, path string) string {
	name := strings.ToUpper(method[:1]) + method[1:]
	for _, word := range strings.FieldsFunc(path,
		func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		first := []rune(word)
		name += strings.ToUpper(string(first[0])) + string(first[1:])
	}
	return name
}

// nameOperations gives each operation a name of its own. It returns the names of the types that the generator makes for
// them.
func (b *bundler) nameOperations(all []*operation) names {
	used, named := names{}, make(map[string]Position)
	for _, op := range all {
		said, ok := op.node.field("operationId")
		wanted := said.value.string()
		switch {
		case ok && folded(wanted) != "" && !used[folded(wanted)]:
			op.id = used.choose(wanted)
			named[folded(wanted)] = said.at
		case ok && folded(wanted) != "":
			op.id = used.choose(operationName(op.method, op.short), operationName(op.method, op.path))
			b.warn(Problem{Position: said.at, Fix: "give it a name of its own", See: named[folded(wanted)],
				What: fmt.Sprintf("the operation name %q is there already; this one is called %s", wanted, op.id)})
		default:
			op.id = used.choose(operationName(op.method, op.short), operationName(op.method, op.path))
		}
		if op.id != wanted {
			op.node = op.node.with(field{"operationId", op.at, newScalar(op.at, op.id)})
		}
	}
	taken := names{}
	for _, name := range generatedNames {
		taken[folded(name)] = true
	}
	for _, op := range all {
		for _, ending := range operationSuffixes {
			taken[folded(op.id+ending)] = true
		}
		for _, response := range op.node.get("responses").fields {
			for _, ending := range responseSuffixes {
				taken[folded(op.id+response.name+ending)] = true
			}
		}
	}
	return taken
}

// holdInline reports whether any of the names is one that the generator makes inside a component's schema.
func (n names) holdInline(c *component) bool {
	inline := names{}
	inline.reserveInline(c.node, c.preferred, false, 0)
	for name := range inline {
		if n[name] {
			return true
		}
	}
	return false
}

// reserveInline takes the names of the types that the generator makes inside a component's schema: S0 for the first
// inline member of a union S, UserStatus for an enum in User's property status. at is the path to the schema, joined as
// the generator does.
func (n names) reserveInline(schema *node, at string, inner bool, depth int) {
	if !schema.isMapping() || schema.get("$ref") != nil || depth > maxDepth {
		return
	}
	if inner && (schema.get("enum") != nil || schema.get("const") != nil) && schema.kindOf() != "array" {
		n[folded(at)] = true
	}
	if properties := schema.get("properties"); properties.isMapping() {
		for _, f := range properties.fields {
			n.reserveInline(f.value, at+f.name, true, depth+1)
		}
	}
	for _, name := range []string{"items", "additionalProperties"} {
		n.reserveInline(schema.get(name), at, inner, depth+1)
	}
	if all := schema.get("allOf"); all.isSequence() {
		for _, m := range all.items {
			n.reserveInline(m, at, inner, depth+1)
		}
	}
	for _, name := range []string{"oneOf", "anyOf"} {
		n.reserveUnion(schema.get(name), at, inner, depth)
	}
}

// reserveUnion numbers the members as they are in the generator's form: see unionWithoutNull.
func (n names) reserveUnion(union *node, at string, inner bool, depth int) {
	if !union.isSequence() {
		return
	}
	var kept []*node
	seen := make(map[int]bool)
	for _, m := range union.items {
		if ref := m.get("$ref"); ref != nil {
			if c, ok := ref.scalar.(*component); ok {
				if seen[c.class] {
					continue
				}
				seen[c.class] = true
			}
		}
		if m.text("type") != "null" {
			kept = append(kept, m)
		}
	}
	if len(kept) == 1 {
		n.reserveInline(kept[0], at, inner, depth+1)
		return
	}
	for i, m := range kept {
		if m.isMapping() && m.get("$ref") == nil {
			name := at + strconv.Itoa(i)
			n[folded(name)] = true
			n.reserveInline(m, name, true, depth+1)
		}
	}
}
