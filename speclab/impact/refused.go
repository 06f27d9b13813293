package impact

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"postern/speclab/spec"
)

// The generator refuses a spec in lines like
//
//	property name in property "a" in schema "S" may not contain a newline: "b\nc"
//
// which name the parts from the innermost out.
var (
	refusedValue = regexp.MustCompile(`: ("(?:[^"\\]|\\.)*")$`)
	refusedType  = regexp.MustCompile(`duplicate typename '(\w+)'`)
	refusedStep  = regexp.MustCompile(
		`\b(?:(?:([A-Z]+) )?(path|component [a-z ]+|schema|property|response|content type|header|parameter) ` +
			`("(?:[^"\\]|\\.)*")|` +
			`(request body|items|additionalProperties|not)(?: in|$)|(allOf|anyOf|oneOf)\[(\d+)\])`)
)

// sections are the sections of components by the generator's words.
var sections = map[string]string{"schema": "schemas", "component parameter": "parameters",
	"component request body": "requestBodies",
	"component response":     "responses", "component header": "headers", "component callback": "callbacks"}

// generatorProblems are the lines in which the generator refuses a spec, each with the place that it is about.
func (c *check) generatorProblems(err error) (all spec.Problems) {
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			at := pointerInRefusal(line)
			if m := refusedType.FindStringSubmatch(line); m != nil {
				at = newMapping(c.revision.forGenerator, nil).components[m[1]]
			}
			all = append(all, spec.Problem{Position: c.revision.position(at), What: line,
				Fix: "give it another name: Go is made of it"})
		}
	}
	return all
}

// pointerInRefusal is the part that a line of the generator is about, or none.
func pointerInRefusal(line string) (at pointer) {
	value := ""
	if m := refusedValue.FindStringSubmatchIndex(line); m != nil {
		value, _ = strconv.Unquote(line[m[2]:m[3]])
		line = line[:m[0]]
	}
	steps := refusedStep.FindAllStringSubmatch(line, -1)
	for _, step := range slices.Backward(steps) {
		at = at.step(step)
	}
	switch {
	case strings.HasPrefix(line, "OpenAPI path "):
		at = pointer{"paths", value}
	case len(at) == 0:
	case strings.HasPrefix(line, "operationId in "):
		at = at.with("operationId")
	case strings.HasPrefix(line, "property name in "):
		at = at.schema().with("properties", value)
	case strings.HasPrefix(line, "response key in "):
		at = at.with("responses", value)
	}
	return at
}

// step is the part inside this one that a step of the line names.
func (p pointer) step(step []string) pointer {
	method, kind, plain, list := step[1], step[2], step[4], step[5]
	name, _ := strconv.Unquote(step[3])
	switch {
	case kind == "path" && method != "":
		return pointer{"paths", name, strings.ToLower(method)}
	case kind == "path":
		return pointer{"paths", name}
	case sections[kind] != "":
		return pointer{"components", sections[kind], name}
	case kind == "property":
		return p.schema().with("properties", name)
	case kind == "response":
		return p.with("responses", name)
	case kind == "content type":
		return p.with("content", name)
	case kind == "header":
		return p.with("headers", name)
	case plain == "request body":
		return p.with("requestBody")
	case plain != "":
		return p.schema().with(plain)
	case list != "":
		return p.schema().with(list, step[6])
	}
	return p // a parameter has no name in the document, only a number
}

// schema is the schema of a media type or of a header, or else the part itself.
func (p pointer) schema() pointer {
	if n := len(p); n > 2 && (p[n-2] == "content" || p[n-2] == "headers") && p[n-3] != "properties" {
		return p.with("schema")
	}
	return p
}
