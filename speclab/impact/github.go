package impact

import (
	"fmt"
	"io"
	"strings"

	"postern/speclab/spec"
)

// WriteGitHub writes the report as workflow commands: annotations that GitHub shows at the lines of the spec.
func (r *Report) WriteGitHub(w io.Writer) error {
	p := &lineWriter{w: w}
	for _, problem := range r.Problems {
		p.annotate("error", problem.Position, "The spec cannot be used", problem.Text())
	}
	if len(r.Problems) > 0 {
		return p.err
	}
	for _, gap := range r.Gaps {
		p.annotate("warning", gap.Position, "Wrong in the spec", gap.Text())
	}
	for _, c := range r.Changes {
		text := c.Text
		if where := c.where(); where != "" {
			text += " (in " + where + ")"
		}
		p.annotate(command(c.Severity), c.Place, capital(string(c.Severity)), text)
	}
	for _, o := range r.Tasks {
		text := []string{o.Cause.Text, "owed by " + o.Handler.String()}
		for _, e := range o.Errors {
			text = append(text, e.String())
		}
		if o.Signature != "" {
			text = append(text, o.Signature)
		}
		p.annotate("error", o.Cause.Place, "Owed by "+o.Handler.Name, strings.Join(text, "\n"))
	}
	for _, u := range r.Unnoticed {
		p.annotate("notice", u.Place, "The compiler does not notice", u.Text+"\nasked of "+list(u.Handlers))
	}
	if !r.Compiled && r.Reason != "" {
		p.line("::notice title=Not compiled::%s", message.Replace(r.Reason))
	}
	p.line("%s", r.Summary())
	return p.err
}

func command(s Severity) string {
	switch s {
	case Breaks:
		return "error"
	case MayBreak:
		return "warning"
	}
	return "notice"
}

// How GitHub's workflow commands are escaped: message and property, as its toolkit does it.
var (
	message  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func (p *lineWriter) annotate(command string, at spec.Position, title, text string) {
	where := "file=" + property.Replace(at.File)
	if at.Line > 0 {
		where += fmt.Sprintf(",line=%d", at.Line)
	}
	if at.Column > 0 {
		where += fmt.Sprintf(",col=%d", at.Column)
	}
	p.line("::%s %s,title=%s::%s", command, where, property.Replace(title),
		message.Replace(strings.TrimSuffix(text, "; ")))
}
