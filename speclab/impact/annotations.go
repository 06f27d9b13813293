package impact

import (
	"strings"

	"postern/speclab/spec"
)

// annotation is what a report says of one place, as the formats that show it beside the text of the spec have it.
type annotation struct {
	level       string // as GitHub calls it: error, warning or notice
	rule        string // what kind it is: the ID of a change, or one of ours
	at          spec.Position
	title, text string
}

// annotations are all of a report, in its order.
func (r *Report) annotations() (all []annotation) {
	for _, p := range r.Problems {
		all = append(all, annotation{"error", "unusable-spec", p.Position, "The spec cannot be used",
			p.Text()})
	}
	if len(r.Problems) > 0 {
		return all
	}
	for _, gap := range r.Gaps {
		all = append(all, annotation{"warning", "wrong-in-the-spec", gap.Position, "Wrong in the spec", gap.Text()})
	}
	for _, c := range r.Changes {
		text := c.Text
		if where := c.where(); where != "" {
			text += " (in " + where + ")"
		}
		all = append(all, annotation{c.Severity.level(), c.ID, c.Place, capital(string(c.Severity)), text})
	}
	for _, o := range r.Tasks {
		text := []string{o.Cause.Text, "owed by " + o.Handler.String()}
		for _, e := range o.Errors {
			text = append(text, e.String())
		}
		if o.Signature != "" {
			text = append(text, o.Signature)
		}
		all = append(all, annotation{"error", "owed-by-a-handler", o.Cause.Place, "Owed by " + o.Handler.Name,
			strings.Join(text, "\n")})
	}
	for _, u := range r.Unnoticed {
		all = append(all, annotation{"notice", "not-noticed-by-the-compiler", u.Place, "The compiler does not notice",
			u.Text + "\nasked of " + list(u.Handlers)})
	}
	return all
}

func (s Severity) level() string {
	switch s {
	case Breaks:
		return "error"
	case MayBreak:
		return "warning"
	}
	return "notice"
}
