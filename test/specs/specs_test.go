// Package specs tries the specs of other projects' packages: `postern spec check` and `postern serve --spec` run over
// each, and every operation is asked for an answer. packages.txt has the packages, install gets them.
//
//	go test ./test/specs -large -update
//
// writes the table of docs/specs-tried.md, without -large the rows of the small ones. Times are the processor's, which
// other programs on the machine do not make longer.
package specs

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/speclab/spec"
	"postern/test/rig/process"
)

var (
	update = flag.Bool("update", false, "write the table of docs/specs-tried.md")
	large  = flag.Bool("large", false, "the large specs too: minutes, and a gigabyte of memory")
)

func TestMain(m *testing.M) { process.Main(m) }

// tried are the specs: package, file in it, in which style it is, and whether it is only tried with -large.
var tried = []struct {
	from, file, style string
	large             bool
}{
	{"@readme/oas-examples", "2.0/json/petstore.json", "Swagger 2", false},
	{"@readme/oas-examples", "3.0/json/discriminators.json", "`discriminator`", false},
	{"@readme/oas-examples", "3.0/json/parameters-style.json", "every style of parameter", false},
	{"@readme/oas-examples", "3.0/json/schema-circular.json", "circular", false},
	{"@readme/oas-examples", "3.1/json/train-travel.json", "3.1, links, webhooks", false},
	{"@readme/oas-examples", "3.1/json/webhooks.json", "3.1, `webhooks` alone", false},
	{"@scalar/galaxy", "dist/latest.yaml", "3.1, callbacks", false},
	{"github.com/getkin/kin-openapi", "openapi3/testdata/lxkns.yaml", "3.0, by hand", false},
	{"github.com/speakeasy-api/openapi", "openapi/testdata/walk.openapi.yaml", "3.1, every keyword", false},
	{"github.com/speakeasy-api/openapi", "openapi/testdata/test.openapi.yaml", "3.2", false},
	{"github.com/speakeasy-api/openapi", "jsonschema/oas3/testdata/stresstest/combinatorial.json",
		"circular, made to harm", false},
	{"github.com/oasdiff/oasdiff", "data/home-iot-api-1.yaml", "3.0", false},
	{"@readme/oas-examples", "3.0/json/star-trek.json", "3.0, generated", true},
	{"@readme/oas-examples", "3.1/json/readme.json", "3.1, generated", true},
	{"@figma/rest-api-spec", "openapi/openapi.yaml", "3.1, many unions", true},
	{"@blockfrost/openapi", "openapi.yaml", "3.0, bundled", true},
	{"@directus/specs", "dist/openapi.json", "3.0, bundled", true},
	{"github.com/getkin/kin-openapi", "openapi3/testdata/issue796.yml", "3.0, generated", true},
	{"github.com/pb33f/libopenapi", "test_specs/asana.yaml", "3.0", true},
	{"github.com/pb33f/libopenapi", "test_specs/digitalocean.yaml", "3.0, references to texts", true},
	{"github.com/pb33f/libopenapi", "test_specs/xsoar.json", "Swagger 2, broken", true},
	{"github.com/pb33f/libopenapi", "test_specs/stripe-old.yaml", "3.0, broken", true},
	{"github.com/pb33f/libopenapi", "test_specs/docusignv3.1.json", "3.1, large", true},
	{"github.com/pb33f/libopenapi", "test_specs/stripe.yaml", "3.0, large and circular", true},
	{"github.com/pb33f/libopenapi", "test_specs/k8s.json", "3.0, Kubernetes", true},
	{"github.com/ogen-go/ogen", "_testdata/examples/api.github.com.json", "3.0, GitHub", true},
	{"k8s.io/kube-openapi", "pkg/schemaconv/testdata/swagger.json", "Swagger 2, Kubernetes", true},
}

const page = "../../docs/specs-tried.md"

// measured is what another machine, or another day, makes of the same.
var measured = regexp.MustCompile(` \(\d+(\.\d+)? s, \d+ MB\)`)

// TestSpecs: each spec is read or refused at a line with what to do; the rest is what the page has of it.
func TestSpecs(t *testing.T) {
	ready(t)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	packages, folders := sources(t), make(map[string]string)
	var rows []string
	for _, one := range tried {
		if one.large && !*large {
			rows = append(rows, known(string(text), fmt.Sprintf("| `%s` of %s ", one.file, one.from))...)
			continue
		}
		if folders[one.from] == "" {
			if folders[one.from], err = packages[one.from].folder(t); err != nil {
				missing(t, fmt.Sprintf("%s is not here (run test/specs/install): %v", one.from, err))
			}
		}
		file := filepath.Join(folders[one.from], filepath.FromSlash(one.file))
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(one.file)
		row := fmt.Sprintf("| `%s` of %s %s | %s | %d KB | %s | %s |", one.file, one.from, packages[one.from].version,
			one.style, (info.Size()+1023)/1024, check(t, file), serve(t, file))
		if !*update && !strings.Contains(measured.ReplaceAllString(string(text), ""),
			measured.ReplaceAllString(row, "")) {
			t.Errorf("docs/specs-tried.md does not have\n%s\nwrite it by go test ./test/specs -large -update", row)
		}
		rows = append(rows, row)
	}
	if *update {
		write(t, string(text), rows)
	}
}

// known is the row of the table that begins so, if there is one.
func known(table, begin string) []string {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, begin) {
			return []string{strings.TrimSpace(line)}
		}
	}
	return nil
}

// ready skips without the packages, unless they are required.
func ready(t *testing.T) {
	t.Helper()
	if os.Getenv("TEST_SPECS") == "off" && !*large {
		t.Skip("TEST_SPECS=off")
	}
}

// missing skips the test, or fails it where all is to be there.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("TEST_SPECS") == "required" || *large {
		t.Fatal(why)
	}
	t.Skip(why)
}

// write puts the rows where the table's are.
func write(t *testing.T, text string, rows []string) {
	t.Helper()
	const head = "|---|---|---|---|---|\n"
	before, after, found := strings.Cut(text, head)
	if !found {
		t.Fatal("docs/specs-tried.md has no table")
	}
	_, rest, _ := strings.Cut(after, "\n\n")
	text = before + head + strings.Join(rows, "\n") + "\n\n" + rest
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// check runs `postern spec check`, with Go only for the table: without, the handlers are not compiled.
func check(t *testing.T, file string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, process.Binary(t), "spec", "check", "--format", "json", file)
	if !*large {
		cmd.Env = append(os.Environ(), "PATH=")
	}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var report struct {
		Changes, Problems []json.RawMessage
		Gaps              []spec.Problem
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%s: %v\n%s", file, err, exit)
	}
	used := cost(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), peak(cmd))
	if len(report.Problems) == 0 {
		if len(report.Changes) == 1 {
			return "1 change" + used
		}
		return fmt.Sprintf("%d changes%s", len(report.Changes), used)
	}
	var first struct {
		Place     spec.Position
		What, Fix string
	}
	if err := json.Unmarshal(report.Problems[0], &first); err != nil {
		t.Fatal(err)
	}
	if first.Place.File == "" || first.What == "" || first.Fix == "" {
		t.Errorf("%s is refused without a place or what to do: %s", file, report.Problems[0])
	}
	return fmt.Sprintf("refused: line %d: %s; %s%s", first.Place.Line, first.What, first.Fix, used)
}

func peak(cmd *exec.Cmd) int64 {
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		return usage.Maxrss << 10
	}
	return 0
}

func cost(cpu time.Duration, memory int64) string {
	return fmt.Sprintf(" (%.1f s, %d MB)", cpu.Seconds(), memory>>20)
}

// serve runs `postern serve --spec` and asks for every operation.
func serve(t *testing.T, file string) string {
	t.Helper()
	site := process.Site{Binary: process.Binary(t), Database: filepath.Join(t.TempDir(), "postern.db")}
	site.Run(t, "a password of a test\n", "user", "add", "alice", "--password-stdin")
	server, err := site.Serve(t.Context(), "--spec", file, "--rate-limit", "off")
	api, wrong := spec.Load(spec.Named(os.DirFS(filepath.Dir(file)), filepath.Base(filepath.Dir(file))),
		filepath.Base(file))
	if wrong != nil {
		var problems spec.Problems
		if err == nil || !errors.As(wrong, &problems) || !strings.Contains(err.Error(), problems[0].What) {
			t.Errorf("%s: the server says %v, want %v", file, err, wrong)
		}
		return "refused as well"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	client := process.NewClient(1)
	defer client.Close()
	pair, err := client.Login(t.Context(), server.URL, "alice", "a password of a test", "SPECS")
	if err != nil {
		t.Fatal(err)
	}
	all, answered := ask(t, server.URL, pair.Access, api)
	usage, err := server.Usage()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d of %d answer%s", answered, all, cost(process.CPUOf(server.PID()), usage.Peak))
}

// ask asks for each operation and counts those that are answered with a success of the spec's.
func ask(t *testing.T, url, token string, api *spec.API) (all, answered int) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for path, item := range api.Doc.Paths.Map() {
		for method, op := range item.Operations() {
			all++
			request, err := requestFor(t.Context(), url, token, path, method, item, op)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := client.Do(request)
			if err != nil {
				t.Errorf("%s %s: %v", method, path, err)
				continue
			}
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			switch by := answer.Header.Get("Postern-Answered-By"); {
			case by == "spec" && op.Responses.Value(fmt.Sprint(answer.StatusCode)) != nil,
				by == "spec" && answer.StatusCode == http.StatusOK:
				answered++
			case by != "spec" || answer.StatusCode != http.StatusBadRequest:
				t.Errorf("%s %s is answered by %q with %d %.300s", method, path, by, answer.StatusCode, body)
			default:
				t.Logf("%s %s: %.300s", method, path, body)
			}
		}
	}
	return all, answered
}
