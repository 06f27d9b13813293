package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// stage lets this program use what is made for tests: it is as much of a test as they ask for, and what fails ends the
// measurement.
type stage struct {
	testing.TB // nil: what is not below is not asked for
	ctx        context.Context
	dir        string
	cleanups   []func()
	errs       []error
}

func newStage(ctx context.Context, dir string) *stage { return &stage{ctx: ctx, dir: dir} }

// failure is what a stage panics with.
type failure struct{ error }

func (s *stage) Helper()                        {}
func (s *stage) Context() context.Context       { return s.ctx }
func (s *stage) Cleanup(f func())               { s.cleanups = append(s.cleanups, f) }
func (s *stage) Error(args ...any)              { s.errs = append(s.errs, errors.New(fmt.Sprint(args...))) }
func (s *stage) Errorf(format string, a ...any) { s.errs = append(s.errs, fmt.Errorf(format, a...)) }
func (s *stage) Fatal(args ...any)              { panic(failure{errors.New(fmt.Sprint(args...))}) }
func (s *stage) Fatalf(format string, a ...any) { panic(failure{fmt.Errorf(format, a...)}) }
func (s *stage) Skip(args ...any)               { s.Fatal(args...) }
func (s *stage) Logf(string, ...any)            {}

// TempDir is a folder that is removed with all others of the run.
func (s *stage) TempDir() string {
	dir, err := os.MkdirTemp(s.dir, "stage-")
	if err != nil {
		s.Fatal(err)
	}
	return dir
}

// end cleans up and gives everything that went wrong; cause is what was recovered.
func (s *stage) end(cause any, err error) error {
	failed, ours := cause.(failure)
	if cause != nil && !ours {
		defer panic(cause)
	}
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
	return errors.Join(append(s.errs, err, failed.error)...)
}
