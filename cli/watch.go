package cli

import (
	"context"
	"errors"
	"time"

	"postern/speclab/impact"
)

type specWatch struct {
	Source string `placeholder:"DIR" help:"Postern's source; by default the one that you are in."`
}

// Help is shown by 'postern spec watch --help'.
func (*specWatch) Help() string {
	return `On each save of api/login.yaml gen/gen.go is generated, the handlers are checked against it by the compiler's rules, what they owe is
shown, and when nothing is owed the tests that the changed operations touch are run. A contract that is broken is told, and gen/gen.go stays as it was.

Example:
  make watch`
}

// Run watches until it is interrupted.
func (cmd *specWatch) Run(ctx context.Context, w world) error {
	module, found, err := impact.FindModule(cmd.Source)
	if err != nil {
		return err
	}
	if !found {
		return errors.New("this is not Postern's source; go there, or name it with --source")
	}
	return (&impact.Watch{Module: module, Embedded: w.Source, Out: w.stdout, Now: time.Now}).Run(ctx)
}
