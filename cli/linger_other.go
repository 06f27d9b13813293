//go:build !unix

package cli

import (
	"context"
	"errors"
	"log/slog"
)

func supervise(context.Context, world, *slog.Logger) error {
	return errors.New("--linger needs a Unix; leave it out")
}

func refuseReload(*slog.Logger) (end func()) { return func() {} }
