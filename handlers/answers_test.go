package handlers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnswersAreWhole: Go lets a struct literal leave a field out, so a response field that the contract makes
// required would go out empty and nobody would notice. Every answer a handler builds must name the required ones.
func TestAnswersAreWhole(t *testing.T) {
	t.Parallel()
	required := requiredFields(t, filepath.Join("..", "gen", "gen.go"))
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(parse(t, file), func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			of, ok := literal.Type.(*ast.SelectorExpr)
			if !ok || !strings.HasSuffix(of.Sel.Name, "JSONResponse") {
				return true
			}
			found++
			for _, field := range required[of.Sel.Name] {
				if !names(literal, field) {
					t.Errorf("%s: %s is built without %s, which the contract requires", file, of.Sel.Name, field)
				}
			}
			return true
		})
	}
	if found < 8 {
		t.Errorf("only %d answers were found", found)
	}
}

// requiredFields reads the generated types: a field without omitempty is required. It follows
// `type Login200JSONResponse LoginResponse` to the struct.
func requiredFields(t *testing.T, file string) map[string][]string {
	t.Helper()
	structs, same := make(map[string][]string), make(map[string]string)
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		switch of := spec.Type.(type) {
		case *ast.Ident:
			same[spec.Name.Name] = of.Name
		case *ast.StructType:
			for _, field := range of.Fields.List {
				if field.Tag != nil && len(field.Names) == 1 && !strings.Contains(field.Tag.Value, "omitempty") {
					structs[spec.Name.Name] = append(structs[spec.Name.Name], field.Names[0].Name)
				}
			}
		}
		return true
	})
	fields := make(map[string][]string)
	for name, of := range same {
		fields[name] = structs[of]
	}
	return fields
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func names(literal *ast.CompositeLit, field string) bool {
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		if key, ok := pair.Key.(*ast.Ident); ok && key.Name == field {
			return true
		}
	}
	return false
}
