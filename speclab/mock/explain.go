package mock

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"postern/speclab/spec"
)

// fault is what is wrong with a body: the innermost field that does not fit, why, and where the spec says so.
type fault struct {
	field   []string
	code    string // of Matrix
	reason  string
	pointer []string

	keyword string // for the order of several
}

// explainer compiles the schemas of a spec when they are first needed.
type explainer struct {
	lock     sync.Mutex // of the compiler
	compiler *jsonschema.Compiler
	document map[string]any
}

// specURL is the document's name in the compiler.
const specURL = "https://spec.invalid/"

// schema compiles the schema at a place in the document.
func (x *explainer) schema(api *spec.API, pointer []string) (*jsonschema.Schema, error) {
	x.lock.Lock()
	defer x.lock.Unlock()
	if x.compiler == nil {
		document, err := tree(api.Doc)
		if err != nil {
			return nil, err
		}
		c := jsonschema.NewCompiler()
		c.DefaultDraft(jsonschema.Draft2020)
		c.UseRegexpEngine(func(pattern string) (jsonschema.Regexp, error) { return readPattern(pattern), nil })
		assertFormats(c)
		if err := c.AddResource(specURL, document); err != nil {
			return nil, err
		}
		x.compiler, x.document = c, document
	}
	at := url.URL{Fragment: "/" + strings.Join(escape(pointer), "/")}
	return x.compiler.Compile(specURL + at.String())
}

// explain finds why a body does not fit its schema. kin-openapi has refused it; the validator of JSON Schema is asked
// for the reason, since it keeps apart where in the body and where in the spec something failed. The two may differ:
// then there is no explanation.
func (e *edition) explain(b *body, value any) (fault, bool) {
	schema, err := e.explainer.schema(e.api, b.pointer)
	if err != nil {
		return fault{}, false
	}
	var wrong *jsonschema.ValidationError
	if err := schema.Validate(value); !errors.As(err, &wrong) {
		return fault{}, false
	}
	f := faultOf(wrong, "")
	if f.keyword == "not" {
		f.reason += quoted(e.explainer.document, f.pointer)
	}
	return f, true
}

// quoted is a part of the document, if a line has room for it.
func quoted(document map[string]any, pointer []string) string {
	const room = 100
	n := len(pointer) - 1
	raw, err := encode(lookUp(document, pointer[:n]...)[pointer[n]])
	if err != nil || len(raw) > room || string(raw) == "null" {
		return ""
	}
	return ": " + string(raw)
}

// assertFormats makes the formats count that kin-openapi knows, and no other.
func assertFormats(c *jsonschema.Compiler) {
	for _, name := range slices.Concat(slices.Collect(maps.Keys(formats)),
		slices.Collect(maps.Keys(openapi3.SchemaStringFormats))) {
		known := openapi3.SchemaStringFormats[name]
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(value any) error {
			if text, ok := value.(string); ok && known != nil {
				return known.Validate(text)
			}
			return nil
		}})
	}
	c.AssertFormat()
}

// faultOf finds the innermost cause of an error. The condition is what makes a schema around it count.
func faultOf(e *jsonschema.ValidationError, condition string) fault {
	pointer := pointerOfURL(e.SchemaURL)
	condition = cmp.Or(conditionOf(pointer), condition)
	switch k := e.ErrorKind.(type) {
	case *kind.PropertyNames:
		inner := faultOf(e.Causes[0], condition)
		inner.field = append(slices.Clone(e.InstanceLocation), k.Property)
		inner.code, inner.reason = "M_INVALID_PARAM", "its name does not fit: "+inner.reason
		return inner
	case *kind.AnyOf, *kind.OneOf:
		if one, found := chosen(e, condition); found {
			return one
		}
	case *kind.Contains, *kind.MinContains:
	default:
		if len(e.Causes) > 0 {
			return slices.MinFunc(faultsOf(e.Causes, condition), order)
		}
	}
	f := fault{field: e.InstanceLocation, code: "M_INVALID_PARAM", pointer: pointer}
	if words := e.ErrorKind.KeywordPath(); len(words) > 0 {
		f.keyword, f.pointer = words[0], append(pointer, words...)
	}
	f.describe(e.ErrorKind, condition)
	return f
}

func faultsOf(causes []*jsonschema.ValidationError, condition string) (all []fault) {
	for _, cause := range causes {
		all = append(all, faultOf(cause, condition))
	}
	return all
}

// order puts first what is deepest in the body. What is refused because it was not evaluated comes last at its place:
// it may not have been evaluated since something else is wrong.
func order(a, b fault) int {
	last := func(f fault) int { return min(1, strings.Count(f.reason, "(unevaluated")) }
	return cmp.Or(len(b.field)-len(a.field), last(a)-last(b), slices.Compare(a.field, b.field),
		strings.Compare(a.keyword, b.keyword))
}

// chosen is the fault of the one schema of a choice that was meant: the others are for values of another type, or with
// another constant.
func chosen(e *jsonschema.ValidationError, condition string) (one fault, found bool) {
	meant := slices.DeleteFunc(faultsOf(e.Causes, condition), func(f fault) bool {
		deeper := len(f.field) - len(e.InstanceLocation)
		return f.keyword == "type" && deeper == 0 || (f.keyword == "const" || f.keyword == "enum") && deeper <= 1
	})
	if len(meant) != 1 {
		return fault{}, false
	}
	return meant[0], true
}

// pointerOfURL is the way to a schema in the document.
func pointerOfURL(schema string) []string {
	u, err := url.Parse(schema)
	if err != nil {
		return nil
	}
	pointer, _ := pointerOf("#" + u.Fragment)
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

// describe says what an error asks for, and nothing of the value: it may be a password.
func (f *fault) describe(k jsonschema.ErrorKind, condition string) {
	missing := ""
	switch k := k.(type) {
	case *kind.Type:
		f.code, f.reason = "M_BAD_JSON", "it must be of type "+strings.Join(k.Want, " or ")
	case *kind.Required:
		missing = k.Missing[0]
	case *kind.DependentRequired:
		missing, condition = k.Missing[0], "since "+k.Prop+" is there"
	case *kind.AdditionalProperties:
		f.field = append(slices.Clone(f.field), slices.Min(k.Properties))
		f.reason = "there is no such field (additionalProperties)"
	case *kind.FalseSchema:
		f.reason = nothingFits(f.pointer)
	case *kind.Not:
		f.keyword, f.pointer, f.reason = "not", append(f.pointer, "not"), "it must not fit what `not` says"
	default:
		f.reason = reasonOf(k, f.keyword)
	}
	if missing != "" {
		f.field, f.code, f.reason = append(slices.Clone(f.field), missing), "M_MISSING_PARAM", condition
	} else if condition != "" {
		f.reason += ", " + condition
	}
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
	case *kind.Enum:
		return "it must be one of " + shortList(k.Want)
	case *kind.Const:
		return "it must be " + shortList([]any{k.Want})
	case *kind.AnyOf:
		return "it fits none of the schemas of anyOf"
	case *kind.OneOf:
		if len(k.Subschemas) > 1 {
			return fmt.Sprintf("it fits more than one schema of oneOf: number %d and number %d", k.Subschemas[0]+1,
				k.Subschemas[1]+1)
		}
		return "it fits none of the schemas of oneOf"
	case *kind.Contains:
		return "no item fits what `contains` says"
	case *kind.UniqueItems:
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
