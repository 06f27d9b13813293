package spec

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// examples checks the examples and default values of a document against their schemas.
type examples struct {
	api     *API
	schemas map[string]any // components by name, others by reference: see place
	all     []example
	visits  int
	steps   int // of patterns
	found   Problems
}

// example is one, or a default value, and the way to its schema.
type example struct {
	name string
	field
	schema []string // below $defs
}

// wrongExamples are the examples and default values that do not match their schemas.
func (a *API) wrongExamples() Problems {
	x := &examples{api: a, schemas: make(map[string]any)}
	x.walk(one(documentShape), a.tree, nil, 0)
	if len(x.all) == 0 {
		return nil
	}
	for _, f := range fieldsOf(a.tree.get("components").get("schemas")) {
		x.schemas[f.name] = a.relaxed(f.value)
	}
	c, err := newCompiler(map[string]any{"$defs": x.schemas})
	if err != nil { // unreachable: the document is new to the compiler
		return nil
	}
	c.UseRegexpEngine(x.compile)
	c.AssertVocabs()
	c.RegisterVocabulary(&jsonschema.Vocabulary{URL: documentURL + "visits",
		Compile: func(*jsonschema.CompilerContext, map[string]any) (jsonschema.SchemaExt, error) { return x, nil }})
	for _, e := range x.all {
		if !x.check(e, c) {
			break
		}
	}
	return x.found
}

// errTooLong is what the check of an example panics with: the library has no other way out.
var errTooLong = errors.New("too long")

// Validate counts a visit, as a keyword that all schemas have.
func (x *examples) Validate(*jsonschema.ValidatorContext, any) {
	if x.visits++; x.visits > maxVisits {
		panic(errTooLong)
	}
}

// counted is a pattern whose work counts: Go's expressions end, but take the product of text and pattern.
type counted struct {
	*regexp.Regexp
	size int // in instructions
	x    *examples
}

func (x *examples) compile(pattern string) (jsonschema.Regexp, error) {
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	c := counted{compiled, len(pattern), x}
	if tree, err := syntax.Parse(pattern, syntax.Perl); err == nil {
		if program, err := syntax.Compile(tree.Simplify()); err == nil {
			c.size = len(program.Inst)
		}
	}
	return c, nil
}

// MatchString implements jsonschema.Regexp.
func (c counted) MatchString(s string) bool {
	if c.x.steps += len(s) * c.size; c.x.steps > maxSteps {
		panic(errTooLong)
	}
	return c.Regexp.MatchString(s)
}

// walk finds the examples, following the grammar. What a reference leads to is met in its own place. The outermost
// schema around a part has as many names in its pointer as outer says.
func (x *examples) walk(p part, n *node, pointer []string, outer int) {
	if n == nil || p.how == single && n.get("$ref") != nil {
		return
	}
	below := func(name string) []string { return append(pointer[:len(pointer):len(pointer)], name) }
	if p.how == list {
		for i, item := range n.items {
			x.walk(one(p.shape), item, below(strconv.Itoa(i)), outer)
		}
		return
	}
	if p.how == single {
		if p.shape == schemaShape && outer == 0 {
			outer = len(pointer)
		}
		x.collect(p.shape, n, pointer, outer)
	}
	for _, f := range n.fields {
		next, known := one(p.shape), !isExtension(f.name) || p.shape == schemaShape || p.shape == headerShape
		if p.how == single {
			next, known = partOf(p.shape, f.name)
		}
		if known {
			x.walk(next, f.value, below(f.name), outer)
		}
	}
}

// collect takes the examples that are written beside a schema or in it.
func (x *examples) collect(s shape, n *node, pointer []string, outer int) {
	take := func(name, key string, n *node) {
		if f, ok := n.field(key); ok {
			x.all = append(x.all, example{name, f, x.place(pointer, outer)})
		}
	}
	switch s {
	case schemaShape:
		take("the default", "default", n)
		take("the example", "example", n)
		for _, item := range itemsOf(n.get("examples")) {
			x.all = append(x.all, example{"the example", field{"", item.at, item}, x.place(pointer, outer)})
		}
	case mediaTypeShape, parameterShape, headerShape:
		if n.get("schema") == nil || s == mediaTypeShape && !IsJSON(pointer[len(pointer)-1]) {
			return
		}
		pointer = append(pointer[:len(pointer):len(pointer)], "schema")
		outer = len(pointer)
		take("the example", "example", n)
		for _, one := range fieldsOf(n.get("examples")) {
			take(fmt.Sprintf("the example %q", one.name), "value", one.value)
		}
	}
}

func fieldsOf(n *node) []field {
	if n == nil {
		return nil
	}
	return n.fields
}

// place is where a schema of the document is below $defs. All schemas that are needed are put there, in one schema, so
// that the library finds them at once: where a document is none, it looks at all of them again for each.
func (x *examples) place(pointer []string, outer int) []string {
	if pointer[0] == "components" && pointer[1] == "schemas" {
		return pointer[2:]
	}
	key := Reference(pointer[:outer])
	if x.schemas[key] == nil {
		_, schema, _ := x.api.find(pointer[:outer])
		x.schemas[key] = x.api.relaxed(schema)
	}
	return append([]string{key}, pointer[outer:]...)
}

// origin is where a schema below $defs is in the document.
func origin(place []string) []string {
	if outer, ok := PointerOf(place[0]); ok {
		return append(outer, place[1:]...)
	}
	return append([]string{"components", "schemas"}, place...)
}

// check reports each field of an example that does not match its schema, and whether the next one is to be checked.
func (x *examples) check(e example, c *jsonschema.Compiler) (more bool) {
	defer func() {
		switch r := recover(); {
		case r == errTooLong:
			x.report(Problem{Position: e.at,
				What: "the examples from here on are not checked, which would take too long",
				Fix:  "write less allOf, anyOf and oneOf within one another, or shorter examples for long patterns"})
			more = false
		case r != nil: // the library's, for a number of a million digits
			more = true
		}
	}()
	compiled, err := compileAt(c, append([]string{"$defs"}, e.schema...))
	if err != nil {
		x.report(Problem{Position: e.at, What: "the examples are not checked: " + firstLine(err.Error()),
			Fix: "see what JSON Schema 2020-12 says of it"})
		return false
	}
	var wrong *jsonschema.ValidationError
	if err := compiled.Validate(e.value.value()); !errors.As(err, &wrong) {
		return true
	}
	for _, f := range faultsOf(wrong, "") {
		if e.name == "the default" && f.Missing() {
			continue // what it leaves out has a default of its own
		}
		x.report(Problem{Position: e.placeOf(f.Field), What: e.name + " does not match its schema: " + f.text(),
			Fix: "correct it, or the schema", See: x.api.At(origin(f.Pointer[1:])...)})
	}
	return len(x.found) < maxProblems
}

func (x *examples) report(p Problem) {
	if !slices.Contains(x.found, p) {
		x.found = append(x.found, p)
	}
}

// placeOf is where a field of a value was written, or else what is around it.
func (f field) placeOf(pointer []string) Position {
	at, n := f.at, f.value
	for _, name := range pointer {
		if i, err := strconv.Atoi(name); err == nil && i < len(itemsOf(n)) {
			n = n.items[i]
			at = n.at
		} else if inner, ok := n.field(name); ok {
			at, n = inner.at, inner.value
		} else {
			break
		}
	}
	return at
}

// text is the field and the reason in words.
func (f Fault) text() string {
	name := "`" + strings.Join(f.Field, ".") + "`"
	switch {
	case f.Missing() && f.Reason != "":
		return name + " is missing, " + f.Reason
	case f.Missing():
		return name + " is missing"
	case len(f.Field) == 0:
		return f.Reason
	}
	return name + ": " + f.Reason
}

// relaxed is the document as examples are held against it. Only one of a request and an answer has the fields that are
// readOnly or writeOnly, so examples need not have them. A value may fit several schemas of oneOf where a discriminator
// says which one counts, and where one of them is open, as is one whose file is not there.
func (a *API) relaxed(n *node) any {
	switch n.kind {
	case mappingNode:
		loose := n.get("anyOf") == nil && (n.get("discriminator").text("propertyName") != "" ||
			slices.ContainsFunc(itemsOf(n.get("oneOf")), a.isOpen))
		m := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			name, isComponent := strings.CutPrefix(f.value.string(), "#/components/schemas/")
			switch {
			case f.name == "$ref" && isComponent:
				m["$ref"] = "#/$defs/" + name
			case f.name == "oneOf" && loose:
				m["anyOf"] = a.relaxed(f.value)
			case f.name == "required" && f.value.isSequence():
				m["required"] = a.required(f.value, n.get("properties"))
			default:
				m[f.name] = a.relaxed(f.value)
			}
		}
		return m
	case sequenceNode:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = a.relaxed(item)
		}
		return list
	}
	return n.scalar
}

// required are the names of a list that examples must have.
func (a *API) required(names, properties *node) []any {
	kept := []any{}
	for _, name := range names.items {
		property := a.dereference(properties.get(name.string()))
		if !property.get("readOnly").isTrue() && !property.get("writeOnly").isTrue() {
			kept = append(kept, name.value())
		}
	}
	return kept
}

// isOpen reports whether a schema says nothing.
func (a *API) isOpen(n *node) bool {
	n = a.dereference(n)
	return n.isMapping() && len(n.fields) == 0
}
