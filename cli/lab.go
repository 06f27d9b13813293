package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"postern/handlers"
	"postern/speclab/mock"
	"postern/speclab/page"
	"postern/speclab/spec"
)

// contract is what the handlers implement, with its lines: the generated code has it without them.
func (p Program) contract() (*spec.API, error) { return spec.Load(p.Source, "api/login.yaml") }

// specFlags say which edited spec is served.
type specFlags struct {
	Spec     []string `env:"POSTERN_SPEC" placeholder:"FILE" help:"Serve an edited spec: what Postern implements stays real, the rest answers from the spec. A file, or a folder of them; may be repeated."`
	SpecRoot string   `env:"POSTERN_SPEC_ROOT" placeholder:"DIR" help:"The folder that nothing of the spec is read outside of; by default the deepest that holds every --spec."`
}

// settings finds the files, or tells everything that is wrong with the flags.
func (f *specFlags) settings() (specSet, []error) {
	if len(f.Spec) == 0 {
		if f.SpecRoot != "" {
			return specSet{}, []error{fmt.Errorf("--spec-root %q is without a --spec", f.SpecRoot)}
		}
		return specSet{}, nil
	}
	return findSpecs(f.SpecRoot, f.Spec)
}

// entrance is what requests meet first: the server alone, or the spec lab before it.
type entrance struct {
	http.Handler
	lab  *mock.Lab    // nil without --spec and --dev
	page http.Handler // nil when there is none
	stop func()       // of what stands before a homeserver; may be nil
}

// enterLab puts the spec lab before the server while --spec or --dev is on. Without both the server is alone.
func (cmd *serveCmd) enterLab(ctx context.Context, w world, set specSet, s *handlers.Server) (entrance, error) {
	if len(set.files) == 0 && !cmd.Dev {
		return entrance{Handler: s.Handler()}, nil
	}
	known, err := w.contract()
	if err != nil {
		return entrance{}, fmt.Errorf("contract: %w", err)
	}
	if len(set.files) > 0 && w.getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(512 << 20) // a whole API is read anew at each save
	}
	l, err := mock.New(ctx, mock.Config{
		Real: s.Handler(), Contract: known, Dir: set.dir, Files: set.files,
		Authorize: s.Authorize, Alias: handlers.Alias, Out: w.stdout,
	})
	if err != nil {
		return entrance{}, fmt.Errorf("the spec cannot be served:\n%w", err)
	}
	f := entrance{lab: l, page: page.Handler(page.Config{Document: l.Document, Judge: s.Judge, Now: time.Now})}
	f.Handler = http.HandlerFunc(f.withPage)
	return f, nil
}

// pagePath is where the page in the browser lies, beside Matrix's own paths.
const pagePath = "/_postern/"

func (f entrance) withPage(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, pagePath) {
		f.page.ServeHTTP(w, r)
		return
	}
	f.lab.ServeHTTP(w, r)
}

// greet says what the lab serves.
func (f entrance) greet(out io.Writer, withSpec bool, url string) {
	if withSpec {
		fmt.Fprint(out, f.lab.Summary())
	}
	if f.page != nil {
		fmt.Fprintf(out, "spec: look at it at %s%sspec\n", url, pagePath)
	}
}

func (f entrance) close() {
	if f.lab != nil {
		f.lab.Close()
	}
	if f.stop != nil {
		f.stop()
	}
}
