package impact

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// testBuild is a program of tests that is being built while the handlers are checked.
type testBuild struct {
	names  []string // of the tests to run
	all    int      // how many there are
	module string

	scratch string
	cancel  context.CancelFunc
	done    chan struct{} // closed when it is built
	out     []byte
	err     error
}

// buildTests begins to build the tests, when some operations touch any. Nothing is vetted, and nothing is linked that
// only a debugger needs: it is the time from a save to an answer that counts. (To leave out the files of tests that are
// not touched was tried, and gains nothing.)
func (w *Watch) buildTests(ctx context.Context, code string, operations []operation) *testBuild {
	b := &testBuild{module: w.Module, done: make(chan struct{})}
	ctx, b.cancel = context.WithCancel(ctx)
	cmd, err := b.command(ctx, code, operations)
	if err != nil || cmd == nil {
		b.err = err
		close(b.done)
		return b
	}
	go func() {
		defer close(b.done)
		b.out, b.err = cmd.CombinedOutput()
	}()
	return b
}

func (b *testBuild) command(ctx context.Context, code string, operations []operation) (*exec.Cmd, error) {
	program, err := exec.LookPath("go")
	if err != nil {
		return nil, errNoGo
	}
	t, err := readTests(b.module)
	if err != nil {
		return nil, err
	}
	b.names, b.all = t.touched(operations), t.all
	if len(b.names) == 0 {
		return nil, nil
	}
	if b.scratch, err = os.MkdirTemp("", "postern-watch-"); err != nil {
		return nil, err
	}
	overlay, err := layOver(b.scratch, b.module, code)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "test", "-c", "-mod=readonly", "-overlay", overlay, "-vet=off",
		"-ldflags=-s -w", "-o", b.program(), "./"+handlersFolder)
	cmd.Dir = b.module
	cmd.Env = append(os.Environ(), "GOTMPDIR="+b.scratch)
	stopsGently(cmd)
	return cmd, nil
}

func (b *testBuild) program() string { return filepath.Join(b.scratch, "handlers.test") }

// run runs the tests, and gives what they print when one fails.
func (b *testBuild) run(ctx context.Context) (string, error) {
	<-b.done
	if b.err != nil || len(b.names) == 0 {
		return string(b.out), b.err
	}
	cmd := exec.CommandContext(ctx, b.program(), "-test.run", "^("+strings.Join(b.names, "|")+")$", "-test.short")
	cmd.Dir = filepath.Join(b.module, handlersFolder)
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = errors.New("they fail")
	}
	return string(out), err
}

// discard ends the build and removes it.
func (b *testBuild) discard() {
	b.cancel()
	<-b.done
	if b.scratch != "" {
		_ = os.RemoveAll(b.scratch)
	}
}
