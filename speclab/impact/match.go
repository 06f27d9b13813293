package impact

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// matcher finds the differences of the generated code that a compile error comes from. Most messages name types and
// fields; where one names only Go's own types ("cannot use … as string"), the source at its place shows which field it
// is about.
type matcher struct {
	differences []difference
	old, now    *symbols
	used        map[string][]string // types of an operation, by its method: see operationUses
}

// mentions are the types and fields that the message of an error, or the source at its place, names.
type mentions struct {
	types, fields []string
	keyed         map[string]string // fields in composite literals, with the literal's type
	function      string            // that the place is in
	missing       string            // a method, by the message
}

var (
	genType       = regexp.MustCompile(`\bgen\.(\w+)`)
	selected      = regexp.MustCompile(`\.(\w+)\b`)
	missingMethod = regexp.MustCompile(`missing method (\w+)`)
	unknownField  = regexp.MustCompile(`(?:unknown field|has no field or method) (\w+)`)
)

// mentionsIn reads a compile error; the nodes are those around its place in the source.
func (m *matcher) mentionsIn(e CompileError, nodes []ast.Node) mentions {
	s := mentions{keyed: make(map[string]string)}
	for _, m := range genType.FindAllStringSubmatch(e.Message, -1) {
		s.types = append(s.types, m[1])
	}
	if m := missingMethod.FindStringSubmatch(e.Message); m != nil {
		s.missing = m[1]
	}
	if m := unknownField.FindStringSubmatch(e.Message); m != nil {
		s.fields = []string{m[1]}
		return s
	}
	for _, m := range selected.FindAllStringSubmatch(e.Message, -1) {
		s.fields = append(s.fields, m[1])
	}
	s.readSource(nodes)
	return s
}

// readSource adds what the nodes around the place name, and what the statement does that they are in.
func (s *mentions) readSource(nodes []ast.Node) {
	for i, n := range nodes {
		switch n := n.(type) {
		case *ast.FuncDecl:
			s.function = n.Name.Name
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && i > 0 {
				if literal, ok := nodes[i-1].(*ast.CompositeLit); ok {
					s.keyed[key.Name] = strings.TrimPrefix(sourceOrEmpty(literal.Type), "gen.")
				}
			}
		case *ast.SelectorExpr:
			s.fields = append(s.fields, n.Sel.Name)
		}
	}
	// selectors that begin at the place, or are on the left of an assignment
	if statement := statementOf(nodes); statement != nil {
		ast.Inspect(statement, func(n ast.Node) bool {
			if x, ok := n.(*ast.SelectorExpr); ok {
				s.fields = append(s.fields, x.Sel.Name)
			}
			return true
		})
	}
}

// sourceOrEmpty is an expression as it is written, or nothing when there is none.
func sourceOrEmpty(e ast.Expr) string {
	if e == nil {
		return ""
	}
	return source(e)
}

// statementOf is the innermost statement that holds no others.
func statementOf(nodes []ast.Node) ast.Node {
	for _, n := range slices.Backward(nodes) {
		switch n.(type) {
		case *ast.BlockStmt, *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.CaseClause, *ast.FuncDecl:
			return nil
		case ast.Stmt:
			return n
		}
	}
	return nil
}

// How certain it is that an error comes from a difference.
const (
	unrelated = iota
	perhaps   // it is about the type of the field
	likely    // it is about a field of that name
	probable  // … in an operation that uses the type
	certain   // it names the type and the field, or the symbol itself
)

// causes are the differences that an error most certainly comes from.
func (m *matcher) causes(e CompileError, nodes []ast.Node) (found []difference) {
	s, best := m.mentionsIn(e, nodes), unrelated
	for _, d := range m.differences {
		switch certainty := m.certaintyOf(d, s); {
		case certainty == unrelated || certainty < best:
		case certainty > best:
			found, best = []difference{d}, certainty
		default:
			found = append(found, d)
		}
	}
	return found
}

func (m *matcher) certaintyOf(d difference, s mentions) int {
	named := slices.ContainsFunc(s.types, func(typ string) bool { return m.sameType(typ, d.typ) })
	switch {
	case d.method != "":
		if s.missing == d.method {
			return certain
		}
	case d.field == "":
		switch {
		case !slices.Contains(s.types, d.typ):
		case d.kind == retyped: // unless it is one of its fields
			return likely
		default:
			return certain
		}
	case m.sameType(s.keyed[d.field], d.typ):
		return certain
	case slices.Contains(s.fields, d.field) && named:
		return certain
	case slices.Contains(s.fields, d.field) && m.operationUses(s.function, d.typ):
		return probable
	case slices.Contains(s.fields, d.field):
		return likely
	case named:
		return perhaps
	}
	return unrelated
}

// sameType reports whether a type is another, or a copy of it, in the old code or in the new.
func (m *matcher) sameType(typ, other string) bool {
	if typ == "" {
		return false
	}
	for _, s := range []*symbols{m.old, m.now} {
		name := typ
		for range 20 {
			if name == other {
				return true
			}
			t := s.types[name]
			if t == nil || t.base == "" {
				break
			}
			name = t.base
		}
	}
	return false
}

// operationUses reports whether the operation that a method implements has a type in its requests or answers.
func (m *matcher) operationUses(method, typ string) bool {
	if method == "" {
		return false
	}
	if m.used == nil {
		m.used = make(map[string][]string)
	}
	names, known := m.used[method]
	if !known {
		for _, s := range []*symbols{m.old, m.now} {
			for name := range s.types {
				if rest, its := strings.CutPrefix(name, method); its && ofOperation.MatchString(rest) {
					names = append(names, name)
				}
			}
		}
		m.used[method] = names
	}
	return slices.ContainsFunc(names, func(name string) bool { return m.sameType(name, typ) })
}
