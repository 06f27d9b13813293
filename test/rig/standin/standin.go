// Package standin lets a program that is no test use what is made for tests.
//
//	t := standin.New(ctx, dir)
//	defer func() { err = t.End(recover(), err) }()
//	hs := synapse.New(t, synapse.Options{})
package standin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// T is as much of a testing.TB as package postgres and package synapse ask for. Fatal and Skip panic, and End recovers.
type T struct {
	testing.TB // nil: what is not below is not asked for
	ctx        context.Context
	dir        string
	cleanups   []func()
	errs       []error
}

// New makes one whose temporary folders lie in dir; in the system's if it is empty.
func New(ctx context.Context, dir string) *T { return &T{ctx: ctx, dir: dir} }

// failure is what Fatal panics with.
type failure struct{ error }

func (t *T) Helper()                        {}
func (t *T) Context() context.Context       { return t.ctx }
func (t *T) Cleanup(f func())               { t.cleanups = append(t.cleanups, f) }
func (t *T) Error(args ...any)              { t.errs = append(t.errs, errors.New(fmt.Sprint(args...))) }
func (t *T) Errorf(format string, a ...any) { t.errs = append(t.errs, fmt.Errorf(format, a...)) }
func (t *T) Fatal(args ...any)              { panic(failure{errors.New(fmt.Sprint(args...))}) }
func (t *T) Fatalf(format string, a ...any) { panic(failure{fmt.Errorf(format, a...)}) }
func (t *T) Skip(args ...any)               { t.Fatal(args...) }
func (t *T) Logf(string, ...any)            {}

// TempDir makes a folder, which End does not remove.
func (t *T) TempDir() string {
	dir, err := os.MkdirTemp(t.dir, "postern-")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// End cleans up and returns everything that went wrong, err first; cause is what was recovered from a panic, or nil. A
// panic that is not T's goes on.
func (t *T) End(cause any, err error) error {
	failed, ours := cause.(failure)
	if cause != nil && !ours {
		defer panic(cause)
	}
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
	t.cleanups = nil
	return errors.Join(append([]error{err, failed.error}, t.errs...)...)
}
