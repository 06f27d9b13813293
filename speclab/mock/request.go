package mock

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"postern/speclab/spec"
)

// Bodies are bounded: for real operations as Postern bounds them itself, for the spec's with room for an upload's first
// tries.
const (
	maxRealBody = 64 << 10
	maxSpecBody = 1 << 20
)

// param is a parameter of an operation, and where the spec has it.
type param struct {
	*openapi3.Parameter
	pointer []string
}

// body is an operation's JSON body, and where the spec has it.
type body struct {
	schema   *openapi3.SchemaRef
	pointer  []string
	required bool
	content  openapi3.Content // all media types that the operation takes
	checker
}

// parametersOf lists the parameters that are checked: the operation's, and those of its path that it does not override.
// The token is checked elsewhere, and three headers are no parameters by OpenAPI. OpenAPI 3.1, "Parameter Object".
func parametersOf(item *openapi3.PathItem, op *openapi3.Operation, pointer []string) []param {
	var all []param
	add := func(list openapi3.Parameters, base []string, overridden openapi3.Parameters) {
		for i, ref := range list {
			if ref == nil || ref.Value == nil || overridden.GetByInAndName(ref.Value.In, ref.Value.Name) != nil ||
				isNoParameter(ref.Value) {
				continue
			}
			at := append(base[:len(base):len(base)], "parameters", strconv.Itoa(i))
			if target, found := spec.PointerOf(ref.Ref); found {
				at = target
			}
			all = append(all, param{ref.Value, at})
		}
	}
	add(item.Parameters, pointer[:2], op.Parameters)
	add(op.Parameters, pointer, nil)
	return all
}

// isNoParameter reports whether a parameter is the token, or one of the three headers.
func isNoParameter(p *openapi3.Parameter) bool {
	switch strings.ToLower(p.Name) {
	case "authorization", "accept", "content-type":
		return p.In == openapi3.ParameterInHeader
	case "access_token":
		return p.In == openapi3.ParameterInQuery
	}
	return false
}

func (e *edition) bodyOf(op *openapi3.Operation, pointer []string) *body {
	if op.RequestBody == nil || op.RequestBody.Value == nil {
		return nil
	}
	b := &body{content: op.RequestBody.Value.Content, required: op.RequestBody.Value.Required}
	at := append(pointer[:len(pointer):len(pointer)], "requestBody")
	if target, found := spec.PointerOf(op.RequestBody.Ref); found {
		at = target
	}
	name, media := jsonOf(b.content)
	if media == nil || media.Schema == nil || media.Schema.Value == nil {
		return b
	}
	b.schema, b.pointer = media.Schema, append(at, "content", name, "schema")
	b.checker = e.keywords.checker(media.Schema.Value)
	return b
}

// check validates a request against the edited spec. It returns the request with its body unread.
func (e *edition) check(w http.ResponseWriter, r *http.Request, o *operation, values map[string]string,
	fromSpec bool) (*http.Request, *refusal) {
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: values, QueryParams: r.URL.Query(),
		Route:   &routers.Route{Spec: e.api.Doc, PathItem: o.item, Method: o.method, Operation: o.edited},
		Options: &openapi3filter.Options{SkipSettingDefaults: true, RegexCompiler: lenient},
	}
	for _, p := range o.parameters {
		if err := openapi3filter.ValidateParameter(r.Context(), input, p.Parameter); err != nil {
			if wrong := e.parameterRefusal(p, err); wrong != nil {
				return r, wrong
			}
		}
	}
	if o.body == nil {
		return r, nil
	}
	return e.checkBody(w, r, o, fromSpec)
}

// parameterRefusal is nil for an error that is not about the request: kin-openapi cannot read a parameter whose schema
// has a `not`, for one. What cannot be checked passes.
func (e *edition) parameterRefusal(p param, err error) *refusal {
	place := e.api.At(p.pointer...)
	bad := func(name, reason string) *refusal {
		return badRequest("M_INVALID_PARAM", fmt.Sprintf("Bad value of parameter: %s: %s (%s)", name, reason, place))
	}
	var wrong *jsonschema.ValidationError
	var schema *openapi3.SchemaError
	var unread *openapi3filter.ParseError
	switch {
	case errors.Is(err, openapi3filter.ErrInvalidRequired):
		return badRequest("M_MISSING_PARAM", fmt.Sprintf("Missing parameter: %s (%s)", p.Name, place))
	case errors.As(err, &wrong):
		why := spec.FaultOf(wrong)
		return bad(strings.Join(append([]string{p.Name}, why.Field...), "."), cmp.Or(why.Reason, "it is missing"))
	case errors.As(err, &schema):
		_, schema = innermostError(schema)
		return bad(p.Name, constraint(schema))
	case errors.As(err, &unread) && p.Schema != nil && p.Schema.Value != nil && len(p.Schema.Value.Type.Slice()) > 0:
		return bad(p.Name, "it must be of type "+strings.Join(p.Schema.Value.Type.Slice(), " or "))
	case errors.As(err, &unread):
		return bad(p.Name, "it cannot be read")
	case errors.Is(err, openapi3filter.ErrInvalidEmptyValue):
		return bad(p.Name, "it is empty")
	}
	return nil
}

// checkBody reads the body, if the operation takes JSON and the request does not say that it is one of the other types
// that it takes. Like Postern's own, it does not trust the Content-Type: a plain `curl -d` says that it is a form.
func (e *edition) checkBody(w http.ResponseWriter, r *http.Request, o *operation, fromSpec bool) (*http.Request,
	*refusal) {
	if !o.body.readsJSON(r) && !fromSpec {
		return r, nil // the real handler reads it
	}
	most := int64(maxRealBody)
	if fromSpec {
		most = maxSpecBody
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return r, &refusal{http.StatusRequestEntityTooLarge, "M_TOO_LARGE", "The body is too large."}
	case err != nil:
		return r, badRequest("M_NOT_JSON", "The body could not be read to its end.")
	}
	again := *r
	again.Body = io.NopCloser(bytes.NewReader(raw))
	if !o.body.readsJSON(r) {
		return &again, nil
	}
	return &again, e.checkJSON(raw, o.body)
}

func (b *body) readsJSON(r *http.Request) bool {
	if b.schema == nil {
		return false
	}
	sent := spec.MediaType(r.Header.Get("Content-Type"))
	for name := range b.content {
		if !spec.IsJSON(name) && spec.MediaType(name) == sent {
			return false
		}
	}
	return true
}

func (e *edition) checkJSON(raw []byte, b *body) *refusal {
	if len(bytes.TrimSpace(raw)) == 0 && !b.required {
		return nil
	}
	var value any
	if !utf8.Valid(raw) || json.Unmarshal(raw, &value) != nil {
		return badRequest("M_NOT_JSON", fmt.Sprintf("The body is not JSON (%s)", e.api.At(b.pointer...)))
	}
	if object, ok := value.(map[string]any); ok { // some clients send null for what they leave out
		maps.DeleteFunc(object, func(_ string, field any) bool { return field == nil })
	}
	err := b.visit(b.schema.Value, value, openapi3.VisitAsRequest())
	if err == nil {
		return nil
	}
	return e.bodyRefusal(b, value, err)
}

// bodyRefusal maps the JSON Schema keyword that failed to the Matrix error codes of a bad request, as package handlers
// does. Client-Server API v1.19, "Common error codes".
func (e *edition) bodyRefusal(b *body, value any, err error) *refusal {
	why, found := e.api.Explain(b.pointer, value)
	if !found {
		return e.unexplained(b, err)
	}
	field, place := strings.Join(why.Field, "."), e.api.At(why.Pointer...)
	code, text := "M_INVALID_PARAM", ""
	switch {
	case why.Missing():
		code, text = "M_MISSING_PARAM", "Missing parameter: "+field
		if why.Reason != "" {
			text += ", " + why.Reason
		}
	case why.Keyword == "type" && field == "":
		code, text = "M_BAD_JSON", "The body"+strings.TrimPrefix(why.Reason, "it")
	case why.Keyword == "type":
		code, text = "M_BAD_JSON", "Wrong type of parameter: "+field+"; "+why.Reason
	case field == "":
		text = "Bad value of the body: " + why.Reason
	default:
		text = "Bad value of parameter: " + field + ": " + why.Reason
	}
	return badRequest(code, fmt.Sprintf("%s (%s)", text, place))
}

// unexplained is a refusal by a keyword that JSON Schema does not know, such as readOnly.
func (e *edition) unexplained(b *body, err error) *refusal {
	place := e.api.At(b.pointer...)
	var schema *openapi3.SchemaError
	if !errors.As(err, &schema) {
		return badRequest("M_BAD_JSON", fmt.Sprintf("The body does not fit the spec (%s)", place))
	}
	path, schema := innermostError(schema)
	return badRequest("M_INVALID_PARAM", fmt.Sprintf("Bad value of parameter: %s: %s (%s)", strings.Join(path, "."),
		constraint(schema), place))
}

// constraint says what the keyword that failed asks for, and nothing of the value: it may be a password.
func constraint(err *openapi3.SchemaError) string {
	s := err.Schema
	if s == nil {
		return err.SchemaField
	}
	asked := map[string]any{"pattern": s.Pattern, "format": s.Format, "minLength": s.MinLength, "minItems": s.MinItems,
		"minProperties": s.MinProps, "type": typesOf(err)}
	for keyword, limit := range map[string]*uint64{"maxLength": s.MaxLength, "maxItems": s.MaxItems,
		"maxProperties": s.MaxProps} {
		if limit != nil {
			asked[keyword] = *limit
		}
	}
	for keyword, limit := range map[string]*float64{"minimum": s.Min, "maximum": s.Max, "multipleOf": s.MultipleOf} {
		if limit != nil {
			asked[keyword] = *limit
		}
	}
	switch value, there := asked[err.SchemaField]; {
	case err.SchemaField == "enum":
		return "it must be one of " + spec.Listed(s.Enum)
	case err.SchemaField == "const":
		return "it must be " + spec.Listed([]any{s.Const})
	case there:
		return fmt.Sprintf("%s %v", err.SchemaField, value)
	}
	return err.SchemaField
}

// typesOf names the types that a schema takes.
func typesOf(err *openapi3.SchemaError) string {
	if err.Schema == nil || len(err.Schema.Type.Slice()) == 0 {
		return "of another type"
	}
	return "of type " + strings.Join(err.Schema.Type.Slice(), " or ")
}
