package impact

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// tasksFor makes a task of the compile errors that have one cause and are in one handler.
func (c *check) tasksFor(found []CompileError) []Task {
	d := compareSymbols(c.old, c.now, func(s *symbols) *mapping {
		if s == c.old {
			return newMapping(c.revision.contract.forGenerator, s)
		}
		return newMapping(c.revision.forGenerator, s)
	})
	l := &taskList{check: c, operations: operationNames(c.old, c.now),
		matcher: &matcher{differences: d, old: c.old, now: c.now}}
	l.addMissingMethods(d, found)
	for _, e := range found {
		method := ""
		if m := missingMethod.FindStringSubmatch(e.Message); m != nil {
			method = m[1]
		}
		switch {
		case l.now.methods[method] == "": // of no operation
			l.addError(e)
		case !slices.ContainsFunc(d, func(one difference) bool { return one.method == method }):
			l.addLostMethod(method, e)
		}
	}
	return l.tasks
}

// taskList makes tasks of compile errors.
type taskList struct {
	*check
	matcher    *matcher
	operations map[string]string // ids by method
	tasks      []Task
}

// operationNames are the ids of operations by their methods.
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

// addMissingMethods adds a task for each operation without a method. The compiler names only the first of them.
func (l *taskList) addMissingMethods(all []difference, found []CompileError) {
	for _, d := range all {
		if d.method == "" || d.kind == removed {
			continue
		}
		if _, there := l.handlers.methods[d.method]; there {
			continue
		}
		var errs []CompileError
		for _, e := range found {
			if m := missingMethod.FindStringSubmatch(e.Message); m != nil && m[1] == d.method {
				errs = append(errs, e)
			}
		}
		owner := l.handlers.server
		if h, renamed := l.handlerOf(d.part); renamed { // the operation had another name
			owner = h
		}
		owner.Operation = l.operations[d.method]
		l.tasks = append(l.tasks, Task{Cause: l.revision.cause(d, l.operations), Handler: owner, Errors: errs,
			Signature: l.signature(d.method)})
	}
}

// addLostMethod adds a task for an operation that did not change, and whose method is gone.
func (l *taskList) addLostMethod(method string, e CompileError) {
	at := newMapping(l.revision.forGenerator, l.now).method(method)
	owner := l.handlers.server
	owner.Operation = l.operations[method]
	l.addTask(e, Task{Cause: Cause{Part: Part{at, l.revision.position(at)},
		Text: "the operation " + owner.Operation + " has no handler"}, Handler: owner, Signature: l.signature(method)})
}

// signature is a method that compiles and answers that it is not implemented yet.
func (l *taskList) signature(method string) string {
	params := word.ReplaceAllStringFunc(strings.TrimPrefix(l.now.methods[method], "func"),
		func(name string) string {
			switch {
			case name == "ctx" || name == "request":
				return "_"
			case l.now.types[name] != nil:
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

// addError adds an error to a task for each of its causes.
func (l *taskList) addError(e CompileError) {
	nodes := l.handlers.nodesAt(e.File, e.Line, e.Column)
	causes := l.matcher.causes(e, nodes)
	if len(causes) == 0 {
		l.addTask(e, Task{Cause: l.unexplained(e, nodes), Handler: l.handlerOfError(e, nodes, nil)})
	}
	for _, d := range causes {
		l.addTask(e, Task{Cause: l.revision.cause(d, l.operations), Handler: l.handlerOfError(e, nodes, &d)})
	}
}

// addTask adds an error to the task that it belongs to.
func (l *taskList) addTask(e CompileError, t Task) {
	for i, o := range l.tasks {
		if o.Handler.Name == t.Handler.Name && o.Handler.File == t.Handler.File &&
			slices.Equal(o.Cause.Pointer, t.Cause.Pointer) && o.Cause.Text == t.Cause.Text {
			l.tasks[i].Errors = append(l.tasks[i].Errors, e)
			return
		}
	}
	t.Errors = []CompileError{e}
	l.tasks = append(l.tasks, t)
}

// unexplained is the cause of an error that comes from no changed symbol: a type that is new, or the operation that the
// handler implements.
func (l *taskList) unexplained(e CompileError, nodes []ast.Node) Cause {
	at, m := pointer{"paths"}, newMapping(l.revision.forGenerator, l.now)
	for _, name := range genType.FindAllStringSubmatch(e.Message, -1) {
		if t := name[1]; l.now.types[t] != nil && l.old.types[t] == nil {
			at = m.typ(t)
			return Cause{Part: Part{at, l.revision.position(at)},
				Text: l.revision.describe(l.revision.forGenerator, at) + " is new"}
		}
	}
	for _, n := range nodes {
		if f, is := n.(*ast.FuncDecl); is && slices.Contains(implementers, receiver(f)) {
			at = m.method(f.Name.Name)
		}
	}
	return Cause{Part: Part{at, l.revision.position(at)},
		Text: "the compiler does not say which change this comes from"}
}

// handlerOfError is the function that an error is in. An error outside of functions belongs to the handler of the
// operation whose types it names.
func (l *taskList) handlerOfError(e CompileError, nodes []ast.Node, d *difference) Handler {
	if h, ok := l.handlers.functionAt(e.File, nodes); ok {
		if method := h.Name[strings.LastIndex(h.Name, ".")+1:]; l.handlers.methods[method].Name == h.Name {
			h.Operation = l.operations[method]
		}
		return h
	}
	names := genType.FindAllStringSubmatch(e.Message, -1)
	if d != nil {
		names = append(names, []string{"", d.typ})
	}
	for _, name := range names {
		for _, s := range []*symbols{l.old, l.now} {
			if o, _ := s.operationOf(name[1]); o != nil {
				if h, there := l.handlers.methods[o.goName]; there {
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
