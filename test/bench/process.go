package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"time"

	rig "postern/test/rig/process"
)

// build makes both binaries in the same way: Postern, and this program for its bare mode.
func (b *bench) build(ctx context.Context) error {
	_, err := rig.Build(ctx, b.dir, "./test/bench")
	return err
}

func (b *bench) binary(name string) string { return filepath.Join(b.dir, name) }

// process is a server that is measured.
type process struct {
	server  *rig.Server // nil if somebody else ends it
	pid     int
	address string
	beside  []*process // replicas that take their share of the clients
}

// together is replicas as one process, to put a load on.
func together(replicas []*process) *process {
	p := *replicas[0]
	p.beside = replicas[1:]
	return &p
}

// replica is the one that a client talks to.
func (p *process) replica(client int) *process {
	if i := client % (1 + len(p.beside)); i > 0 {
		return p.beside[i-1]
	}
	return p
}

// launch starts a server and waits until it says in its log where it listens.
func launch(ctx context.Context, binary string, args ...string) (*process, error) {
	server, err := rig.Start(exec.CommandContext(ctx, binary, args...))
	if err != nil {
		return nil, err
	}
	return &process{server: server, pid: server.PID(), address: server.Address}, nil
}

// stop ends the server the way a service manager would, and fails if the server was not content.
func (p *process) stop() error {
	err := p.server.Stop()
	if complaint := p.server.Complaint(); complaint != "" {
		err = errors.Join(err, errors.New(complaint))
	}
	return err
}

// usage is what the process holds. Linux alone tells.
func (p *process) usage() (rig.Usage, error) { return rig.UsageOf(p.pid) }

// cpu is the processor time that the process, and those beside it, have used; 0 where nothing tells.
func (p *process) cpu() time.Duration {
	used := rig.CPUOf(p.pid)
	for _, other := range p.beside {
		used += other.cpu()
	}
	return used
}
