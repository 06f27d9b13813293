package impact

import (
	"fmt"
	"slices"
	"strings"

	"postern/speclab/spec"
)

// Part is a part of a spec.
type Part struct {
	Pointer []string `json:"pointer"` // such as "paths", "/_matrix/client/v3/login", "post"
	// Place is where it is written in the files.
	Place spec.Position `json:"place"`
}

// Cause is a change in the spec that a handler must follow.
type Cause struct {
	Part
	Text string `json:"text"`
	// Was is the part of the contract that is changed or gone; nil when there was none.
	Was *Part `json:"was,omitempty"`
}

// cause describes a difference of the generated code as a change of the spec.
func (r *revision) cause(d difference, operations map[string]string) Cause {
	there, was := d.part, r.inContract(d.part)
	var c Cause
	switch {
	case d.old:
		was = d.part
		there, c.Text = r.replacement(d.part)
	case d.method != "":
		if id := d.part.with("operationId"); r.has(id) {
			there = id
		}
		c.Text = "the operation " + operations[d.method] + " is new"
		if was != nil {
			there, c.Text = r.replacement(was)
		}
	case d.kind == added:
		c.Text = r.describe(r.document, d.part) + " is new"
	default:
		c.Text = fmt.Sprintf("%s is %s in Go, and was %s", r.describe(r.document, d.part), d.now, d.before)
	}
	c.Part = Part{there, r.position(there)}
	if was != nil {
		c.Was = &Part{was, r.contract.position(was...)}
	}
	return c
}

// inContract is the part, if the contract has it, or nil.
func (r *revision) inContract(at pointer) pointer {
	if _, there := r.contract.get(at); there {
		return at
	}
	return nil
}

// replacement finds what the spec has in the place of a part of the contract that it does not have: the one part that
// is new beside it, or the part that encloses it.
func (r *revision) replacement(part pointer) (there pointer, text string) {
	what := r.describe(r.contract.document, part)
	if r.has(part) { // an operation that has changed its name
		before, _ := r.contract.object(part)["operationId"].(string)
		now, _ := r.object(part)["operationId"].(string)
		if before == now {
			return part, what + " has changed"
		}
		return part.with("operationId"), fmt.Sprintf("the operation %s is called %s here", before, now)
	}
	enclosing := r.nearest(part)
	removed := part[:len(enclosing)+1] // may enclose the part
	if renamed := r.renamedTo(removed); renamed != nil {
		if inner := renamed.with(part[len(removed):]...); r.has(inner) {
			renamed = inner
		}
		return renamed, fmt.Sprintf("%s is gone; %s is new here", what, r.describe(r.document, renamed))
	}
	return enclosing, what + " is gone"
}

// renamedTo is the part that is new beside one that was removed, when it is the only new one and no other was removed:
// it was probably renamed.
func (r *revision) renamedTo(part pointer) pointer {
	before, now := r.contract.children(part.parent()), r.children(part.parent())
	var removed int
	var added []pointer
	for key := range before {
		if now[key] == nil {
			removed++
		}
	}
	for key, at := range now {
		if before[key] == nil {
			added = append(added, at)
		}
	}
	if removed != 1 || len(added) != 1 {
		return nil
	}
	return added[0]
}

// describe says what a part is in the words of OpenAPI.
func (r *revision) describe(d *document, at pointer) string {
	if len(at) == 0 {
		return "the spec"
	}
	last := at[len(at)-1]
	switch {
	case len(at) >= 2 && at[len(at)-2] == "properties":
		return "the field " + last + r.describeOwner(d, at)
	case slices.Contains(at, "parameters"):
		if name, ok := d.object(d.resolve(at))["name"].(string); ok {
			return "the parameter " + name + r.describeOwner(d, at)
		}
		return "what is asked" + r.describeOwner(d, at)
	case len(at) == 4 && last == "responses":
		return "the answers" + r.describeOwner(d, at)
	case len(at) == 5 && at[3] == "responses":
		return "the status " + last + r.describeOwner(d, at)
	case last == "requestBody":
		return "the body" + r.describeOwner(d, at)
	case len(at) == 3 && at[0] == "components":
		return "the " + strings.TrimSuffix(strings.Replace(at[1], "Bodies", "Bodys", 1), "s") + " " + last
	case len(at) == 3 && at[0] == "paths":
		if id, ok := d.object(at)["operationId"].(string); ok {
			return "the operation " + id
		}
		return "the operation " + strings.ToUpper(last) + " " + at[1]
	}
	return strings.Join(at, " ")
}

// describeOwner says which component or operation a part belongs to.
func (r *revision) describeOwner(d *document, at pointer) string {
	if len(at) < 3 {
		return ""
	}
	if at[0] == "components" {
		return " of " + at[2]
	}
	return " of " + strings.TrimPrefix(r.describe(d, at[:3]), "the operation ")
}
