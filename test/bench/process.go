package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	binaries "postern/test/rig/process"
)

// build makes both binaries in the same way: Postern, and this program for its bare mode.
func (b *bench) build(ctx context.Context) error {
	_, err := binaries.Build(ctx, b.dir, "./test/bench")
	return err
}

func (b *bench) binary(name string) string { return filepath.Join(b.dir, name) }

// process is a server that runs.
type process struct {
	cmd     *exec.Cmd
	address string
	began   time.Time     // just before it was started
	read    chan struct{} // closed when all of its log is read
	failed  string        // the first line of its log that tells a failure; read after read is closed
}

// launch starts a server and waits until it says in its log where it listens.
func launch(ctx context.Context, binary string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, binary, args...), read: make(chan struct{})}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 20 * time.Second
	log, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	address := make(chan string, 1)
	go p.follow(log, address)
	select {
	case p.address = <-address:
		return p, nil
	case <-p.read:
	case <-time.After(time.Minute):
	}
	return nil, errors.Join(fmt.Errorf("%s did not come up: %s", filepath.Base(binary), p.failed), p.stop())
}

// follow reads the log to its end.
func (p *process) follow(log io.Reader, address chan<- string) {
	defer close(p.read)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Msg, Level, Address string }
		err := json.Unmarshal(lines.Bytes(), &line)
		if p.failed == "" && (err != nil || line.Level == "ERROR") {
			p.failed = lines.Text()
		}
		if line.Msg == "listening" {
			address <- line.Address
		}
	}
}

// stop ends the server the way a service manager would, and fails if it was not content.
func (p *process) stop() error {
	signalled := p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.read
	err := errors.Join(signalled, p.cmd.Wait())
	if p.failed != "" {
		err = errors.Join(err, errors.New(p.failed))
	}
	return err
}

// resident gives the memory that the process holds and the most it ever held, in bytes. Linux alone tells.
func (p *process) resident() (now, peak int64, err error) {
	u, err := binaries.UsageOf(p.cmd.Process.Pid)
	return u.Resident, u.Peak, err
}

// cpu gives the processor time that the process has used; 0 where nothing tells.
func (p *process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	const tick = time.Second / 100 // what Linux counts in here on every architecture that Go runs on
	_, rest, _ := strings.Cut(string(stat), ") ")
	field := strings.Fields(rest)
	if len(field) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(field[11], 10, 64)
	system, _ := strconv.ParseInt(field[12], 10, 64)
	return time.Duration(user+system) * tick
}
