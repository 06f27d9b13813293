package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"postern/handlers"
	"postern/lab"
	"postern/spec"
)

// contractFiles are the contract as it was when the binary was made, with its lines: the generated code has it without them.
//
//go:embed api/login.yaml
var contractFiles embed.FS

// contract is what the handlers implement.
func contract() (*spec.API, error) { return spec.Load(contractFiles, "api/login.yaml") }

// specFlags say which edited spec is served.
type specFlags struct {
	Spec     []string `env:"POSTERN_SPEC" placeholder:"FILE" help:"Serve an edited spec: what Postern implements stays real, the rest answers from the spec. A file, or a folder of them; may be repeated."`
	SpecRoot string   `env:"POSTERN_SPEC_ROOT" placeholder:"DIR" help:"The folder that nothing of the spec is read outside of; by default the deepest that holds every --spec."`
}

// specSet are the same flags, understood: files by their slash-separated names in a folder.
type specSet struct {
	dir   string
	files []string
}

// settings finds the files, or tells everything that is wrong with the flags.
func (f *specFlags) settings() (specSet, []error) {
	var paths []string
	var problems []error
	for _, given := range f.Spec {
		found, err := specsAt(given)
		if err != nil {
			problems = append(problems, err)
		}
		paths = append(paths, found...)
	}
	if len(f.Spec) == 0 && f.SpecRoot != "" {
		problems = append(problems, fmt.Errorf("--spec-root %q is without a --spec", f.SpecRoot))
	}
	if len(problems) > 0 || len(paths) == 0 {
		return specSet{}, problems
	}
	set := specSet{dir: f.SpecRoot}
	if set.dir == "" {
		set.dir = commonFolder(paths)
	} else if dir, err := filepath.Abs(set.dir); err == nil {
		set.dir = dir
	}
	for _, path := range paths {
		name, err := filepath.Rel(set.dir, path)
		if err != nil || !filepath.IsLocal(name) {
			problems = append(problems, fmt.Errorf("--spec-root %q does not hold %s; name a folder that does", f.SpecRoot, path))
			continue
		}
		if name = filepath.ToSlash(name); !slices.Contains(set.files, name) {
			set.files = append(set.files, name)
		}
	}
	return set, problems
}

// specsAt is the file that was named, or the specs of the folder that was.
func specsAt(given string) ([]string, error) {
	path, err := filepath.Abs(given)
	if err != nil {
		return nil, fmt.Errorf("--spec %q: %w", given, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("--spec %q is not there", given)
	case err != nil:
		return nil, fmt.Errorf("--spec %q: %w", given, err)
	case !info.IsDir():
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("--spec %q: %w", given, err)
	}
	var specs []string
	for _, entry := range entries {
		if file := filepath.Join(path, entry.Name()); entry.Type().IsRegular() && isSpec(file) {
			specs = append(specs, file)
		}
	}
	if len(specs) == 0 {
		return nil, fmt.Errorf("--spec %q holds no spec: a .yaml, .yml or .json file with openapi or swagger at its top", given)
	}
	return specs, nil
}

var (
	yamlSpec = regexp.MustCompile(`(?m)^["']?(openapi|swagger)["']?[ \t]*:`)
	jsonSpec = regexp.MustCompile(`(?m)^[\s{]*"(openapi|swagger)"\s*:`)
)

// isSpec tells a spec from a file that specs refer to, by its head.
func isSpec(file string) bool {
	head := yamlSpec
	switch filepath.Ext(file) {
	case ".json":
		head = jsonSpec
	case ".yaml", ".yml":
	default:
		return false
	}
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return err == nil && head.Match(bytes.TrimPrefix(text, []byte("\ufeff")))
}

// commonFolder is the deepest folder that holds all files.
func commonFolder(paths []string) string {
	dir := filepath.Dir(paths[0])
	for _, path := range paths[1:] {
		for {
			name, err := filepath.Rel(dir, path)
			if err == nil && filepath.IsLocal(name) || filepath.Dir(dir) == dir {
				break
			}
			dir = filepath.Dir(dir)
		}
	}
	return dir
}

// front is what requests meet first: the server alone, or the spec lab before it.
type front struct {
	http.Handler
	lab  *lab.Lab     // nil without --spec and --dev
	page http.Handler // nil when there is none
}

// front puts the spec lab before the server while --spec or --dev is on. Without both the server is alone.
func (cmd *serveCmd) front(ctx context.Context, w world, set specSet, s *handlers.Server) (front, error) {
	if len(set.files) == 0 && !cmd.Dev {
		return front{Handler: s.Handler()}, nil
	}
	known, err := contract()
	if err != nil {
		return front{}, fmt.Errorf("contract: %w", err)
	}
	if len(set.files) > 0 && w.getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(512 << 20) // a whole API is read anew at each save
	}
	l, err := lab.New(ctx, lab.Config{
		Real: s.Handler(), Contract: known, Dir: set.dir, Files: set.files,
		Authorize: s.Authorize, Alias: handlers.Alias, Out: w.stdout,
	})
	if err != nil {
		return front{}, fmt.Errorf("the spec cannot be served:\n%w", err)
	}
	f := front{Handler: l, lab: l, page: pageHandler(l, s)}
	if f.page != nil {
		f.Handler = http.HandlerFunc(f.withPage)
	}
	return f, nil
}

// pagePath is where the page in the browser lies, beside Matrix's own paths.
const pagePath = "/_postern/"

func (f front) withPage(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, pagePath) {
		f.page.ServeHTTP(w, r)
		return
	}
	f.lab.ServeHTTP(w, r)
}

// pageHandler is the page in the browser; nil when there is none.
func pageHandler(*lab.Lab, *handlers.Server) http.Handler { return nil }

// greet says what the lab serves.
func (f front) greet(out io.Writer, withSpec bool, url string) {
	if withSpec {
		fmt.Fprint(out, f.lab.Summary())
	}
	if f.page != nil {
		fmt.Fprintf(out, "spec: look at it at %s%sspec\n", url, pagePath)
	}
}

func (f front) close() {
	if f.lab != nil {
		f.lab.Close()
	}
}
