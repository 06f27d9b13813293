package house

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// comparisonsOf finds where package code compares a secret in a way that stops at the first difference, whose time
// tells how much of a guess was right. It goes by names and by types: whoever adds a secret calls it what it is.
//
// Types of other modules are not looked up, which would take compiling them. A value of a type that is not known is
// judged by its name alone.
func comparisonsOf(t testing.TB, files map[string]string, ours map[string]*types.Package) (found []comparison,
	pkg *types.Package) {
	t.Helper()
	set := token.NewFileSet()
	var parsed []*ast.File
	for name, code := range files {
		file, err := parser.ParseFile(set, name, code, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	info := &types.Info{Types: make(map[ast.Expr]types.TypeAndValue)}
	config := types.Config{Importer: checked(ours), Error: func(error) {}} // other modules' names are all unknown
	pkg, _ = config.Check(parsed[0].Name.Name, set, parsed, info)
	for _, file := range parsed {
		w := &walker{info: info, set: set}
		ast.Walk(w, file)
		found = append(found, w.found...)
	}
	return found, pkg
}

// comparison is one that was found: the file, and the expression as it is written.
type comparison struct{ file, text string }

// checked knows the packages of this module and hands out empty ones for the rest.
type checked map[string]*types.Package

func (i checked) Import(name string) (*types.Package, error) {
	if pkg := i[name]; pkg != nil {
		return pkg, nil
	}
	pkg := types.NewPackage(name, path.Base(name))
	pkg.MarkComplete()
	return pkg, nil
}

type walker struct {
	info  *types.Info
	set   *token.FileSet
	found []comparison
}

// stopsEarly are functions that compare, and stop at the first difference. Of the first kind every use has to be
// explained: bytes are rarely compared for anything harmless.
var stopsEarly = map[string]bool{
	"bytes.Equal": true, "bytes.Compare": true, "bytes.EqualFold": true,
	"strings.Compare": false, "strings.EqualFold": false, "strings.Contains": false, "strings.HasPrefix": false,
	"strings.HasSuffix": false,
	"cmp.Compare":       false, "slices.Equal": false, "slices.Compare": false, "slices.Contains": false,
	"slices.Index":      false,
	"reflect.DeepEqual": false,
}

// Visit implements ast.Visitor.
func (w *walker) Visit(node ast.Node) ast.Visitor {
	switch n := node.(type) {
	case *ast.BinaryExpr:
		if (n.Op == token.EQL || n.Op == token.NEQ) && w.leaks(n.X, n.Y) {
			w.note(n)
		}
	case *ast.SwitchStmt:
		for _, clause := range n.Body.List {
			for _, value := range clause.(*ast.CaseClause).List {
				if n.Tag != nil && w.leaks(n.Tag, value) {
					w.note(n.Tag)
				}
			}
		}
	case *ast.CallExpr:
		name := types.ExprString(n.Fun)
		always, known := stopsEarly[name]
		known = known && len(n.Args) == 2
		// what kind of hash it is
		form := known && strings.HasPrefix(name, "strings.Has") && w.info.Types[n.Args[1]].Value != nil
		if known && !form && (always || w.leaks(n.Args[0], n.Args[1])) {
			w.note(n)
		}
	}
	return w
}

func (w *walker) note(e ast.Expr) {
	found := comparison{w.set.Position(e.Pos()).Filename, types.ExprString(e)}
	if !slices.Contains(w.found, found) {
		w.found = append(w.found, found)
	}
}

// leaks reports whether comparing the two tells something of a secret. That there is one at all is none.
func (w *walker) leaks(a, b ast.Expr) bool {
	return (w.secret(a) || w.secret(b)) && !w.nothing(a) && !w.nothing(b)
}

// nothing reports whether an expression is nil, "", a zero value or a number, which no text is compared with.
func (w *walker) nothing(e ast.Expr) bool {
	e = ast.Unparen(e)
	if literal, ok := e.(*ast.CompositeLit); ok {
		return len(literal.Elts) == 0
	}
	tv := w.info.Types[e]
	return tv.IsNil() || tv.Value != nil && (tv.Value.Kind() != constant.String || constant.StringVal(tv.Value) == "")
}

// secret reports whether an expression's name or type says that it is one. A constant is in the source, and none.
func (w *walker) secret(e ast.Expr) bool {
	e = ast.Unparen(e)
	tv := w.info.Types[e]
	if tv.Value != nil {
		return false
	}
	named, comparable := kind(tv.Type)
	return comparable && (named || w.named(e))
}

// secretTypes are compared by their own methods.
var secretTypes = []string{"MasterKey", "Key", "chain"}

// kind looks at a type: whether it is a secret's, and whether values of it hold text or bytes at all.
func kind(t types.Type) (secret, text bool) {
	if t == nil || t == types.Typ[types.Invalid] {
		return false, true
	}
	if named, ok := t.(*types.Named); ok && slices.Contains(secretTypes, named.Obj().Name()) {
		return true, true
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return false, u.Info()&types.IsString != 0
	case *types.Slice:
		return bytesOf(u.Elem())
	case *types.Array:
		return bytesOf(u.Elem())
	}
	return false, false
}

func bytesOf(element types.Type) (secret, text bool) {
	if types.Identical(element.Underlying(), types.Typ[types.Byte]) {
		return false, true
	}
	return kind(element)
}

// named looks at the last name of an expression, and into what a call is given: normal(password) is one,
// token.Location() is not.
func (w *walker) named(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return secretName(e.Name)
	case *ast.SelectorExpr:
		return secretName(e.Sel.Name)
	case *ast.StarExpr:
		return w.named(e.X)
	case *ast.IndexExpr:
		return w.named(e.X)
	case *ast.SliceExpr:
		return w.named(e.X)
	case *ast.BinaryExpr:
		return w.named(e.X) || w.named(e.Y)
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.Ident); ok && f.Name == "len" {
			return false
		}
		return w.named(e.Fun) || slices.ContainsFunc(e.Args, w.named)
	}
	return false
}

// secretWords are the words of a name that say so. A session's id is one of a user-interactive session, whose holder
// goes on.
var secretWords = []string{"password", "passwords", "passwd", "hash", "hashes", "secret", "secrets", "signature", "sig",
	"mac", "hmac",
	"digest", "pepper", "proof", "token", "tokens", "credential", "bearer", "nonce", "session", "reservation", "access",
	"refresh"}

// secretName splits a name into words, PasswordHash into password and hash.
func secretName(name string) bool {
	var words []string
	start := 0
	for i, r := range name {
		if i > 0 && (unicode.IsUpper(r) && !unicode.IsUpper(rune(name[i-1])) || r == '_') {
			words, start = append(words, name[start:i]), i
		}
	}
	return slices.ContainsFunc(append(words, name[start:]), func(word string) bool {
		return slices.Contains(secretWords, strings.ToLower(strings.Trim(word, "_")))
	})
}
