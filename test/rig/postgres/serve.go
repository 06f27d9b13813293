package postgres

import (
	"context"
	"os"

	"postern/test/rig/standin"
)

// Serve starts a cluster for a program that is no test, until stop is called; a durable one syncs its disk, as in
// earnest. A cluster that is not durable is the one at TEST_POSTGRES_URL, if there is one.
func Serve(ctx context.Context, durable bool) (url string, stop func() error, err error) {
	if url := os.Getenv("TEST_POSTGRES_URL"); url != "" && !durable {
		return url, func() error { return nil }, nil
	}
	t := standin.New(ctx, "")
	defer func() {
		if cause := recover(); cause != nil {
			err = t.End(cause, nil)
		}
	}()
	return start(t, durable).URL, func() error { return t.End(nil, nil) }, nil
}
