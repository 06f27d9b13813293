package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
)

// Serve starts a cluster for a program that is no test; a durable one syncs its disk, as in earnest. What is said to a
// test is said to a stand-in.
func Serve(ctx context.Context, durable bool) (url string, stop func(), err error) {
	t := &standIn{ctx: ctx}
	defer func() {
		if cause := recover(); cause != nil {
			failed, ok := cause.(standInFailed)
			if !ok {
				panic(cause)
			}
			t.cleanUp()
			err = errors.New(string(failed))
		}
	}()
	if url := os.Getenv("TEST_POSTGRES_URL"); url != "" && !durable {
		return url, t.cleanUp, nil
	}
	return start(t, durable).URL, t.cleanUp, nil
}

// standIn plays the part of a test for package postgres.
type standIn struct {
	testing.TB // nil: nothing else of it is asked for
	ctx        context.Context
	cleanups   []func()
}

type standInFailed string

func (t *standIn) Helper()                      {}
func (t *standIn) Context() context.Context     { return t.ctx }
func (t *standIn) Cleanup(f func())             { t.cleanups = append(t.cleanups, f) }
func (t *standIn) Logf(f string, args ...any)   { fmt.Fprintf(os.Stderr, f+"\n", args...) }
func (t *standIn) Error(args ...any)            { fmt.Fprintln(os.Stderr, args...) }
func (t *standIn) Fatal(args ...any)            { panic(standInFailed(fmt.Sprint(args...))) }
func (t *standIn) Fatalf(f string, args ...any) { panic(standInFailed(fmt.Sprintf(f, args...))) }
func (t *standIn) Skip(args ...any)             { t.Fatal(args...) }

func (t *standIn) cleanUp() {
	for len(t.cleanups) > 0 {
		last := len(t.cleanups) - 1
		f := t.cleanups[last]
		t.cleanups = t.cleanups[:last]
		f()
	}
}
