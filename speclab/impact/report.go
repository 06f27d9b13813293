package impact

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"postern/speclab/spec"
)

// Report is all that a check found.
type Report struct {
	Changes []Change `json:"changes"`
	// LeftAlone counts operations of the contract that the spec, being a part of the API, does not mention.
	LeftAlone int            `json:"left_alone"`
	Compiled  bool           `json:"compiled"`
	Reason    string         `json:"reason,omitempty"` // why it was not compiled
	Tasks     []Task         `json:"owed"`
	Unnoticed []Unnoticed    `json:"unnoticed"`
	Gaps      []spec.Problem `json:"gaps"`     // warnings: see [spec.API.Warnings]
	Problems  []spec.Problem `json:"problems"` // why the spec cannot be used; then all the rest is empty

	operations []operation // that are changed
	alone      bool        // there are no handlers: see [Diff]
	oldGaps    int         // warnings of the edited spec that the old one has too
}

// Task is what a handler must change for one cause.
type Task struct {
	Cause     Cause          `json:"cause"`
	Handler   Handler        `json:"handler"`
	Errors    []CompileError `json:"errors"`
	Signature string         `json:"signature,omitempty"` // a method that is missing, ready to paste
}

// ExitStatus is that of a command which has printed the report: 2 when the spec cannot be used, 1 when anything breaks
// clients or a handler must change.
func (r *Report) ExitStatus() int {
	switch {
	case len(r.Problems) > 0:
		return 2
	case len(r.Tasks) > 0 || r.count(Breaks) > 0:
		return 1
	}
	return 0
}

func (r *Report) count(s Severity) (n int) {
	for _, c := range r.Changes {
		if c.Severity == s {
			n++
		}
	}
	return n
}

// WriteJSON writes the report as one JSON object; the fields' names are in the types of this package.
func (r *Report) WriteJSON(w io.Writer) error {
	type counts struct {
		Breaks    int `json:"breaks_clients"`
		MayBreak  int `json:"may_break_clients"`
		Harmless  int `json:"does_not_break_clients"`
		Owed      int `json:"owed"`
		Unnoticed int `json:"unnoticed"`
	}
	shown := *r
	filled(&shown.Changes)
	filled(&shown.Tasks)
	filled(&shown.Unnoticed)
	filled(&shown.Gaps)
	filled(&shown.Problems)
	return writeJSON(w, struct {
		*Report
		Counts counts `json:"counts"`
	}{&shown, counts{r.count(Breaks), r.count(MayBreak), r.count(Harmless), len(r.Tasks), len(r.Unnoticed)}})
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// filled makes an empty list of none, so that a reader never meets null.
func filled[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	p := &lineWriter{w: w}
	for _, problem := range r.Problems {
		p.line("%s", problem)
	}
	if len(r.Problems) > 0 {
		p.line("%s: the spec cannot be used", plural(len(r.Problems), "problem"))
		return p.err
	}
	for _, gap := range r.Gaps {
		p.line("%s", gap.Warning())
	}
	r.writeChanges(p)
	r.writeTasks(p)
	p.line("%s", r.Summary())
	return p.err
}

// lineWriter writes lines until the first error.
type lineWriter struct {
	w   io.Writer
	err error
}

func (p *lineWriter) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (r *Report) writeChanges(p *lineWriter) {
	var last Severity
	for _, c := range r.Changes {
		if c.Severity != last {
			last = c.Severity
			p.line("%s", capital(string(last)))
		}
		p.line("  %s: %s", c.Place, c.Text)
		if where := c.where(); where != "" {
			p.line("      in %s", where)
		}
	}
	if len(r.Changes) > 0 {
		p.line("")
	}
}

// where lists the operations that a change is seen in, or the first of many.
func (c Change) where() string {
	const shown = 3
	if len(c.Operations) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(c.Operations[:shown], ", "), len(c.Operations)-shown)
	}
	return strings.Join(c.Operations, ", ")
}

func (r *Report) writeTasks(p *lineWriter) {
	if len(r.Tasks) > 0 {
		p.line("Owed by the handlers")
	}
	for _, o := range r.Tasks {
		p.line("  %s: %s", o.Cause.Place, o.Cause.Text)
		if o.Cause.Was != nil {
			p.line("      in the contract: %s", o.Cause.Was.Place)
		}
		p.line("      owed by %s", o.Handler)
		for _, e := range o.Errors {
			p.line("      %s", strings.ReplaceAll(e.String(), "\n", "\n      "))
		}
		if o.Signature != "" {
			p.line("      to paste:")
			p.line("%s", indent(o.Signature, "        "))
		}
	}
	if len(r.Tasks) > 0 {
		p.line("")
	}
	if len(r.Unnoticed) > 0 {
		p.line("The compiler does not notice")
	}
	for _, u := range r.Unnoticed {
		p.line("  %s: %s", u.Place, u.Text)
		p.line("      asked of %s", list(u.Handlers))
	}
	if len(r.Unnoticed) > 0 {
		p.line("")
	}
	if !r.Compiled && r.Reason != "" {
		p.line("What the handlers owe was not compiled: %s", r.Reason)
	}
}

// Summary is the report in one line.
func (r *Report) Summary() string {
	text := fmt.Sprintf("%s: %d break clients, %d may, %d do not", plural(len(r.Changes), "change"),
		r.count(Breaks), r.count(MayBreak), r.count(Harmless))
	if r.alone {
		if r.oldGaps > 0 {
			text += fmt.Sprintf("; %s that the old spec has too", plural(r.oldGaps, "warning"))
		}
		return text
	}
	owed := plural(len(r.Tasks), "thing") + " owed"
	if !r.Compiled {
		owed = "not compiled"
	}
	text += fmt.Sprintf("; %s; %d more that the compiler does not notice", owed, len(r.Unnoticed))
	if r.LeftAlone > 0 {
		text += fmt.Sprintf("; %s of the contract left alone (--whole compares these too)",
			plural(r.LeftAlone, "operation"))
	}
	return text
}

func list(handlers []Handler) string {
	const shown = 3
	var names []string
	for _, h := range handlers[:min(shown, len(handlers))] {
		names = append(names, h.String())
	}
	if more := len(handlers) - shown; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func indent(text, by string) string { return by + strings.ReplaceAll(text, "\n", "\n"+by) }

// taskText is what the handlers must change, for people.
func (r *Report) taskText() string {
	var text strings.Builder
	r.writeTasks(&lineWriter{w: &text})
	return text.String()
}

// unnoticedText is what the compiler does not notice, for people.
func (r *Report) unnoticedText() string {
	var text strings.Builder
	(&Report{Unnoticed: r.Unnoticed, Compiled: true}).writeTasks(&lineWriter{w: &text})
	return text.String()
}
