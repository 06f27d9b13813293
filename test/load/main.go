// Load puts a mix of requests on the real binary for minutes and looks whether it holds: `make load`, or a part of it
// by
//
//	go run ./test/load -engine sqlite -minutes 1
//
// The mix is what a homeserver asks of its login server: 90 % checks of an access token, 9 % refreshes, 1 % logins. The
// loop is closed: each worker sends its next request when its last is answered, as fast as the server lets it. Rate
// limits are off.
//
// With -flood it measures something else: how long an honest login takes while many guess at passwords.
//
//	go run ./test/load -flood 0,50,200,400
//
// It prints a table for each engine and exits with 1 on any answer other than 200, and when the server holds more
// memory, goroutines or descriptors after the load than before, give or take. No time is judged. For PostgreSQL it
// needs what package postgres needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// load is one run of the program.
type load struct {
	minutes   float64
	workers   int
	sessions  int
	guesses   []int  // how many wrong passwords at a time, in place of the mix
	seconds   int    // of each
	addresses int    // that they come from
	moved     bool   // guess at accounts that came from Synapse
	dir       string // for everything that is built or written; removed at the end
	binary    string
}

var engines = map[string][]string{"sqlite": {"sqlite"}, "postgres": {"postgres"}, "both": {"sqlite", "postgres"}}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	l, chosen, err := options(args)
	if err != nil {
		return err
	}
	if l.dir, err = os.MkdirTemp("", "postern-load-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(l.dir)) }()
	if l.binary == "" {
		progress("building")
		if l.binary, err = build(ctx, l.dir); err != nil {
			return err
		}
	}
	if len(l.guesses) > 0 {
		return l.floods(ctx, l.guesses)
	}
	var failed error
	for _, engine := range chosen {
		if err := l.on(ctx, engine); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", engine, err))
		}
	}
	return failed
}

func options(args []string) (*load, []string, error) {
	l := &load{}
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.Float64Var(&l.minutes, "minutes", 5, "minutes of load on each engine")
	flags.IntVar(&l.workers, "workers", 32, "requests at a time")
	flags.IntVar(&l.sessions, "sessions", 256, "sessions that are checked and refreshed")
	flags.IntVar(&l.seconds, "seconds", 20, "seconds of each flood")
	flags.IntVar(&l.addresses, "addresses", 0, "addresses that they come from; 0: one each")
	flags.BoolVar(&l.moved, "moved", false, "guess at accounts with Synapse's hashes, and not at names that nobody has")
	flags.StringVar(&l.binary, "binary", "", "a Postern that is built already, such as an older one")
	flags.Func("flood", "wrong passwords at a time: numbers, separated by commas", l.numbers)
	engine := flags.String("engine", "both", "sqlite, postgres or both")
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	if l.minutes <= 0 || l.workers < 1 || l.sessions < l.workers || flags.NArg() > 0 {
		return nil, nil,
			errors.New("need some minutes, a worker, as many sessions as workers, and no further arguments")
	}
	chosen, known := engines[*engine]
	if !known {
		return nil, nil, fmt.Errorf("there is no engine %q; there are sqlite, postgres and both", *engine)
	}
	return l, slices.Clone(chosen), nil
}

// numbers reads how many are to guess at a time.
func (l *load) numbers(text string) error {
	for _, word := range strings.Split(text, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number", word)
		}
		l.guesses = append(l.guesses, n)
	}
	return nil
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}
