// Bench measures Postern beside a bare Echo server that answers the same bytes, in one run on one machine, and prints a
// Markdown table for BENCHMARKS.md. `make bench` runs all of it; `go run ./test/bench -only whoami,refresh` a part.
//
// # How it measures
//
// The servers are processes of their own, built with the same flags and listening on loopback: Postern as a user would
// run it, and the bare server (bare.go), an Echo handler without tokens, sessions or a database. The clients are a
// closed loop in this process (client.go): each has one connection and sends its next request when the last is
// answered.
//
// What is compared runs in turn, A B A B, so that what else the machine does hits both; of the ratios of the rounds the
// median is told, with the least and the greatest. An answer other than 200 ends the run with exit code 1. No time is
// judged: the goals stand beside the figures, and the reader compares.
//
// # What it does not show
//
// Clients and server share the cores, so the figures per second are below what the server could do alone, and ratios
// are kinder than those of the CPU time per request, which stands beside them. The page cache is warm.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// measurements in the order of the report.
var measurements = []struct {
	name string
	run  func(*bench, context.Context) ([]row, error)
}{
	{"whoami", (*bench).whoami},
	{"refresh", (*bench).refresh},
	{"latency", (*bench).latency},
	{"oauth", (*bench).oauth},
	{"redeem", (*bench).redeem},
	{"pages", (*bench).pages},
	{"strangers", (*bench).strangers},
	{"login", (*bench).login},
	{"memory", (*bench).memory},
	{"start", (*bench).start},
	{"scale", (*bench).scale},
	{"kept", (*bench).kept},
	{"postgres", (*bench).postgres},
	{"replicas", (*bench).replicas},
	{"tokens", (*bench).tokens},
	{"home", (*bench).home},
}

// bench is one run of the program.
type bench struct {
	seconds   time.Duration // of each measurement in each round
	rounds    int
	sessions  int    // in the large database
	abandoned int    // authorizations that strangers begin and leave
	dir       string // for everything that is built or written; removed at the end
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) == 2 && args[0] == "bare" {
		return serveBare(ctx, args[1])
	}
	b, only, err := options(args)
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(b.dir, "postern-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	progress("building")
	if err := b.build(ctx); err != nil {
		return err
	}
	began := time.Now()
	var rows []row
	for _, m := range measurements {
		if len(only) > 0 && !slices.Contains(only, m.name) {
			continue
		}
		progress("%s", m.name)
		more, err := m.run(b, ctx)
		if err := errors.Join(err, ctx.Err()); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		rows = append(rows, more...)
	}
	disk, err := b.fsync()
	if err != nil {
		return err
	}
	report(os.Stdout, b, disk, time.Since(began), rows)
	return nil
}

func options(args []string) (*bench, []string, error) {
	b := &bench{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	seconds := flags.Float64("seconds", 5, "seconds of each measurement in each round")
	flags.IntVar(&b.rounds, "rounds", 5, "rounds, in which what is compared runs in turn")
	flags.IntVar(&b.sessions, "sessions", 1_000_000, "sessions in the large database of scale")
	flags.IntVar(&b.abandoned, "abandoned", 20_000,
		"authorizations that strangers begin and leave; the goal speaks of 1000000")
	flags.StringVar(&b.dir, "dir", "", "folder on the disk to measure; default: the folder for temporary files")
	only := flags.String("only", "",
		"measurements to run, joined by commas: "+strings.Join(names(), ",")+"; default: all")
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	b.seconds = time.Duration(*seconds * float64(time.Second))
	if flags.NArg() > 0 || b.rounds < 1 || b.seconds <= 0 || b.sessions < setSize ||
		b.abandoned < refreshers {
		return nil, nil, fmt.Errorf("need at least one round, some seconds, %d sessions, %d abandoned authorizations, "+
			"and no further arguments", setSize, refreshers)
	}
	if *only == "" {
		return b, nil, nil
	}
	chosen := strings.Split(*only, ",")
	for _, name := range chosen {
		if !slices.Contains(names(), name) {
			return nil, nil, fmt.Errorf("there is no measurement %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	return b, chosen, nil
}

func names() (all []string) {
	for _, m := range measurements {
		all = append(all, m.name)
	}
	return all
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}
