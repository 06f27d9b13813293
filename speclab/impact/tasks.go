package impact

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// debts leads the compiler's errors back to the spec, and gathers those with one cause in one handler.
func (c *check) debts(found []CompileError) []Owed {
	d := differences(c.old, c.now, func(s *symbols) *mapping {
		if s == c.old {
			return newMapping(c.revision.contract.made, s)
		}
		return newMapping(c.revision.made, s)
	})
	l := &ledger{check: c, operations: operationNames(c.old, c.now),
		blame: blame{differences: d, old: c.old, now: c.now, handlers: c.handlers}}
	l.missing(d, found)
	for _, e := range found {
		if !missingMethod.MatchString(e.Message) {
			l.add(e)
		}
	}
	return l.debts
}

// ledger gathers what is owed.
type ledger struct {
	*check
	blame
	operations map[string]string // ids by method
	debts      []Owed
}

// operationNames are the ids of operations by their method.
func operationNames(all ...*symbols) map[string]string {
	names := make(map[string]string)
	for _, s := range all {
		for _, o := range s.operations {
			names[o.goName] = o.name
			if o.name == "" {
				names[o.goName] = strings.ToUpper(o.at[2]) + " " + o.at[1]
			}
		}
	}
	return names
}

// missing notes the operations that have no method. The compiler names only the first of them.
func (l *ledger) missing(all []difference, found []CompileError) {
	for _, d := range all {
		if d.method == "" || d.kind == removed {
			continue
		}
		if _, there := l.check.handlers.methods[d.method]; there {
			continue
		}
		var errs []CompileError
		for _, e := range found {
			if m := missingMethod.FindStringSubmatch(e.Message); m != nil && m[1] == d.method {
				errs = append(errs, e)
			}
		}
		owner := l.check.handlers.server
		if h, renamed := l.handlerOf(d.part); renamed { // which does the work of it under another name
			owner = h
		}
		owner.Operation = l.operations[d.method]
		l.debts = append(l.debts, Owed{Cause: l.revision.cause(d, l.operations), Handler: owner, Errors: errs,
			Signature: l.signature(d.method)})
	}
}

// signature is a method that compiles and says honestly that it does nothing yet.
func (l *ledger) signature(method string) string {
	params := word.ReplaceAllStringFunc(strings.TrimPrefix(l.check.now.methods[method], "func"),
		func(name string) string {
			switch {
			case name == "ctx" || name == "request":
				return "_"
			case l.check.now.types[name] != nil:
				return "gen." + name
			}
			return name
		})
	return fmt.Sprintf("func (s *Server) %s%s {\n\treturn nil, &Error{Status: 501, Code: \"M_UNRECOGNIZED\", "+
		"Message: %q}\n}",
		method, params, l.operations[method]+" is not implemented yet.")
}

// word is a name of Go with its package, if it has one.
var word = regexp.MustCompile(`[\w.]+`)

// add notes an error with each of its causes.
func (l *ledger) add(e CompileError) {
	nodes := l.check.handlers.enclosing(e.File, e.Line, e.Column)
	causes := l.causes(e, nodes)
	if len(causes) == 0 {
		l.note(l.unknown(e, nodes), l.owner(e, nodes, nil), e)
	}
	for _, d := range causes {
		l.note(l.revision.cause(d, l.operations), l.owner(e, nodes, &d), e)
	}
}

func (l *ledger) note(cause Cause, owner Handler, e CompileError) {
	for i, o := range l.debts {
		if o.Handler.Name == owner.Name && o.Handler.File == owner.File &&
			slices.Equal(o.Cause.Pointer, cause.Pointer) && o.Cause.Text == cause.Text {
			l.debts[i].Errors = append(l.debts[i].Errors, e)
			return
		}
	}
	l.debts = append(l.debts, Owed{Cause: cause, Handler: owner, Errors: []CompileError{e}})
}

// unknown is the cause of an error that no changed symbol explains: a type that is new, or the operation that the
// handler implements.
func (l *ledger) unknown(e CompileError, nodes []ast.Node) Cause {
	at, m := pointer{"paths"}, newMapping(l.revision.made, l.check.now)
	for _, name := range genType.FindAllStringSubmatch(e.Message, -1) {
		if t := name[1]; l.check.now.types[t] != nil && l.check.old.types[t] == nil {
			at = m.typ(t)
			return Cause{Part: Part{at, placeOf(l.revision.position(at))},
				Text: l.revision.name(l.revision.made, at) + " is new"}
		}
	}
	for _, n := range nodes {
		if f, is := n.(*ast.FuncDecl); is && receiver(f) == "Server" {
			at = m.method(f.Name.Name)
		}
	}
	return Cause{Part: Part{at, placeOf(l.revision.position(at))},
		Text: "the compiler does not say which change this comes from"}
}

// owner is the handler that an error is in. What stands outside of functions belongs to the operation whose types it
// names.
func (l *ledger) owner(e CompileError, nodes []ast.Node, d *difference) Handler {
	if h, ok := l.check.handlers.at(e.File, nodes); ok {
		h.Operation = l.operations[strings.TrimPrefix(h.Name, "(*Server).")]
		return h
	}
	names := genType.FindAllStringSubmatch(e.Message, -1)
	if d != nil {
		names = append(names, []string{"", d.typ})
	}
	for _, name := range names {
		for _, s := range []*symbols{l.check.old, l.check.now} {
			if o, _ := s.operationOf(name[1]); o != nil {
				if h, there := l.check.handlers.methods[o.goName]; there {
					h.Operation = l.operations[o.goName]
					return h
				}
			}
		}
	}
	return Handler{Name: e.File, File: e.File, Line: e.Line}
}

// handlerOf is the method that implements an operation.
func (c *check) handlerOf(operation pointer) (Handler, bool) {
	for _, s := range []*symbols{c.now, c.old} {
		for _, o := range s.operations {
			if h, found := c.handlers.methods[o.goName]; found && slices.Equal(o.at, operation) {
				h.Operation = o.name
				return h, true
			}
		}
	}
	return Handler{}, false
}
