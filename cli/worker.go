package cli

import (
	"context"
	"io"
)

// supervised is the context of a worker, which ends when its supervisor says so or is gone; see type worker.
func (w world) supervised(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, stop := context.WithCancelCause(ctx)
	go func() {
		if n, _ := w.stdin.Read(make([]byte, 1)); n > 0 {
			stop(errSucceeded)
		}
		stop(nil)
	}()
	return ctx, stop
}

// ready tells the supervisor that this worker listens.
func (w world) ready() {
	if line, ok := w.stdin.(io.Writer); ok {
		_, _ = line.Write([]byte{1})
	}
}

// aside tells the supervisor that another server may start.
func (w world) aside() {
	if line, ok := w.stdin.(io.Closer); ok {
		_ = line.Close()
	}
}
