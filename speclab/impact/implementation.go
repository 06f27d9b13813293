package impact

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// implementation is the source of the handlers, and of the packages beside them that implement operations.
type implementation struct {
	fset    *token.FileSet
	files   map[string]*ast.File // by path from the module's folder: handlers/login.go
	methods map[string]Handler   // of the types that implement operations, by name
	server  Handler              // the type itself, which must get the methods that are missing
}

// Handler is a function of the handlers, or the type Server.
type Handler struct {
	Name string `json:"name"`
	// the operation that it implements, by its id in the contract or the spec
	Operation string `json:"operation,omitempty"`
	File      string `json:"file"`
	Line      int    `json:"line"`
}

// String is the handler with its place.
func (h Handler) String() string { return fmt.Sprintf("%s (%s:%d)", h.Name, h.File, h.Line) }

// handlersFolder is where a module of Postern keeps the handlers.
const handlersFolder = "handlers"

// implementing are the folders of the packages that use the generated code, each after those that it imports. The
// compiler looks into a package only when those are good.
var implementing = []string{handlersFolder, "oauth/rendezvous", "oauth", "homeserver/adminapi", "homeserver"}

// implementers are the types whose methods are operations.
var implementers = []string{"Server", "API", "Mailboxes"}

// foldersIn are those of some folders that a module has.
func foldersIn(module string, some []string) (folders []string) {
	for _, folder := range some {
		if info, err := os.Stat(filepath.Join(module, folder)); err == nil && info.IsDir() {
			folders = append(folders, folder)
		}
	}
	return folders
}

// readImplementation reads the handlers of a module.
func readImplementation(module string) (*implementation, error) {
	m := &implementation{fset: token.NewFileSet(), files: make(map[string]*ast.File), methods: make(map[string]Handler)}
	for _, folder := range foldersIn(module, implementing) {
		if err := m.read(module, folder); err != nil {
			return nil, err
		}
	}
	if m.server.File == "" {
		return nil, fmt.Errorf("%s has no type Server; name Postern's source with --source",
			filepath.Join(module, handlersFolder))
	}
	return m, nil
}

// read reads the files of a folder.
func (m *implementation) read(module, folder string) error {
	names, err := filepath.Glob(filepath.Join(module, folder, "*.go"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		path := folder + "/" + filepath.Base(name)
		file, err := parser.ParseFile(m.fset, path, text, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("the handlers: %w", err)
		}
		m.files[path] = file
		m.index(path, file)
	}
	return nil
}

func (m *implementation) index(path string, file *ast.File) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			_, known := m.methods[decl.Name.Name]
			if decl.Recv != nil && slices.Contains(implementers, receiver(decl)) && !known {
				m.methods[decl.Name.Name] = m.function(path, decl)
			}
		case *ast.GenDecl:
			for _, one := range decl.Specs {
				if t, ok := one.(*ast.TypeSpec); ok && t.Name.Name == "Server" {
					m.server = Handler{Name: "Server", File: path, Line: m.fset.Position(t.Pos()).Line}
				}
			}
		}
	}
}

func (m *implementation) function(path string, decl *ast.FuncDecl) Handler {
	name := decl.Name.Name
	if decl.Recv != nil && len(decl.Recv.List) == 1 {
		name = "(" + source(decl.Recv.List[0].Type) + ")." + name
	}
	return Handler{Name: name, File: path, Line: m.fset.Position(decl.Pos()).Line}
}

// nodesAt are the nodes around a place in the source, the outermost first.
func (m *implementation) nodesAt(path string, line, column int) []ast.Node {
	file := m.files[path]
	if file == nil {
		return nil
	}
	whole := m.fset.File(file.Pos())
	if line > whole.LineCount() {
		return nil
	}
	at := whole.LineStart(line) + token.Pos(column-1)
	var nodes []ast.Node
	ast.Inspect(file, func(n ast.Node) bool {
		if n == nil || n.Pos() > at || n.End() <= at {
			return false
		}
		nodes = append(nodes, n)
		return true
	})
	return nodes
}

// functionAt is the function around a place; ok is false when there is none.
func (m *implementation) functionAt(path string, nodes []ast.Node) (h Handler, ok bool) {
	for _, n := range nodes {
		if f, is := n.(*ast.FuncDecl); is {
			return m.function(path, f), true
		}
	}
	return Handler{}, false
}
