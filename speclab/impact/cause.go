package impact

import (
	"fmt"
	"slices"
	"strings"

	"postern/speclab/spec"
)

// Part is a part of a spec and where it stands.
type Part struct {
	Pointer []string `json:"pointer"` // such as "paths", "/_matrix/client/v3/login", "post"
	Place   Place    `json:"place"`
}

// Place is a position in a spec; line and column are left out when they are not known.
type Place struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

func placeOf(p spec.Position) Place { return Place{File: p.File, Line: p.Line, Column: p.Column} }

// String is the place as compilers write it, which editors and terminals follow.
func (p Place) String() string { return spec.Position(p).String() }

// Cause is what in the spec an implementation owes something for.
type Cause struct {
	Part
	Text string `json:"text"`
	// Was is the part of the contract that is changed or gone; nil when there was none.
	Was *Part `json:"was,omitempty"`
}

// cause tells a difference as the spec's author sees it.
func (r *revision) cause(d difference, operations map[string]string) Cause {
	there, was := d.part, r.before(d.part)
	var c Cause
	switch {
	case d.old:
		was = d.part
		there, c.Text = r.gone(d.part)
	case d.method != "":
		if id := d.part.with("operationId"); r.has(id) {
			there = id
		}
		c.Text = "the operation " + operations[d.method] + " is new"
		if was != nil {
			there, c.Text = r.gone(was)
		}
	case d.kind == added:
		c.Text = r.name(r.document, d.part) + " is new"
	default:
		c.Text = fmt.Sprintf("%s is %s in Go, and was %s", r.name(r.document, d.part), d.now, d.before)
	}
	c.Part = Part{there, placeOf(r.position(there))}
	if was != nil {
		c.Was = &Part{was, placeOf(r.contract.at(was...))}
	}
	return c
}

func (r *revision) has(at pointer) bool {
	_, there := r.get(at)
	return there
}

// before is the part in the contract, or nil.
func (r *revision) before(at pointer) pointer {
	if _, there := r.contract.get(at); there {
		return at
	}
	return nil
}

// gone finds what stands in the place of a part of the contract that the spec does not have: the one part that is new
// beside it, or what encloses it.
func (r *revision) gone(part pointer) (there pointer, text string) {
	what := r.name(r.contract.document, part)
	if r.has(part) { // an operation that has changed its name
		before, _ := r.contract.object(part)["operationId"].(string)
		now, _ := r.object(part)["operationId"].(string)
		if before == now {
			return part, what + " has changed"
		}
		return part.with("operationId"), fmt.Sprintf("the operation %s is called %s here", before, now)
	}
	enclosing := r.nearest(part)
	lost := part[:len(enclosing)+1] // what is gone may enclose the part
	if fresh := r.fresh(lost); fresh != nil {
		moved := fresh.with(part[len(lost):]...)
		if r.has(moved) {
			fresh = moved
		}
		return fresh, fmt.Sprintf("%s is gone; %s is new here", what, r.name(r.document, fresh))
	}
	return enclosing, what + " is gone"
}

// fresh is the part that is new beside one that is gone, when each is the only one of its kind: it was probably
// renamed.
func (r *revision) fresh(lost pointer) pointer {
	before, now := r.contract.keys(lost.parent()), r.keys(lost.parent())
	var gone int
	var fresh []pointer
	for key := range before {
		if now[key] == nil {
			gone++
		}
	}
	for key, at := range now {
		if before[key] == nil {
			fresh = append(fresh, at)
		}
	}
	if gone != 1 || len(fresh) != 1 {
		return nil
	}
	return fresh[0]
}

// name says what a part is in an author's words.
func (r *revision) name(d *document, at pointer) string {
	if len(at) == 0 {
		return "the spec"
	}
	last := at[len(at)-1]
	switch {
	case len(at) >= 2 && at[len(at)-2] == "properties":
		return "the field " + last + r.owner(d, at)
	case slices.Contains(at, "parameters"):
		if name, ok := d.object(d.follow(at))["name"].(string); ok {
			return "the parameter " + name + r.owner(d, at)
		}
		return "what is asked" + r.owner(d, at)
	case len(at) == 4 && last == "responses":
		return "the answers" + r.owner(d, at)
	case len(at) == 5 && at[3] == "responses":
		return "the status " + last + r.owner(d, at)
	case last == "requestBody":
		return "the body" + r.owner(d, at)
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

// owner says what a part belongs to.
func (r *revision) owner(d *document, at pointer) string {
	if len(at) < 3 {
		return ""
	}
	if at[0] == "components" {
		return " of " + at[2]
	}
	return " of " + strings.TrimPrefix(r.name(d, at[:3]), "the operation ")
}
