// Ha takes the leader of a PostgreSQL cluster away, in every way that it knows, and looks what clients feel of it:
// `make ha`, or a part of it by
//
//	go run ./test/ha -only kill,network -replication synchronous
//
// Patroni, with its defaults (a leader is given up after 30 s) and with etcd, runs three PostgreSQL servers, behind
// HAProxy as Patroni's documentation has it. Three replicas of Postern use them, behind nginx, and 32 clients use
// those: they log in, refresh, check and log out all the time. Everything is on loopback. Between all that belongs to
// one server and the rest are relays, so that its network can be cut.
//
//	switchover  Patroni is asked for another leader
//	kill        the leader's Patroni and PostgreSQL are killed by SIGKILL; with asynchronous
//	            replication, after its standbys have got nothing for a second
//	network     nothing comes through to the leader, nor from it, though it runs
//	freeze      the leader's Patroni and PostgreSQL are stopped by SIGSTOP
//
// It prints a table and exits with 1 if a client did not get what package fleet says that it is owed. No time is
// judged. It takes ten minutes, and what `test/ha/install` installs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"postern/test/rig/process"
	"postern/test/rig/standin"
)

// options are what is tried, and on what.
type options struct {
	only        []string
	replication []string
	direct      bool
	seed        uint64

	patroni string // folder of its programs
	binary  string // Postern
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "ha:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "postern-ha-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	progress("building, and looking what is installed")
	if o.binary, err = process.Build(ctx, dir); err != nil {
		return err
	}
	if o.patroni, err = install(ctx); err != nil {
		return err
	}
	var rows []row
	for _, replication := range o.replication {
		more, wrong := o.on(ctx, dir, replication)
		rows, err = append(rows, more...), errors.Join(err, wrong)
	}
	report(os.Stdout, rows)
	return err
}

// words is what a flag of several words may say.
func words(flags *flag.FlagSet, into *[]string, name, usage string, known ...string) {
	*into = known
	flags.Func(name, usage+": "+strings.Join(known, ", ")+"; default all", func(text string) error {
		*into = strings.Split(text, ",")
		for _, word := range *into {
			if !slices.Contains(known, word) {
				return fmt.Errorf("there is no %q", word)
			}
		}
		return nil
	})
}

func parse(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("ha", flag.ContinueOnError)
	words(flags, &o.only, "only", "what happens to the leader, separated by commas",
		"switchover", "kill", "network", "freeze")
	words(flags, &o.replication, "replication", "how it is replicated", "synchronous", "asynchronous")
	flags.BoolVar(&o.direct, "direct", false, "name the three servers in the DSN, and leave HAProxy out")
	flags.Uint64Var(&o.seed, "seed", 1, "of what the clients do")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, errors.New("takes no further arguments")
	}
	return o, nil
}

// install has the script install what is missing.
func install(ctx context.Context) (folder string, err error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(strings.TrimSpace(string(root)), "test/ha/install"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("test/ha/install: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// on makes a cluster, and lets one thing after the other happen to it.
func (o *options) on(ctx context.Context, dir, replication string) (rows []row, err error) {
	t := standin.New(ctx, dir)
	defer func() { err = t.End(recover(), err) }()
	progress("%s: three servers, three replicas", replication)
	s := newSite(t, o, replication == "synchronous")
	for _, what := range o.only {
		progress("%s: %s", replication, what)
		r := s.try(what)
		r.replication = replication
		progress("%s: %s: %s", replication, what, r.progress())
		rows = append(rows, r)
		err = errors.Join(err, r.err)
	}
	return rows, err
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}
