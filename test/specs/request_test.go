package specs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/mock"
)

// requestFor makes a request that fits an operation: with what is required, as the spec's examples or its schemas have
// it.
func requestFor(ctx context.Context, base, token, path, method string, item *openapi3.PathItem,
	op *openapi3.Operation) (*http.Request, error) {
	query, header := url.Values{}, http.Header{"Authorization": {"Bearer " + token}}
	all := slices.Clone(op.Parameters)
	for _, p := range item.Parameters {
		if op.Parameters.GetByInAndName(p.Value.In, p.Value.Name) == nil {
			all = append(all, p)
		}
	}
	for _, p := range all {
		if !p.Value.Required {
			continue
		}
		value, asJSON := valueOf(p.Value)
		switch name := p.Value.Name; {
		case p.Value.In == openapi3.ParameterInPath:
			path = strings.ReplaceAll(path, "{"+name+"}", inPath(p.Value, value))
		case p.Value.In == openapi3.ParameterInHeader:
			header.Set(name, plainText(value))
		case p.Value.In == openapi3.ParameterInCookie:
			header.Add("Cookie", name+"="+plainText(value))
		case asJSON:
			raw, _ := json.Marshal(value) // it was made of JSON
			query.Set(name, string(raw))
		default:
			addQuery(query, p.Value, value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, base+path, bodyFor(op, header))
	if err == nil {
		request.Header = header
	}
	return request, err
}

// valueOf is an example of a parameter, or a value made of its schema.
func valueOf(p *openapi3.Parameter) (value any, asJSON bool) {
	schema := p.Schema
	for _, media := range p.Content {
		schema, asJSON = media.Schema, true
	}
	if p.Example != nil {
		return p.Example, asJSON
	}
	for _, name := range slices.Sorted(maps.Keys(p.Examples)) {
		if e := p.Examples[name].Value; e != nil && e.Value != nil {
			return e.Value, asJSON
		}
	}
	return mock.Sample(schema), asJSON
}

// inPath writes a parameter in its style. OpenAPI 3.1, "Style Values".
func inPath(p *openapi3.Parameter, value any) string {
	text := url.PathEscape(plainText(value))
	if object, ok := value.(map[string]any); ok && p.Explode != nil && *p.Explode {
		return exploded(p.Style, object)
	}
	switch {
	case text == "":
		return "x"
	case p.Style == openapi3.SerializationLabel:
		return "." + text
	case p.Style == openapi3.SerializationMatrix:
		return ";" + p.Name + "=" + text
	}
	return text
}

// exploded writes the members of an object each by itself.
func exploded(style string, object map[string]any) string {
	before := map[string]string{openapi3.SerializationLabel: ".", openapi3.SerializationMatrix: ";"}[style]
	var members []string
	for _, key := range slices.Sorted(maps.Keys(object)) {
		members = append(members, url.PathEscape(key)+"="+url.PathEscape(plainText(object[key])))
	}
	return before + strings.Join(members, cmp.Or(before, ","))
}

func addQuery(query url.Values, p *openapi3.Parameter, value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			if p.Style == openapi3.SerializationDeepObject {
				key = p.Name + "[" + key + "]"
			}
			query.Set(key, plainText(member))
		}
	case []any:
		if p.Explode == nil || *p.Explode {
			for _, member := range value {
				query.Add(p.Name, plainText(member))
			}
			return
		}
		query.Set(p.Name, plainText(value))
	default:
		query.Set(p.Name, plainText(value))
	}
}

// plainText writes a value with commas, as the style "simple" does.
func plainText(value any) string {
	var parts []string
	switch value := value.(type) {
	case string:
		return value
	case []any:
		for _, member := range value {
			parts = append(parts, plainText(member))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			parts = append(parts, key, plainText(value[key]))
		}
	case float64:
		raw, _ := json.Marshal(value)
		return string(raw)
	default:
		return fmt.Sprint(value)
	}
	return strings.Join(parts, ",")
}

// bodyFor is a body of JSON, if the operation takes one, or an empty one of the first other type.
func bodyFor(op *openapi3.Operation, header http.Header) io.Reader {
	if op.RequestBody == nil || op.RequestBody.Value == nil {
		return nil
	}
	content := op.RequestBody.Value.Content
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		if header.Get("Content-Type") == "" {
			header.Set("Content-Type", kind)
		}
		if !strings.Contains(kind, "json") {
			continue
		}
		header.Set("Content-Type", kind)
		if raw, err := json.Marshal(mock.Sample(content[kind].Schema)); err == nil {
			return bytes.NewReader(raw)
		}
	}
	return nil
}
