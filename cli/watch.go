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
	return `Each save of api/login.yaml, or of a handler, generates gen/gen.go, checks the handlers against it by the
compiler's rules and prints what they must change ("owed"). When they need not change it runs the tests of
the changed operations, after each save until they pass. The contract's own faults are printed as
"spec check" prints them. If the contract is broken, it prints why and leaves gen/gen.go as it was.

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
