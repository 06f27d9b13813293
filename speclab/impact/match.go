package impact

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// blame finds which differences an error of the compiler comes from. The compiler names types and fields in most of its
// messages; where it names only Go's own types ("cannot use … as string"), the code at the place tells which field it
// is about.
type blame struct {
	differences []difference
	old, now    *symbols
	handlers    *implementation
	used        map[string][]string // types, by the method of their operation
}

// said is what an error is about: the types and fields that the message or the code names.
type said struct {
	types, fields []string
	keyed         map[string]string // fields in composite literals, with the literal's type
	function      string            // the method around the place
	method        string            // that the message says is missing
}

var (
	genType       = regexp.MustCompile(`\bgen\.(\w+)`)
	selected      = regexp.MustCompile(`\.(\w+)\b`)
	missingMethod = regexp.MustCompile(`missing method (\w+)`)
	unknownField  = regexp.MustCompile(`(?:unknown field|has no field or method) (\w+)`)
)

// read gathers what an error is about.
func (b *blame) read(e CompileError, nodes []ast.Node) said {
	s := said{keyed: make(map[string]string)}
	for _, m := range genType.FindAllStringSubmatch(e.Message, -1) {
		s.types = append(s.types, m[1])
	}
	if m := missingMethod.FindStringSubmatch(e.Message); m != nil {
		s.method = m[1]
	}
	if m := unknownField.FindStringSubmatch(e.Message); m != nil {
		s.fields = []string{m[1]}
		return s
	}
	for _, m := range selected.FindAllStringSubmatch(e.Message, -1) {
		s.fields = append(s.fields, m[1])
	}
	for i, n := range nodes {
		switch n := n.(type) {
		case *ast.FuncDecl:
			s.function = n.Name.Name
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && i > 0 {
				if literal, ok := nodes[i-1].(*ast.CompositeLit); ok {
					s.keyed[key.Name] = strings.TrimPrefix(source(orNil(literal.Type)), "gen.")
				}
			}
		case *ast.SelectorExpr:
			s.fields = append(s.fields, n.Sel.Name)
		}
	}
	if len(nodes) > 0 { // selectors that begin at the place, or stand on the left of an assignment
		if statement := statementOf(nodes); statement != nil {
			ast.Inspect(statement, func(n ast.Node) bool {
				if x, ok := n.(*ast.SelectorExpr); ok {
					s.fields = append(s.fields, x.Sel.Name)
				}
				return true
			})
		}
	}
	return s
}

// orNil lets a missing type be printed.
func orNil(e ast.Expr) ast.Node {
	if e == nil {
		return ast.NewIdent("")
	}
	return e
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

// How sure it is that an error comes from a difference.
const (
	unrelated = iota
	perhaps   // it is about the type of the field
	likely    // it is about a field of that name
	probable  // … in an operation that uses the type
	certain   // it names the type and the field, or the symbol itself
)

// causes are the differences that an error comes from.
func (b *blame) causes(e CompileError, nodes []ast.Node) (found []difference) {
	s, best := b.read(e, nodes), unrelated
	for _, d := range b.differences {
		switch sure := b.judge(d, s); {
		case sure == unrelated || sure < best:
		case sure > best:
			found, best = []difference{d}, sure
		default:
			found = append(found, d)
		}
	}
	return found
}

func (b *blame) judge(d difference, s said) int {
	named := slices.ContainsFunc(s.types, func(typ string) bool { return b.same(typ, d.typ) })
	switch {
	case d.method != "":
		if s.method == d.method {
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
	case b.same(s.keyed[d.field], d.typ):
		return certain
	case slices.Contains(s.fields, d.field) && named:
		return certain
	case slices.Contains(s.fields, d.field) && b.uses(s.function, d.typ):
		return probable
	case slices.Contains(s.fields, d.field):
		return likely
	case named:
		return perhaps
	}
	return unrelated
}

// same reports whether a type is another, or a copy of it, in the old code or in the new.
func (b *blame) same(typ, other string) bool {
	if typ == "" {
		return false
	}
	for _, s := range []*symbols{b.old, b.now} {
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

// uses reports whether the operation that a method implements has a type in its requests or answers.
func (b *blame) uses(method, typ string) bool {
	if method == "" {
		return false
	}
	if b.used == nil {
		b.used = make(map[string][]string)
	}
	names, known := b.used[method]
	if !known {
		for _, s := range []*symbols{b.old, b.now} {
			for name := range s.types {
				if rest, its := strings.CutPrefix(name, method); its && ofOperation.MatchString(rest) {
					names = append(names, name)
				}
			}
		}
		b.used[method] = names
	}
	return slices.ContainsFunc(names, func(name string) bool { return b.same(name, typ) })
}
