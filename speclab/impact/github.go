package impact

import (
	"fmt"
	"io"
	"strings"
)

// WriteGitHub writes the report as workflow commands: annotations that GitHub shows at the lines of the spec.
func (r *Report) WriteGitHub(w io.Writer) error {
	p := &lineWriter{w: w}
	for _, a := range r.annotations() {
		p.annotate(a)
	}
	if len(r.Problems) > 0 {
		return p.err
	}
	if !r.Compiled && r.Reason != "" {
		p.line("::notice title=Not compiled::%s", message.Replace(r.Reason))
	}
	p.line("%s", r.Summary())
	return p.err
}

// GitHubError is the annotation for what kept the report from being made, such as a spec that is not there.
func GitHubError(err error) string {
	return "::error title=The spec cannot be used::" + message.Replace(err.Error())
}

// How GitHub's workflow commands are escaped: message and property, as its toolkit does it.
var (
	message  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func (p *lineWriter) annotate(a annotation) {
	where := "file=" + property.Replace(a.at.File)
	if a.at.Line > 0 {
		where += fmt.Sprintf(",line=%d", a.at.Line)
	}
	if a.at.Column > 0 {
		where += fmt.Sprintf(",col=%d", a.at.Column)
	}
	p.line("::%s %s,title=%s::%s", a.level, where, property.Replace(a.title), message.Replace(a.text))
}
