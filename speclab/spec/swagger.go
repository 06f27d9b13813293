package spec

import "slices"

// fromSwagger rewrites one object of Swagger 2.0 as OpenAPI 3 has it, and leaves what is in it as it is. The library's
// openapi2conv is not used: it drops what Swagger did not have and Matrix wrote all the same (oneOf, patternProperties,
// several types), and forgets where things were written.
func (b *bundler) fromSwagger(s shape, n *node, c scope) (*node, scope) {
	if !n.isMapping() {
		return n, c
	}
	switch s {
	case operationShape:
		return b.swaggerOperation(n, c)
	case pathItemShape:
		return b.swaggerPathItem(n, c), c
	case parameterShape:
		return swaggerParameter(n), c
	case headerShape:
		return newMapping(n.at, append(n.only("description"), swaggerSchema(n))...), c
	case responseShape:
		return swaggerResponse(n, c), c
	case securitySchemeShape:
		return swaggerSecurityScheme(n), c
	}
	return n, c
}

// inSchema are the keywords that Swagger writes beside a parameter's name, and OpenAPI in its schema.
var inSchema = []string{"type", "format", "items", "default", "maximum", "exclusiveMaximum", "minimum",
	"exclusiveMinimum", "maxLength", "minLength",
	"pattern", "maxItems", "minItems", "uniqueItems", "enum", "multipleOf", "title", "oneOf", "anyOf", "allOf",
	"properties", "additionalProperties"}

// swaggerSchema is the schema of a parameter or header that has none of its own.
func swaggerSchema(n *node) field {
	if f, ok := n.field("schema"); ok {
		return f
	}
	var fields []field
	for _, f := range n.fields {
		if slices.Contains(inSchema, f.name) {
			fields = append(fields, f)
		}
	}
	return field{"schema", n.at, newMapping(n.at, fields...)}
}

func swaggerParameter(n *node) *node {
	fields := append(n.only("name", "in", "description", "required", "allowEmptyValue", "deprecated", "example"),
		swaggerSchema(n))
	if example, ok := n.field("x-example"); ok && n.get("example") == nil {
		fields = slices.DeleteFunc(fields, func(f field) bool { return f.name == "x-example" })
		fields = append(fields, field{"example", example.at, example.value})
	}
	format, written := n.field("collectionFormat")
	says := func(key string, value any) field { return field{key, format.at, newScalar(format.at, value)} }
	switch in := n.text("in"); {
	case format.value.string() == "multi":
		fields = append(fields, says("explode", true))
	case (format.value.string() == "ssv" || format.value.string() == "pipes") && in == "query":
		style := map[string]string{"ssv": "spaceDelimited", "pipes": "pipeDelimited"}[format.value.string()]
		fields = append(fields, says("style", style), says("explode", false))
	case written && in == "query", in == "query" && n.text("type") == "array":
		format.at = n.at
		fields = append(fields, says("explode", false))
	}
	return newMapping(n.at, fields...)
}

func isBody(parameter *node) bool {
	in := parameter.text("in")
	return in == "body" || in == "formData"
}

func swaggerResponse(n *node, c scope) *node {
	fields := n.only("description", "headers")
	examples := n.get("examples")
	if example, ok := n.field("example"); ok && !examples.isMapping() {
		examples = newMapping(example.at, field{"application/json", example.at, example.value})
	}
	types := slices.Clone(c.produces)
	if examples.isMapping() {
		for _, f := range examples.fields {
			if !slices.Contains(types, f.name) && f.name != "$ref" {
				types = append(types, f.name)
			}
		}
	}
	schema, hasSchema := n.field("schema")
	if hasSchema && schema.value.isMapping() && schema.value.text("type") == "file" && len(types) == 0 {
		types = []string{"application/octet-stream"}
	}
	if hasSchema && len(types) == 0 {
		types = []string{"application/json"}
	}
	var content []field
	for _, mediaType := range types {
		var media []field
		if hasSchema {
			media = append(media, schema)
		}
		if example, ok := examples.field(mediaType); ok && mediaType != "$ref" {
			media = append(media, field{"example", example.at, example.value})
		}
		if len(media) > 0 {
			content = append(content, field{mediaType, n.at, newMapping(n.at, media...)})
		}
	}
	if len(content) > 0 {
		fields = append(fields, field{"content", n.at, newMapping(n.at, content...)})
	}
	return newMapping(n.at, fields...)
}

// swaggerPathItem gives the path's own body to the operations that have none.
func (b *bundler) swaggerPathItem(n *node, c scope) *node {
	shared := n.get("parameters")
	if !shared.isSequence() {
		return n
	}
	body := func(p *node) bool { return isBody(b.dereferenceParameter(p)) }
	var own, bodies []*node
	for _, p := range shared.items {
		if body(p) {
			bodies = append(bodies, p)
		} else {
			own = append(own, p)
		}
	}
	if len(bodies) == 0 {
		return n
	}
	fields := slices.Clone(n.with(field{"parameters", shared.at, newSequence(shared.at, own...)}).fields)
	for i, f := range fields {
		if slices.Contains(methods, f.name) && f.value.isMapping() &&
			!slices.ContainsFunc(parametersOf(f.value), body) {
			all := newSequence(shared.at, append(slices.Clone(bodies), parametersOf(f.value)...)...)
			fields[i].value = f.value.with(field{"parameters", shared.at, all})
		}
	}
	return newMapping(n.at, fields...)
}

func parametersOf(operation *node) []*node {
	if p := operation.get("parameters"); p != nil {
		return p.items
	}
	return nil
}

// dereferenceParameter is a parameter, or the one that it refers to.
func (b *bundler) dereferenceParameter(n *node) *node {
	if n.isMapping() && n.text("$ref") != "" {
		if _, found, ok := b.follow(parameterShape, n); ok {
			return found
		}
	}
	return n
}

// swaggerOperation gathers the parameters that make the body into a request body.
func (b *bundler) swaggerOperation(n *node, c scope) (*node, scope) {
	if consumes, ok := n.field("consumes"); ok {
		c.consumes = texts(consumes.value)
	}
	if produces, ok := n.field("produces"); ok {
		c.produces = texts(produces.value)
	}
	taken := n.without("consumes", "produces", "schemes")
	parameters, ok := n.field("parameters")
	if !ok || !parameters.value.isSequence() {
		return taken, c
	}
	var kept, form []*node
	var body *node
	for _, p := range parameters.value.items {
		switch behind := b.dereferenceParameter(p); behind.text("in") {
		case "body":
			body = behind
		case "formData":
			form = append(form, behind)
		default:
			kept = append(kept, p)
		}
	}
	taken = taken.with(field{"parameters", parameters.at, newSequence(parameters.value.at, kept...)})
	switch {
	case body != nil:
		taken = taken.with(field{"requestBody", body.at, swaggerBody(body, c)})
	case len(form) > 0:
		taken = taken.with(field{"requestBody", form[0].at, swaggerForm(form, c)})
	}
	return taken, c
}

func swaggerBody(body *node, c scope) *node {
	types := c.consumes
	if len(types) == 0 {
		types = []string{"application/json"}
	}
	media := body.only("schema")
	media = slices.DeleteFunc(media, func(f field) bool { return isExtension(f.name) })
	if example, ok := body.field("x-example"); ok {
		media = append(media, field{"example", example.at, example.value})
	}
	return newMapping(body.at, append(body.only("description", "required"),
		contentOf(body, types, newMapping(body.at, media...)))...)
}

func contentOf(n *node, types []string, media *node) field {
	var content []field
	for _, mediaType := range types {
		content = append(content, field{mediaType, n.at, media})
	}
	return field{"content", n.at, newMapping(n.at, content...)}
}

func swaggerForm(form []*node, c scope) *node {
	at := form[0].at
	types, required := []string{}, newSequence(at)
	for _, mediaType := range c.consumes {
		if mediaType == "multipart/form-data" || mediaType == "application/x-www-form-urlencoded" {
			types = append(types, mediaType)
		}
	}
	var properties []field
	for _, p := range form {
		schema := swaggerSchema(p).value
		if description, ok := p.field("description"); ok {
			schema = schema.with(description)
		}
		if p.text("type") == "file" && len(types) == 0 {
			types = []string{"multipart/form-data"}
		}
		if p.get("required").isTrue() {
			required.items = append(required.items, p.get("name"))
		}
		properties = append(properties, field{p.text("name"), p.at, schema})
	}
	if len(types) == 0 {
		types = []string{"application/x-www-form-urlencoded"}
	}
	schema := newMapping(at, field{"type", at, newScalar(at, "object")}, field{"required", at, required},
		field{"properties", at, newMapping(at, properties...)})
	return newMapping(at, contentOf(form[0], types, newMapping(at, field{"schema", at, schema})))
}

func swaggerSecurityScheme(n *node) *node {
	says := func(key, value string) field { return field{key, n.at, newScalar(n.at, value)} }
	switch n.text("type") {
	case "basic":
		return newMapping(n.at, append(n.only("description"), says("type", "http"), says("scheme", "basic"))...)
	case "oauth2":
		flow := map[string]string{"accessCode": "authorizationCode", "application": "clientCredentials"}[n.text("flow")]
		if flow == "" {
			flow = n.text("flow")
		}
		details := n.only("authorizationUrl", "tokenUrl", "scopes")
		details = slices.DeleteFunc(details, func(f field) bool { return isExtension(f.name) })
		flows := newMapping(n.at, field{flow, n.at, newMapping(n.at, details...)})
		return newMapping(n.at, append(n.only("description"), says("type", "oauth2"), field{"flows", n.at, flows})...)
	}
	return n
}

// texts is a list of strings; one string is a list of it.
func texts(n *node) []string {
	if s := n.string(); s != "" {
		return []string{s}
	}
	var all []string
	if n != nil {
		for _, item := range n.items {
			if s := item.string(); s != "" {
				all = append(all, s)
			}
		}
	}
	return all
}
