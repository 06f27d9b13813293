package appservice

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// reader reads the fields of a registration file and collects the problems.
type reader struct {
	file     string
	fields   map[string]*yaml.Node
	lines    map[string]int // of the fields read
	problems []error
}

// fieldsOf returns the members of a mapping; nil if the node is none.
func fieldsOf(node *yaml.Node) map[string]*yaml.Node {
	node = resolved(node)
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	fields := make(map[string]*yaml.Node)
	for i := 0; i+1 < len(node.Content); i += 2 {
		fields[node.Content[i].Value] = resolved(node.Content[i+1])
	}
	return fields
}

// resolved is the content of a document or the target of an alias, and otherwise the node itself.
func resolved(node *yaml.Node) *yaml.Node {
	for range 10 { // an alias of an alias is not expected, let alone ten
		switch {
		case node == nil:
			return nil
		case node.Kind == yaml.DocumentNode && len(node.Content) > 0:
			node = node.Content[0]
		case node.Kind == yaml.AliasNode:
			node = node.Alias
		default:
			return node
		}
	}
	return node
}

// wrong adds a problem, at the line of a node unless that is nil.
func (r *reader) wrong(node *yaml.Node, format string, args ...any) {
	position := r.file
	if node != nil {
		position = fmt.Sprintf("%s:%d", r.file, node.Line)
	}
	r.problems = append(r.problems, fmt.Errorf("%s: %s", position, fmt.Sprintf(format, args...)))
}

// text reads a required field. A problem does not quote the value, which may be a token.
func (r *reader) text(name string) string {
	node := r.fields[name]
	switch {
	case node == nil:
		r.wrong(nil, "%s is missing", name)
		return ""
	case !isText(node):
		r.wrong(node, "%s must be text; put it in quotes", name)
		return ""
	case node.Value == "":
		r.wrong(node, "%s is empty", name)
		return ""
	}
	r.lines[name] = node.Line
	return node.Value
}

func isText(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!str" }

// checkURL checks that url is present: Synapse requires it even as null, for a service that gets no events.
func (r *reader) checkURL() {
	switch node := r.fields["url"]; {
	case node == nil:
		r.wrong(nil, "url is missing; write null for a service that is told nothing")
	case !isText(node) && node.ShortTag() != "!!null":
		r.wrong(node, "url must be text or null")
	}
}

// namespaces reads the namespaces of users.
func (r *reader) namespaces() (spaces []namespace) {
	all := r.fields["namespaces"]
	fields := fieldsOf(all)
	if fields == nil {
		r.wrong(all, "namespaces is missing; it holds users, aliases and rooms, each with a list, or is {}")
		return nil
	}
	users := fields["users"]
	if users == nil {
		return nil
	}
	if users.Kind != yaml.SequenceNode {
		r.wrong(users, "namespaces.users must be a list")
		return nil
	}
	for _, entry := range users.Content {
		entry = resolved(entry)
		if space, ok := r.namespace(entry); ok {
			spaces = append(spaces, space)
		}
	}
	return spaces
}

func (r *reader) namespace(entry *yaml.Node) (space namespace, ok bool) {
	fields := fieldsOf(entry)
	exclusive, expression := fields["exclusive"], fields["regex"]
	before := len(r.problems)
	if exclusive == nil || exclusive.Decode(&space.exclusive) != nil {
		r.wrong(entry, "a namespace has exclusive: true or false")
	}
	if expression == nil || !isText(expression) {
		r.wrong(entry, "a namespace has a regex, which is text; put it in quotes")
		return space, false
	}
	users, err := compile(expression.Value)
	if err != nil {
		r.wrong(expression, "the regex %q: %v", expression.Value, err)
		return space, false
	}
	space.users = users
	return space, len(r.problems) == before
}
