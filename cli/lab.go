package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"postern/gen/admin"
	"postern/handlers"
	"postern/homeserver/front"
	"postern/speclab/mock"
	"postern/speclab/page"
	"postern/speclab/requests"
	"postern/speclab/spec"
)

// specFlags say which edited spec is served.
type specFlags struct {
	Spec     []string `env:"POSTERN_SPEC" placeholder:"FILE" help:"Serve an edited spec: what Postern implements stays real, the rest answers from the spec. A file, or a folder of them; may be repeated."`
	SpecRoot string   `env:"POSTERN_SPEC_ROOT" placeholder:"DIR" help:"The folder that nothing of the spec is read outside of; by default the deepest that holds every --spec."`
}

// settings finds the files, or reports everything that is wrong with the flags.
func (f *specFlags) settings() (spec.Files, []error) {
	if len(f.Spec) == 0 {
		if f.SpecRoot != "" {
			return spec.Files{}, []error{fmt.Errorf("--spec-root %q is without a --spec", f.SpecRoot)}
		}
		return spec.Files{}, nil
	}
	return spec.FindFiles(f.SpecRoot, f.Spec)
}

// publicHandler answers the requests on --listen: it is the server alone, or what is in front of it.
type publicHandler struct {
	http.Handler
	mock     *mock.Server // nil without --spec and --dev, as is log
	log      *requests.Log
	password string       // of the account that --dev made, or empty
	front    *front.Front // nil without a homeserver
	stop     func()       // ends the answers to the homeserver's questions
}

// newSpecLab puts the mock server and the page before the server while --spec or --dev is on. Without both the server
// is alone.
func (cmd *serveCmd) newSpecLab(ctx context.Context, w world, files spec.Files, s *handlers.Server) (publicHandler,
	error) {
	if len(files.Names) == 0 && !cmd.Dev {
		return publicHandler{Handler: s.Handler()}, nil
	}
	contract, err := spec.Load(w.Source, "api/login.yaml") // the generated code has it without its lines
	if err != nil {
		return publicHandler{}, fmt.Errorf("contract: %w", err)
	}
	if len(files.Names) > 0 && w.getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(512 << 20) // a whole API is read anew at each save
	}
	m, err := mock.New(ctx, mock.Config{
		Real: s.Handler(), Contract: contract, Dir: files.Dir, Files: files.Names,
		Authorize: s.Authorize, Alias: handlers.Alias, Out: w.stdout,
	})
	if err != nil {
		return publicHandler{}, fmt.Errorf("the spec cannot be served:\n%w", err)
	}
	h := publicHandler{mock: m}
	if h.log, err = cmd.newLog(w.stdout); err == nil {
		err = h.addPage(ctx, cmd, s)
	}
	if err != nil {
		m.Close()
		return publicHandler{}, err
	}
	return h, nil
}

// addPage puts the page before the mock server. With --dev the page knows the password of the account that it makes.
func (h *publicHandler) addPage(ctx context.Context, cmd *serveCmd, s *handlers.Server) error {
	of, err := adminDocument()
	if err == nil && cmd.Dev {
		h.password, err = devPassword(ctx, s.DB)
	}
	if err != nil {
		return err
	}
	h.Handler = below(ownPath, page.Handler(page.Config{
		Document: h.mock.Document, Admin: of, Judge: s.Judge, Now: time.Now, Password: h.password,
		Requests: h.log.Archive, PublicURL: cmd.PublicURL,
	}), h.log.Handler(h.mock))
	return nil
}

// adminDocument is the contract of the admin API, all of which is real.
func adminDocument() ([]byte, error) {
	document, err := admin.GetSpec()
	if err != nil {
		return nil, err
	}
	for _, item := range document.Paths.Map() {
		for _, op := range item.Operations() {
			op.Extensions = map[string]any{"x-postern-answered-by": "real"}
		}
	}
	return json.Marshal(document)
}

// announce prints what the mock server serves and where the page is.
func (h publicHandler) announce(out io.Writer, withSpec bool, url string) {
	if h.mock == nil {
		return
	}
	if withSpec {
		fmt.Fprint(out, h.mock.Summary())
	}
	fmt.Fprintf(out, "spec: look at it at %s%sspec\n", url, ownPath)
}

func (h publicHandler) close() {
	if h.mock != nil {
		h.mock.Close()
		h.log.Close()
	}
	if h.front != nil {
		h.front.Close()
		h.stop()
	}
}

// moving counts the requests whose bytes move, up- and downloads.
func (h publicHandler) moving() int {
	if h.front == nil {
		return 0
	}
	return h.front.Moving()
}
