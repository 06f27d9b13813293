package cli

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// watched is `postern spec watch` in a process of its own, over a copy of the source.
type watched struct {
	testing.TB
	dir   string
	lines chan string
}

// watch starts it and waits until it watches.
func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{TB: t, dir: t.TempDir(), lines: make(chan string, 1000)}
	for _, part := range []string{"go.mod", "go.sum", "api", "gen", "tokens", "db", "handlers", "homeserver", "oauth",
		"passwords", "web", "test/rig/postgres", "test/rig/standin", "test/rig/matrixtest"} {
		info, err := os.Stat(part)
		if err != nil {
			t.Fatal(err)
		}
		if !info.IsDir() {
			write(t, filepath.Join(w.dir, part), string(read(t, part)))
			continue
		}
		if err := os.CopyFS(filepath.Join(w.dir, part), os.DirFS(part)); err != nil {
			t.Fatal(err)
		}
	}
	// not program, whose processes are killed before a cleanup
	cmd := exec.Command(os.Args[0], "spec", "watch", "--source", w.dir)
	cmd.Env = append(os.Environ(), "POSTERN_TEST_MAIN="+module(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			w.lines <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		for range w.lines { // until it has ended
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ends with %v", err)
		}
	})
	w.until("checking what the handlers owe")
	w.until("watching api/login.yaml")
	return w
}

// until gives what is printed up to a line that has some words.
func (w *watched) until(words string) string {
	w.Helper()
	var all strings.Builder
	for patience := time.After(3 * time.Minute); ; {
		select {
		case line, more := <-w.lines:
			all.WriteString(line + "\n")
			switch {
			case strings.Contains(line, words):
				return all.String()
			case !more:
				w.Fatalf("it has ended and did not say %q:\n%s", words, &all)
			}
		case <-patience:
			w.Fatalf("it does not say %q:\n%s", words, &all)
		}
	}
}

func (w *watched) save(contract string) { w.saveAs(contractFile, contract) }

func (w *watched) saveAs(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
}

func (w *watched) generated() []byte {
	w.Helper()
	code, err := os.ReadFile(filepath.Join(w.dir, generated))
	if err != nil {
		w.Fatal(err)
	}
	return code
}

// TestSpecWatch saves one contract after another, as an author does.
func TestSpecWatch(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the tests of the handlers")
	}
	t.Parallel()
	w := watch(t)
	before := w.generated()
	w.paste(t)

	w.save(deviceRenamed(t))
	if said := w.until("compiled: owed: 1 thing"); !strings.Contains(said,
		"owed by (*Server).attemptOf (handlers/login.go:") {
		t.Errorf("it says %s", said)
	}
	renamed := w.generated()
	if bytes.Equal(renamed, before) {
		t.Error("nothing was generated")
	}

	w.save(deviceRenamed(t) + "  broken: [\n")
	w.until("gen/gen.go is kept as it was")
	if !bytes.Equal(w.generated(), renamed) {
		t.Error("a broken contract has changed gen/gen.go")
	}

	w.save(apply(t))
	w.until("compiled: nothing is owed")
	if !bytes.Equal(w.generated(), before) {
		t.Error("repaired, gen/gen.go is not what it was")
	}
	w.save(apply(t) + "# only a comment\n")
	w.until("gen/gen.go stays as it is")

	w.saveAs("handlers/touched_test.go", touchedTest+"\tt.Error(path)\n}\n")
	w.until("none of the")
	w.save(apply(t, unnoticedEdits[0].edit...))
	said := w.until("tests: they fail")
	if !strings.Contains(said, "asked of (*Server).GetTokenOwner (handlers/whoami.go:") ||
		!strings.Contains(said, "FAIL: TestTouched") {
		t.Errorf("it says %s", said)
	}
	w.saveAs("handlers/touched_test.go", touchedTest+"\tt.Log(path)\n}\n")
	w.until("tests: ok")

	w.save(apply(t, replaceIn("components schemas TokenRequest", "code_verifier", "verifier")))
	if said := w.until("compiled: owed: 1 thing"); !strings.Contains(said,
		"owed by (*API).redeem (oauth/token.go:") {
		t.Errorf("it says %s", said)
	}

	// What is wrong and keeps nothing from being used is said as `spec check` says it, once.
	w.save(apply(t, addTo("paths", faulty)))
	said = w.until("the operation name")
	if want := warnings(checkedIn(t, w.dir, "text").stdout, w.dir); !slices.Equal(warnings(said, w.dir), want) {
		t.Errorf("it says\n%s\nand `spec check`\n%s", said, strings.Join(want, "\n"))
	}
	w.save(apply(t))
	w.until("no warnings any more")

	// Two saves in a row: only what the second one asks for is said in the end.
	w.save(apply(t, cutOut("components schemas TokenOwnerResponse properties is_guest")))
	w.until("compiled: owed: 1 thing")
	w.save(apply(t))
	w.until("compiled: nothing is owed")
}

// touchedTest is a test of an operation, but for its end.
const touchedTest = `package handlers

import "testing"

func TestTouched(t *testing.T) {
	const path = "/_matrix/client/v3/account/whoami"
`

// paste adds an operation, pastes the stub that is printed, makes mistakes in it, and takes all back.
func (w *watched) paste(t *testing.T) {
	t.Helper()
	contract := apply(t, addTo("paths", getKnock))
	w.save(contract)
	said := w.until("compiled: owed: 1 thing")
	stub := regexp.MustCompile(`(?s)to paste:\n(.*?\n +\}\n)`).FindStringSubmatch(said)
	if stub == nil {
		t.Fatalf("there is nothing to paste: %s", said)
	}
	t.Log("a comment does not make good what is owed")
	w.save(contract + "# only a comment\n")
	w.until("compiled: owed: 1 thing")

	t.Log("the stub does, with an import that nobody had")
	const head = "package handlers\n\nimport (\n\t_ \"container/ring\"\n\t\"context\"\n\t\"postern/gen\"\n)\n\n"
	w.saveAs("handlers/knock.go", head+stub[1])
	if said := w.until("none of the"); !strings.Contains(said, "compiled: nothing is owed") ||
		strings.Contains(said, "gen/gen.go is written") {
		t.Errorf("it says %s", said)
	}
	w.save(contract)
	w.until("gen/gen.go stays as it is")

	t.Log("mistakes in it")
	w.saveAs("handlers/knock.go", head+strings.Replace(stub[1], "return nil, &Error", "return &Error", 1))
	if said := w.until("compiled: owed: 1 thing"); !strings.Contains(said, "not enough return values") {
		t.Errorf("it says %s", said)
	}
	w.saveAs("handlers/knock.go", head+"func (")
	w.until("handlers/knock.go:9")
	w.save(contract + "# only a comment\n")
	w.until("handlers/knock.go:9")
	w.saveAs("handlers/knock.go", head+stub[1])
	w.until("compiled: nothing is owed")
	t.Log("a package beside the handlers")
	token := string(read(t, "oauth/token.go"))
	w.saveAs("oauth/token.go", token+"\nvar wrong int = true\n")
	w.until("owed by oauth/token.go (oauth/token.go:")
	w.saveAs("oauth/token.go", token)
	w.until("compiled: nothing is owed")
	if err := os.Remove(filepath.Join(w.dir, "handlers/knock.go")); err != nil {
		t.Fatal(err)
	}
	if said := w.until("compiled: owed: 1 thing"); !strings.Contains(said, "the operation getKnock has no handler") {
		t.Errorf("it says %s", said)
	}
	w.save(apply(t))
	w.until("compiled: nothing is owed")
}
