//go:build unix

package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// supervise runs the server as a process of its own, a worker, until it is told to stop. A service manager starts the
// next server when the process that it knows has ended: so this one ends as soon as the worker lets go of sockets and
// database, while that lets its long requests end. At SIGUSR1 a new worker takes over from the old one, if it comes up.
func supervise(ctx context.Context, w world, log *slog.Logger) error {
	replace := make(chan os.Signal, 1)
	signal.Notify(replace, syscall.SIGUSR1)
	defer signal.Stop(replace)
	var busy sync.WaitGroup // the workers that have not let go, also those that were replaced or did not come up
	defer busy.Wait()
	serving, err := newWorker(w, &busy)
	for err == nil {
		select {
		case <-serving.ended:
			return serving.status
		case <-ctx.Done():
			serving.stop()
			return nil
		case <-replace:
			serving = serving.replace(ctx, w, &busy, log)
		}
	}
	return err
}

// refuseReload says, until it is ended, that this server has no supervisor who could start the next one.
func refuseReload(log *slog.Logger) (end func()) {
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGUSR1)
	go func() {
		for range reload {
			log.Warn("a reload needs --linger, such as POSTERN_LINGER=1m; this server goes on as it is")
		}
	}()
	return func() { signal.Stop(reload); close(reload) }
}

// worker is the process that serves. It and its supervisor have a connection, which is the worker's standard input. The
// worker writes a byte when it listens and closes its end when another server may start; it stops when it reads a byte,
// which says that its successor listens already, or the end, which comes also if the supervisor dies.
type worker struct {
	line    *net.UnixConn
	process *os.Process
	ready   chan struct{} // closed when it listens
	ended   chan struct{} // closed when the process has ended
	status  error         // of the process, once it has ended
}

// newWorker starts a worker with the arguments of this process. It is busy until another server may start.
func newWorker(w world, busy *sync.WaitGroup, more ...string) (*worker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, append(append(os.Args[1:], "--worker"), more...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, w.stdout, w.stderr
	cmd.Env = w.environ                                   // the sockets of systemd keep their numbers
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this process
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		ours.Close()
		return nil, err
	}
	p := &worker{line: ours, process: cmd.Process, ready: make(chan struct{}), ended: make(chan struct{})}
	busy.Go(p.listen)
	go p.wait(cmd)
	return p, nil
}

// listen returns when another server may start.
func (p *worker) listen() {
	if _, err := p.line.Read(make([]byte, 1)); err == nil {
		close(p.ready)
		_, _ = io.Copy(io.Discard, p.line)
	}
	p.line.Close()
}

func (p *worker) wait(cmd *exec.Cmd) {
	p.status = cmd.Wait()
	var failed *exec.ExitError
	if errors.As(p.status, &failed) {
		p.status = exitStatus{code: max(failed.ExitCode(), 1)} // it has said why
	}
	close(p.ended)
}

// stop tells the worker to end.
func (p *worker) stop() { _ = p.line.CloseWrite() }

// abandon ends a worker that has not come up, and may hang.
func (p *worker) abandon() {
	p.stop()
	time.AfterFunc(drain, func() { _ = p.process.Kill() })
}

// replace starts another worker in place of this one, and returns that which serves then.
func (p *worker) replace(ctx context.Context, w world, busy *sync.WaitGroup, log *slog.Logger) *worker {
	next, err := newWorker(w, busy, "--successor")
	if err != nil {
		log.Error("the next server cannot be started; this one goes on", "error", err)
		return p
	}
	select {
	case <-next.ready:
		_, _ = p.line.Write([]byte{1})
		return next
	case <-next.ended:
		log.Error("the next server did not come up, and has said why; this one goes on")
		return p
	case <-p.ended:
	case <-ctx.Done():
	}
	next.abandon()
	return p
}

// socketPair is a connection of this process with one that it starts.
func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(ends[0])
		syscall.CloseOnExec(ends[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(ends[0]), "worker")
	defer file.Close()
	theirs = os.NewFile(uintptr(ends[1]), "supervisor")
	conn, err := net.FileConn(file)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}
