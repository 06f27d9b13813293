package appservice

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// reading is a registration file on the way to a Service.
type reading struct {
	file     string
	fields   map[string]*yaml.Node
	at       map[string]int
	problems []error
}

// fieldsOf gives the members of a mapping, or nil.
func fieldsOf(node *yaml.Node) map[string]*yaml.Node {
	node = behind(node)
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	fields := make(map[string]*yaml.Node)
	for i := 0; i+1 < len(node.Content); i += 2 {
		fields[node.Content[i].Value] = behind(node.Content[i+1])
	}
	return fields
}

// behind is the node that a document or an alias stands for.
func behind(node *yaml.Node) *yaml.Node {
	for range 10 { // an alias names a node, which is hardly an alias of an alias
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

// wrong notes a problem at a node, or at the file if there is none.
func (r *reading) wrong(node *yaml.Node, format string, args ...any) {
	place := r.file
	if node != nil {
		place = fmt.Sprintf("%s:%d", r.file, node.Line)
	}
	r.problems = append(r.problems, fmt.Errorf("%s: %s", place, fmt.Sprintf(format, args...)))
}

// text reads a field that must be there. What it holds is not told: it may be a token.
func (r *reading) text(name string) string {
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
	r.at[name] = node.Line
	return node.Value
}

func isText(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!str" }

// checkURL: Synapse wants it said that a service is told nothing.
func (r *reading) checkURL() {
	switch node := r.fields["url"]; {
	case node == nil:
		r.wrong(nil, "url is missing; write null for a service that is told nothing")
	case !isText(node) && node.ShortTag() != "!!null":
		r.wrong(node, "url must be text or null")
	}
}

// namespaces reads those of users.
func (r *reading) namespaces() (spaces []namespace) {
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
		entry = behind(entry)
		if space, ok := r.namespace(entry); ok {
			spaces = append(spaces, space)
		}
	}
	return spaces
}

func (r *reading) namespace(entry *yaml.Node) (space namespace, ok bool) {
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
