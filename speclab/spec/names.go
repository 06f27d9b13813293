package spec

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Go makes one name of foo_bar and fooBar, and types of components in all sections, so names must differ in their
// letters and digits.

// bare is what Go's naming leaves of a name, whatever the case.
func bare(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// names gives out names that stay apart.
type names map[string]bool

// claim is the first of the wishes that is free, else the last with a number.
func (n names) claim(wishes ...string) string {
	for _, w := range wishes {
		if !n[bare(w)] {
			n[bare(w)] = true
			return w
		}
	}
	last := wishes[len(wishes)-1]
	if last != "" && unicode.IsDigit(rune(last[len(last)-1])) {
		last += "_v"
	}
	for i := 2; ; i++ {
		if w := last + strconv.Itoa(i); !n[bare(w)] {
			n[bare(w)] = true
			return w
		}
	}
}

// generated are the names that the generator's own code takes.
var generated = []string{"ServerInterface", "ServerInterfaceWrapper", "EchoRouter", "StrictServerInterface",
	"StrictHandlerFunc", "StrictMiddlewareFunc",
	"RegisterHandlers", "RegisterHandlersWithBaseURL", "RegisterHandlersOptions", "RegisterHandlersWithOptions",
	"NewStrictHandler", "strictHandler"}

// ofOperation are the endings of the types that the generator makes for an operation.
var ofOperation = []string{"Params", "RequestObject", "ResponseObject", "JSONBody", "JSONRequestBody", "FormdataBody",
	"FormdataRequestBody",
	"MultipartBody", "MultipartRequestBody", "TextBody", "TextRequestBody", "RequestBody"}

// ofResponse are those for each of its answers, and for components that are answers.
var ofResponse = []string{"Response", "ResponseHeaders", "JSONResponse", "JSONResponseBody", "JSONResponseHeaders",
	"TextResponse", "TexthtmlResponse", "FormdataResponse", "MultipartResponse"}

// inText says what kind a component is where its name alone is taken.
var inText = map[shape]string{schemaShape: "Schema", responseShape: "Response", parameterShape: "Parameter",
	requestBodyShape: "RequestBody",
	headerShape:      "Header", linkShape: "Link", callbackShape: "Callback", securitySchemeShape: "Scheme"}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9._-]+`)

// MarshalJSON writes a component as its class, so that texts of parts are alike when what they refer to is.
func (c *component) MarshalJSON() ([]byte, error) { return json.Marshal(c.class) }

// classify finds components that say the same: they have one class. It begins with all that are called alike in one,
// and parts them until each says what the others of its class say, what they refer to included.
func (b *bundler) classify() {
	alike := make(map[string][]*component)
	for _, c := range b.order {
		key := string(c.shape) + "/" + bare(c.wanted)
		alike[key] = append(alike[key], c)
	}
	next := 0
	groups := [][]*component{}
	for _, key := range sortedKeys(alike) {
		next++
		for _, c := range alike[key] {
			c.class = next
		}
		if len(alike[key]) > 1 {
			groups = append(groups, alike[key])
		}
	}
	for parted, round := true, 0; parted; round++ {
		parted = false
		if round == maxRounds { // they differ deep down: let none be the same
			for _, c := range b.order {
				next++
				c.class = next
			}
			return
		}
		for _, group := range groups {
			said := make(map[string]int)
			classes := make([]int, len(group))
			for i, c := range group {
				text, _ := json.Marshal([]any{c.class, c.node.value()})
				if said[string(text)] == 0 {
					next++
					said[string(text)] = next
				}
				classes[i] = said[string(text)]
			}
			before := make(map[int]bool)
			for i, c := range group {
				before[c.class] = true
				c.class = classes[i]
			}
			parted = parted || len(said) > len(before)
		}
	}
}

// settle names the components and writes the names where they are referred to. taken are the names that operations
// need.
func (b *bundler) settle(taken names) {
	b.classify()
	for _, c := range b.order {
		endings := map[shape][]string{responseShape: ofResponse, requestBodyShape: ofOperation}[c.shape]
		for _, ending := range endings {
			if ending != "Response" || c.node.get("content") == nil { // which is the type of an answer without content
				taken[bare(c.wanted+ending)] = true
			}
		}
		if c.shape == schemaShape {
			taken.claimInline(c.node, c.wanted, false, 0)
		}
	}
	byClass := make(map[string]string)
	for _, wave := range [][]shape{{schemaShape}, {parameterShape, responseShape, requestBodyShape, headerShape},
		{securitySchemeShape}, {linkShape}, {callbackShape}} {
		if wave[0] == securitySchemeShape || wave[0] == linkShape || wave[0] == callbackShape {
			taken = names{} // no Go types are made of these
		}
		for _, c := range b.order {
			if !slices.Contains(wave, c.shape) {
				continue
			}
			class := string(c.shape) + strconv.Itoa(c.class)
			if byClass[class] == "" {
				byClass[class] = c.claim(taken)
			}
			c.name = byClass[class]
		}
	}
	for _, n := range b.names {
		if c, ok := n.scalar.(*component); ok {
			n.scalar = "#/components/" + section[c.shape] + "/" + c.name
		}
	}
}

func (c *component) claim(taken names) string {
	clean := func(s string) string { return strings.Trim(notInNames.ReplaceAllString(s, "_"), "_") }
	name := clean(c.wanted)
	if bare(name) == "" {
		name = inText[c.shape]
	}
	dir, base := path.Split(c.file)
	base = clean(strings.TrimSuffix(base, path.Ext(base)))
	wishes := []string{name, name + inText[c.shape]}
	if folder := clean(path.Base(dir)); dir != "" && bare(base) == bare(name) {
		wishes = append(wishes, folder+"_"+name)
	} else if bare(base) != bare(name) {
		wishes = append(wishes, base+"_"+name)
	}
	return taken.claim(wishes...)
}

// components is the section of the document with all that was named.
func (b *bundler) components(at Position) *node {
	var sections []field
	for _, s := range []shape{schemaShape, responseShape, parameterShape, requestBodyShape, headerShape,
		securitySchemeShape, linkShape, callbackShape} {
		var fields []field
		seen := make(map[string]bool)
		for _, c := range b.order {
			if c.shape == s && !seen[c.name] && c.node != nil {
				seen[c.name] = true
				place := c.at
				if place == (Position{}) {
					place = c.raw.at
				}
				fields = append(fields, field{c.name, place, c.node})
			}
		}
		if len(fields) > 0 {
			sections = append(sections, field{section[s], fields[0].at, newMapping(fields[0].at, fields...)})
		}
	}
	return newMapping(at, sections...)
}

// nameSchemes puts the settled names of security schemes into requirements.
func (b *bundler) nameSchemes(n *node) *node {
	list := newSequence(n.at)
	for _, requirement := range n.items {
		fields := slices.Clone(requirement.fields)
		for i, f := range fields {
			if number, ok := strings.CutPrefix(f.name, unsettled); ok {
				index, _ := strconv.Atoi(number)
				fields[i].name = b.order[index].name
			}
		}
		list.items = append(list.items, newMapping(requirement.at, fields...))
	}
	return list
}

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

// nameOperations gives each operation a name of its own.
func (b *bundler) nameOperations(all []*operation) names {
	used := names{}
	for _, op := range all {
		said, ok := op.node.field("operationId")
		wanted := said.value.string()
		switch {
		case ok && bare(wanted) != "" && !used[bare(wanted)]:
			op.id = used.claim(wanted)
		case ok && bare(wanted) != "":
			op.id = used.claim(operationName(op.method, op.short), operationName(op.method, op.path))
			b.gap(said.at, fmt.Sprintf("the operation name %q is there already; this one is called %s", wanted, op.id),
				"give it a name of its own")
		default:
			op.id = used.claim(operationName(op.method, op.short), operationName(op.method, op.path))
		}
		if op.id != wanted {
			op.node = op.node.with(field{"operationId", op.at, newScalar(op.at, op.id)})
		}
	}
	taken := names{}
	for _, name := range generated {
		taken[bare(name)] = true
	}
	for _, op := range all {
		for _, ending := range ofOperation {
			taken[bare(op.id+ending)] = true
		}
		for _, response := range op.node.get("responses").fields {
			for _, ending := range ofResponse {
				taken[bare(op.id+response.name+ending)] = true
			}
		}
	}
	return taken
}
