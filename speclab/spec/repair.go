package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// repair adds what OpenAPI 3.1 requires of an object and the author left out. Examples that are JSON in a text become
// values.
func (b *bundler) repair(s shape, n *node) *node {
	says := func(key string, value any) field { return field{key, n.at, newScalar(n.at, value)} }
	switch s {
	case infoShape:
		return b.repairInfo(n)
	case responseShape:
		if n.get("description") == nil {
			return n.with(says("description", ""))
		}
	case requestBodyShape:
		if n.get("content") == nil {
			b.gap(n.at, "the request body has no content; any JSON is taken", "add content: with a media type")
			return n.with(field{"content", n.at, newMapping(n.at, field{"application/json", n.at, newMapping(n.at)})})
		}
	case mediaTypeShape:
		return b.repairExample(n)
	case exampleShape:
		if f, ok := n.field("value"); ok {
			return n.with(field{"value", f.at, jsonIn(f.value)}).without("externalValue")
		}
		if n.get("externalValue") == nil {
			return nil
		}
	case headerShape:
		return b.repairSchema(b.repairExample(n))
	case parameterShape:
		return b.repairParameter(b.repairSchema(b.repairExample(n)))
	case responsesShape:
		return b.repairResponses(n)
	case operationShape:
		return b.repairOperation(n)
	case securitySchemeShape:
		return b.repairSecurityScheme(n)
	}
	return n
}

// repairInfo keeps one of a license's addresses.
func (b *bundler) repairInfo(n *node) *node {
	license, _ := n.field("license")
	identifier, both := license.value.field("identifier")
	if !both || license.value.get("url") == nil {
		return n
	}
	b.gap(identifier.at, "a license has an identifier or a url, not both: the identifier is left out",
		"keep one of them")
	return n.with(field{"license", license.at, license.value.without("identifier")})
}

// repairOperation: an operation has responses, and a client expects one that is a success.
func (b *bundler) repairOperation(n *node) *node {
	responses, ok := n.field("responses")
	if !ok || len(responses.value.fields) == 0 {
		b.gap(n.at, "the operation has no responses", "add responses: with the status of a success, such as 200")
		return n.with(field{"responses", n.at, newMapping(n.at, field{"default", n.at,
			newMapping(n.at, field{"description", n.at, newScalar(n.at, "")})})})
	}
	success := func(f field) bool { return f.name == "default" || f.name[0] == '2' || f.name[0] == '3' }
	if !slices.ContainsFunc(responses.value.fields, success) && !n.get("x-refuses").isTrue() {
		b.gap(responses.at, "the operation has no response that is a success",
			"add one such as 200, or default; if it always refuses, add x-refuses: true")
	}
	return n
}

// repairExample keeps one of example and examples, and makes JSON of a text.
func (b *bundler) repairExample(n *node) *node {
	f, ok := n.field("example")
	if !ok {
		return n
	}
	if examples := n.get("examples"); examples != nil {
		b.gap(f.at, "there are examples as well; this one is left out", "write it as one of examples")
		return n.without("example")
	}
	if schema := n.get("schema"); schema != nil && schema.text("type") == "string" {
		return n
	}
	return n.with(field{"example", f.at, jsonIn(f.value)})
}

// repairSchema: a parameter and a header have a schema or one content.
func (b *bundler) repairSchema(n *node) *node {
	switch {
	case n.get("schema") != nil:
		return n.without("content")
	case n.get("content") == nil || len(n.get("content").fields) == 0:
		return n.without("content").with(field{"schema", n.at, newMapping(n.at)})
	case len(n.get("content").fields) > 1:
		content, _ := n.field("content")
		b.gap(content.at, "there are several media types; the first counts", "keep one of them")
		return n.with(field{"content", content.at, newMapping(content.at, content.value.fields[0])})
	}
	return n
}

// untyped reports a parameter or a header that does not say what its values are.
func (b *bundler) untyped(s shape, n *node, c scope) {
	what := "the " + string(s)
	if name := n.text("name"); name != "" {
		what = fmt.Sprintf("the parameter %q", name)
	}
	kind, isTyped := n.field("type")
	switch {
	case n.get("schema") != nil || len(fieldsOf(n.get("content"))) > 0:
	case isTyped && !c.swagger:
		b.gap(kind.at, what+" has a type of its own, as in Swagger 2.0; it is read as its schema's",
			"write schema: and the type below it")
	case c.swagger && slices.ContainsFunc(n.fields, func(f field) bool { return slices.Contains(inSchema, f.name) }):
	default:
		b.gap(n.at, what+" has neither schema nor content; any value is taken", "add schema:")
	}
}

func (b *bundler) repairParameter(n *node) *node {
	in := n.text("in")
	switch {
	case n.text("name") == "":
		b.problem(n.at, "a parameter without a name", "add name:")
		return nil
	case !slices.Contains([]string{"path", "query", "header", "cookie"}, in):
		b.problem(n.at, fmt.Sprintf("the parameter %q is in %q", n.text("name"), in),
			"write in: path, query, header or cookie; a body stands under requestBody")
		return nil
	case in == "path" && !n.get("required").isTrue():
		b.gap(n.at, fmt.Sprintf("the parameter %q is in the path and not required; it is read as required",
			n.text("name")), "add required: true")
		return n.with(field{"required", n.at, newScalar(n.at, true)})
	}
	return n
}

var statusCode = regexp.MustCompile(`^(default|[1-5]XX|[1-5][0-9][0-9])$`)

func (b *bundler) repairResponses(n *node) *node {
	var fields []field
	for _, f := range n.fields {
		if !isExtension(f.name) {
			if f.name = strings.ToUpper(f.name); f.name == "DEFAULT" {
				f.name = "default"
			}
			if !statusCode.MatchString(f.name) {
				b.problem(f.at, fmt.Sprintf("%q is no status code", f.name),
					"write one like 200, a range like 4XX, or default")
				continue
			}
		}
		fields = append(fields, f)
	}
	return newMapping(n.at, fields...)
}

func (b *bundler) repairSecurityScheme(n *node) *node {
	switch t := n.text("type"); t {
	case "apiKey", "oauth2", "openIdConnect", "mutualTLS":
		return n
	case "http":
		if n.text("scheme") != "" {
			return n
		}
		b.gap(n.at, "the security scheme does not say which scheme of HTTP it is; it is read as bearer",
			"add scheme: bearer, or basic")
		return n.with(field{"scheme", n.at, newScalar(n.at, "bearer")})
	default:
		b.problem(n.at, fmt.Sprintf("a security scheme of type %q", t), "write apiKey, http, oauth2 or openIdConnect")
		return nil
	}
}

// base is where an API's paths begin: what basePath or the first server says, without host, its variables filled in.
func base(n *node) string {
	url := n.text("basePath")
	if servers := n.get("servers"); servers.isSequence() && len(servers.items) > 0 {
		url = serverURL(servers.items[0])
	}
	url = majorVersion.ReplaceAllStringFunc(url, currentVersion)
	if _, rest, ok := strings.Cut(url, "://"); ok {
		slash := strings.IndexByte(rest, '/')
		if slash < 0 {
			return ""
		}
		url = rest[slash:]
	}
	url, _, _ = strings.Cut(url, "?")
	if url = strings.Trim(url, "/"); url == "" {
		return ""
	}
	return "/" + url
}

// majorVersion is what the scripts that published Matrix's files between 2016 and 2021 filled in.
var majorVersion = regexp.MustCompile(`%[A-Z_]+_MAJOR_VERSION%`)

// currentVersion: the operations are today's v3 ones, and r0, which it stood for then, is only another name of v3.
func currentVersion(placeholder string) string {
	switch {
	case strings.HasPrefix(placeholder, "%CLIENT"):
		return "v3"
	case strings.HasPrefix(placeholder, "%IDENTITY"):
		return "v2"
	}
	return "v1"
}

// serverURL fills in the variables of a server's address; a default may name another.
func serverURL(server *node) string {
	url := server.text("url")
	variables := server.get("variables")
	if !variables.isMapping() {
		return url
	}
	for range 4 {
		for _, f := range variables.fields {
			if name := "{" + f.name + "}"; strings.Contains(url, name) && len(url) < 4096 {
				url = strings.ReplaceAll(url, name, f.value.text("default"))
			}
		}
	}
	return url
}
