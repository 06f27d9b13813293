// Package lesson goes through the lessons in docs as a reader would: it types every command, in a terminal, and
// compares what is printed.
package lesson

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"postern/test/rig/console"
	"postern/test/rig/process"
)

const patient = 2 * time.Minute

func TestMain(m *testing.M) { process.Main(m) }

// TestLesson types every command of the first lesson. Then it starts the lesson's server where a port is taken, and
// begins at the last step.
func TestLesson(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the lesson's program, and its test, at each step")
	}
	needs(t, "git", "curl")
	t.Parallel()
	p := freePorts(t, "8118")
	dir := copied(t, p)
	shell := typed(t, "lesson.md", 40, dir, p)

	l, err := net.Listen("tcp", "127.0.0.1:"+p[0].ours)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	printed := shell.do(t, console.Step{Command: "lesson/server"})
	if strings.Contains(printed, "listening") || !strings.Contains(printed, "address already in use. Does") {
		t.Errorf("where the port is taken, the server says: %s", printed)
	}

	last := console.Step{
		Command: "lesson start 6; lesson check; echo $?; " +
			"grep -c 'next.generation++' .lesson-before/server.go lesson/server.go",
		Want: "lesson/ is at step 6.\n…\nstep 5: right. …\nstep 6: not yet. …\n…\n1\n" +
			".lesson-before/server.go:1\nlesson/server.go:0\n",
	}
	none := console.Step{
		Command: "rm -r lesson; lesson check; echo $?",
		Want:    "there is no lesson here yet: type lesson start 1\n1\n",
	}
	for _, step := range []console.Step{last, none} {
		if printed := shell.do(t, step); !step.Fits(printed) {
			t.Errorf("$ %s\nprinted\n%s", step.Command, printed)
		}
	}
}

// TestTokens types every command of the lessons on tokens. The binary that they have their reader build is made as
// other tests make it.
func TestTokens(t *testing.T) {
	if testing.Short() {
		t.Skip("links Postern")
	}
	needs(t, "git", "curl", "openssl")
	t.Parallel()
	p := freePorts(t, "8008", "8119")
	dir := copied(t, p)
	if err := os.Symlink(process.Binary(t), filepath.Join(dir, "postern")); err != nil {
		t.Fatal(err)
	}
	for _, lesson := range []string{"lesson-macaroons.md", "lesson-homeserver.md"} {
		t.Run(lesson, func(t *testing.T) { typed(t, lesson, 15, dir, p) })
	}
}

// typed types all commands of a lesson, in a folder. There must be at least so many, or its blocks are not marked as
// console any more.
func typed(t *testing.T, lesson string, least int, dir string, p ports) *shell {
	t.Helper()
	steps := console.Read(t, "../../docs/"+lesson)
	if len(steps) < least {
		t.Fatalf("%s has %d commands; are its blocks still marked as console?", lesson, len(steps))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	shell := open(ctx, t, dir, p)
	for _, s := range steps {
		if s.Command == "go build -o postern ." {
			continue // it is there
		}
		if printed := shell.do(t, s); !s.Fits(printed) {
			t.Fatalf("docs/%s:%d: $ %s\nshould print\n%s\nand printed\n%s", lesson, s.Line, s.Command, s.Want, printed)
		}
	}
	return shell
}

// needs skips a test where a program is not installed, which the gate does not let pass.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("script has other options here")
	}
	for _, program := range append(programs, "bash", "script") {
		if _, err := exec.LookPath(program); err == nil {
			continue
		} else if os.Getenv("CI") != "" {
			t.Fatalf("the lesson needs %s: %v", program, err)
		}
		t.Skipf("the lesson needs %s, which is not on this machine", program)
	}
}
