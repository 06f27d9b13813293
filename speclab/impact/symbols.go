package impact

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"reflect"
	"strings"
)

// symbols are what handlers see of the generated code: the types with their fields, and the methods to implement.
type symbols struct {
	types      map[string]*goType
	methods    map[string]string // of StrictServerInterface, with their signatures
	operations []operation
	byName     map[string]*operation // by the name of its method
	lines      []declared            // for errors in the generated code itself
}

// goType is a type of the generated code.
type goType struct {
	name   string
	of     string // what it is made of
	base   string // the type of the same package that it is another name or a copy of
	fields []goField
}

// goField is a field with its type and its name in JSON.
type goField struct{ name, of, json string }

// declared is a declaration of a type or of a method of a type.
type declared struct {
	first, last int
	name        string
}

// strictServer is the interface that the handlers implement.
const strictServer = "StrictServerInterface"

// readSymbols reads generated code.
func readSymbols(code string, operations []operation) (*symbols, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "gen.go", code, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("the generated code: %w", err)
	}
	s := &symbols{types: make(map[string]*goType), methods: make(map[string]string), operations: operations,
		byName: make(map[string]*operation)}
	for i := range operations {
		s.byName[operations[i].goName] = &operations[i]
	}
	for _, decl := range file.Decls {
		name := receiver(decl)
		if gen, ok := decl.(*ast.GenDecl); ok {
			for _, one := range gen.Specs {
				if t, ok := one.(*ast.TypeSpec); ok {
					name = t.Name.Name
					s.add(t)
				}
			}
		}
		s.lines = append(s.lines, declared{fset.Position(decl.Pos()).Line, fset.Position(decl.End()).Line, name})
	}
	return s, nil
}

func (s *symbols) add(spec *ast.TypeSpec) {
	t := &goType{name: spec.Name.Name, of: source(spec.Type)}
	s.types[t.name] = t
	switch of := spec.Type.(type) {
	case *ast.Ident:
		t.base = of.Name
	case *ast.StructType:
		for _, field := range of.Fields.List {
			t.addField(field)
		}
	case *ast.InterfaceType:
		for _, method := range of.Methods.List {
			if t.name == strictServer && len(method.Names) == 1 {
				s.methods[method.Names[0].Name] = source(method.Type)
			}
		}
	}
}

func (t *goType) addField(field *ast.Field) {
	tag := ""
	if field.Tag != nil {
		tag = reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json")
		tag, _, _ = strings.Cut(tag, ",")
	}
	if len(field.Names) == 0 { // embedded: a response of the components
		t.fields = append(t.fields, goField{source(field.Type), source(field.Type), ""})
	}
	for _, name := range field.Names {
		t.fields = append(t.fields, goField{name.Name, source(field.Type), tag})
	}
}

// root is the type that has the fields of the type: itself, or what it is a copy of.
func (s *symbols) root(name string) *goType {
	for range 20 {
		t := s.types[name]
		if t == nil || t.base == "" || s.types[t.base] == nil {
			return t
		}
		name = t.base
	}
	return nil
}

// field is the field of a type, or of one that it embeds.
func (t *goType) field(name string) (goField, bool) {
	for _, f := range t.fields {
		if f.name == name {
			return f, true
		}
	}
	return goField{}, false
}

// typeAtLine is the type that is declared at a line of the code.
func (s *symbols) typeAtLine(line int) string {
	for _, d := range s.lines {
		if d.first <= line && line <= d.last {
			return d.name
		}
	}
	return ""
}

// receiver is the type of a method, or the name of a function.
func receiver(decl ast.Decl) string {
	f, ok := decl.(*ast.FuncDecl)
	switch {
	case !ok:
		return ""
	case f.Recv == nil || len(f.Recv.List) == 0:
		return f.Name.Name
	}
	return strings.TrimPrefix(source(f.Recv.List[0].Type), "*")
}

// source is a part of a program as it is written.
func source(node ast.Node) string {
	var text strings.Builder
	_ = printer.Fprint(&text, token.NewFileSet(), node)
	return text.String()
}
