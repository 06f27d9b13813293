// Package lesson goes through docs/lesson.md as a reader would: it types every command, in a copy of the repository,
// and compares what is printed.
package lesson

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"postern/test/rig/console"
	"postern/test/rig/process"
)

const (
	text    = "docs/lesson.md"
	program = "docs/lesson/start/main.go"
	theirs  = "8118" // the lesson's port; another is taken, for it may be in use
	patient = time.Minute
)

// TestLesson types every command of the lesson.
func TestLesson(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the lesson's program three times")
	}
	for _, program := range []string{"bash", "git", "curl"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		} else if os.Getenv("CI") != "" {
			t.Fatalf("the lesson needs %s: %v", program, err)
		}
		t.Skipf("the lesson needs %s, which is not on this machine", program)
	}
	steps := console.Read(t, "../../"+text)
	if len(steps) < 30 {
		t.Fatalf("%s has %d commands; are its blocks still marked as console?", text, len(steps))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	port := fmt.Sprint(process.FreePort(t))
	shell := open(ctx, t, copied(t, port), port)
	for _, s := range steps {
		printed := shell.do(t, s)
		if !s.Fits(printed) {
			t.Fatalf("%s:%d: $ %s\nshould print\n%s\nand printed\n%s", text, s.Line, s.Command, s.Want,
				printed)
		}
	}
}
