package spec

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	errorkind "github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Fault is what is wrong with a value: the innermost field that does not fit its schema, why, and where the spec says
// so.
type Fault struct {
	Field   []string // the way to it in the value
	Keyword string   // of JSON Schema
	Reason  string   // may be empty when the field is missing
	Pointer []string // the way to the keyword in the document
}

// Missing reports whether the field is not there and must be.
func (f Fault) Missing() bool { return f.Keyword == "required" || f.Keyword == "dependentRequired" }

// explainer compiles the schemas of a spec when they are first needed.
type explainer struct {
	lock     sync.Mutex // of the compiler
	compiler *jsonschema.Compiler
}

// documentURL is the document's name in the compiler.
const documentURL = "https://spec.invalid/"

// newCompiler reads a document as the validator of JSON Schema does.
func newCompiler(document any) (*jsonschema.Compiler, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	return c, c.AddResource(documentURL, document)
}

// compileAt compiles the schema at a place in the document.
func compileAt(c *jsonschema.Compiler, pointer []string) (*jsonschema.Schema, error) {
	at := url.URL{Fragment: strings.TrimPrefix(Reference(pointer), "#")}
	return c.Compile(documentURL + at.String())
}

func (a *API) schema(pointer []string) (*jsonschema.Schema, error) {
	x := &a.explainer
	x.lock.Lock()
	defer x.lock.Unlock()
	if x.compiler == nil {
		c, err := newCompiler(a.tree.value())
		if err != nil {
			return nil, err
		}
		onlyKnownFormats(c)
		x.compiler = c
	}
	return compileAt(x.compiler, pointer)
}

// Explain finds why a value does not fit the schema at a place in the document, when kin-openapi has refused it. The
// validator of JSON Schema is asked for the reason, since it keeps apart where in the value and where in the spec
// something failed. The two may differ: then there is no explanation.
func (a *API) Explain(pointer []string, value any) (Fault, bool) {
	schema, err := a.schema(pointer)
	if err != nil {
		return Fault{}, false
	}
	var wrong *jsonschema.ValidationError
	if err := schema.Validate(value); !errors.As(err, &wrong) {
		return Fault{}, false
	}
	return a.quoting(FaultOf(wrong)), true
}

// quoting adds what a `not` forbids, if a line has room for it.
func (a *API) quoting(f Fault) Fault {
	const room = 100
	if f.Keyword != "not" {
		return f
	}
	_, n, found := a.find(f.Pointer)
	if !found {
		return f
	}
	if raw := encode(n.value()); len(raw) <= room && raw != "null" {
		f.Reason += ": " + raw
	}
	return f
}

// jsonFormats are those that the validator of JSON Schema knows, and kin-openapi knows few of.
const jsonFormats = "json-pointer relative-json-pointer uuid duration period ipv4 ipv6 hostname email date time " +
	"date-time uri iri uri-reference iri-reference uri-template semver regex"

// onlyKnownFormats makes the formats count that kin-openapi knows, and no other.
func onlyKnownFormats(c *jsonschema.Compiler) {
	for _, name := range strings.Fields(jsonFormats) {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(any) error { return nil }})
	}
	for name, known := range openapi3.SchemaStringFormats {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(value any) error {
			if text, ok := value.(string); ok {
				return known.Validate(text)
			}
			return nil
		}})
	}
}

// FaultOf is the first of the faults that an error is about.
func FaultOf(e *jsonschema.ValidationError) Fault { return firstOf(e, "") }

func firstOf(e *jsonschema.ValidationError, condition string) Fault {
	return slices.MinFunc(faultsOf(e, condition), order)
}

// faultsOf finds the innermost causes of an error. The condition is what makes a schema around it count.
func faultsOf(e *jsonschema.ValidationError, condition string) (all []Fault) {
	pointer := pointerOfURL(e.SchemaURL)
	condition = cmp.Or(conditionOf(pointer), condition)
	switch k := e.ErrorKind.(type) {
	case *errorkind.PropertyNames:
		inner := firstOf(e.Causes[0], condition)
		inner.Field = append(slices.Clone(e.InstanceLocation), k.Property)
		inner.Keyword, inner.Reason = "propertyNames", "its name does not fit: "+inner.Reason
		return []Fault{inner}
	case *errorkind.AnyOf, *errorkind.OneOf:
		if one, found := chosen(e, condition); found {
			return []Fault{one}
		}
	case *errorkind.Contains, *errorkind.MinContains:
	default:
		for _, cause := range e.Causes {
			all = append(all, faultsOf(cause, condition)...)
		}
		if len(all) > 0 {
			return all
		}
	}
	f := Fault{Field: e.InstanceLocation, Pointer: pointer}
	if words := e.ErrorKind.KeywordPath(); len(words) > 0 {
		f.Keyword, f.Pointer = words[0], append(pointer, words...)
	}
	return f.describe(e.ErrorKind, condition)
}

// order puts first what is deepest in the body. What is refused because it was not evaluated comes last at its place:
// it may not have been evaluated since something else is wrong.
func order(a, b Fault) int {
	last := func(f Fault) int { return min(1, strings.Count(f.Reason, "(unevaluated")) }
	return cmp.Or(len(b.Field)-len(a.Field), last(a)-last(b), slices.Compare(a.Field, b.Field),
		strings.Compare(a.Keyword, b.Keyword))
}

// chosen is the fault of the one schema of a choice that was meant: the others are for values of another type, or with
// another constant.
func chosen(e *jsonschema.ValidationError, condition string) (one Fault, found bool) {
	var meant []Fault
	for _, cause := range e.Causes {
		f := firstOf(cause, condition)
		deeper := len(f.Field) - len(e.InstanceLocation)
		if f.Keyword == "type" && deeper == 0 || (f.Keyword == "const" || f.Keyword == "enum") && deeper <= 1 {
			continue
		}
		meant = append(meant, f)
	}
	if len(meant) != 1 {
		return Fault{}, false
	}
	return meant[0], true
}

// pointerOfURL is the way to a schema in the document.
func pointerOfURL(schema string) []string {
	u, err := url.Parse(schema)
	if err != nil {
		return nil
	}
	pointer, _ := PointerOf("#" + u.Fragment)
	return pointer
}

// conditionOf is why a schema counts, if it does not always.
func conditionOf(pointer []string) string {
	for i, key := range slices.Backward(pointer) {
		switch {
		case i > 0 && pointer[i-1] == "dependentSchemas":
			return "since " + key + " is there"
		case i > 0 && pointer[i-1] == "properties":
		case key == "then":
			return "since `if` fits"
		case key == "else":
			return "since `if` does not fit"
		}
	}
	return ""
}

// describe says what an error asks for, and nothing of the value: it may be a password. An error about several fields
// makes a fault of each.
func (f Fault) describe(k jsonschema.ErrorKind, condition string) (all []Fault) {
	var fields []string
	switch k := k.(type) {
	case *errorkind.Type:
		f.Reason = "it must be of type " + strings.Join(k.Want, " or ")
	case *errorkind.Required:
		fields = k.Missing
	case *errorkind.DependentRequired:
		fields, condition = k.Missing, "since "+k.Prop+" is there"
	case *errorkind.AdditionalProperties:
		fields, f.Reason = slices.Sorted(slices.Values(k.Properties)), "there is no such field (additionalProperties)"
	case *errorkind.FalseSchema:
		f.Reason = nothingFits(f.Pointer)
	case *errorkind.Not:
		f.Keyword, f.Pointer, f.Reason = "not", append(f.Pointer, "not"), "it must not fit what `not` says"
	default:
		f.Reason = reasonOf(k, f.Keyword)
	}
	if f.Missing() {
		f.Reason = condition
	} else if condition != "" {
		f.Reason += ", " + condition
	}
	if len(fields) == 0 {
		return []Fault{f}
	}
	for _, name := range fields {
		one := f
		one.Field = append(slices.Clone(f.Field), name)
		all = append(all, one)
	}
	return all
}

// nothingFits is the reason of a schema that is false.
func nothingFits(pointer []string) string {
	switch keyword := pointer[max(0, len(pointer)-1):]; {
	case slices.Contains(keyword, "unevaluatedProperties"):
		return "there is no such field (unevaluatedProperties)"
	case slices.Contains(keyword, "items"), slices.Contains(keyword, "unevaluatedItems"):
		return "there are no more items (" + keyword[0] + ")"
	}
	return "the spec allows no value here"
}

func reasonOf(k jsonschema.ErrorKind, keyword string) string {
	switch k := k.(type) {
	case *errorkind.Enum:
		return "it must be one of " + Listed(k.Want)
	case *errorkind.Const:
		return "it must be " + Listed([]any{k.Want})
	case *errorkind.AnyOf:
		return "it fits none of the schemas of anyOf"
	case *errorkind.OneOf:
		if len(k.Subschemas) > 1 {
			return fmt.Sprintf("it fits more than one schema of oneOf: number %d and number %d", k.Subschemas[0]+1,
				k.Subschemas[1]+1)
		}
		return "it fits none of the schemas of oneOf"
	case *errorkind.Contains:
		return "no item fits what `contains` says"
	case *errorkind.UniqueItems:
		return fmt.Sprintf("items %d and %d are equal (uniqueItems)", k.Duplicates[0], k.Duplicates[1])
	}
	want := reflect.Indirect(reflect.ValueOf(k)).FieldByName("Want") // a limit
	if !want.IsValid() {
		return keyword
	}
	if number, is := want.Interface().(*big.Rat); is {
		value, _ := number.Float64()
		return fmt.Sprintf("%s %v", keyword, value)
	}
	return fmt.Sprintf("%s %v", keyword, want)
}

// Listed is a few values for one line.
func Listed(values []any) string {
	const few = 12
	text := strings.ReplaceAll(strings.Trim(encode(values[:min(few, len(values))]), "[]"), ",", ", ")
	if len(values) > few {
		text += ", …"
	}
	return text
}

// encode is JSON for a line of text.
func encode(value any) string {
	raw, err := JSON(value)
	if err != nil {
		return "what the spec says"
	}
	return string(raw)
}

// JSON writes JSON as a person would: without escapes for HTML.
func JSON(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}
