// Package cli is the command line: flags, environment, output. Each command is a file of its name; it parses, calls one
// thing elsewhere and prints. What the server does is in handlers, what a token is in tokens, what is kept in db.
//
// A flag wins over its POSTERN_… variable, and that over the default. All problems of a configuration are reported
// together.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"postern/db"
)

// Program is what the binary knows of itself.
type Program struct {
	Version string // of the release
	Source  fs.FS  // the contract, the generator's settings, and what the handlers are compiled of; without tests
}

// Main runs the command line of this process and ends the process.
func Main(program Program) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP) // the terminal was closed: what was begun is put away
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // the first signal drains, a second one kills
	w := world{Program: program, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv,
		environ: os.Environ()}
	if err := run(ctx, w, os.Args[1:]); err != nil {
		os.Exit(printError(os.Stderr, err))
	}
}

// exitStatus is an error of a command whose exit status says more than that it failed. Without an error there is
// nothing to add to what the command has printed.
type exitStatus struct {
	code int
	err  error
}

func (e exitStatus) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e exitStatus) Unwrap() error { return e.err }

// printError prints what went wrong and returns the program's exit status.
func printError(stderr io.Writer, err error) int {
	status := exitStatus{code: 1, err: err}
	errors.As(err, &status)
	if status.err != nil {
		fmt.Fprintln(stderr, "postern:", status.err)
	}
	return status.code
}

// world is what the program touches outside of files and network, so that a test can be the world.
type world struct {
	Program
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	environ        []string             // all of it, like "NAME=value"
	strange        []string             // what is said of variables in it that nobody reads
	listening      func(address string) // gives a test the address of the server; may be nil
	patience       patience             // with clients; the default when it is zero
}

// operator is the actor of what a command changes: events name the command.
type operator struct{ command string }

// Seen implements [db.Actor]. It says no time: each change is of its own.
func (o operator) Seen() db.Seen { return db.Seen{Agent: o.command} }

// errHelp ends a run that has only shown help.
var errHelp = errors.New("help shown")

// run is the whole program.
func run(ctx context.Context, w world, args []string) (err error) {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("postern"),
		kong.Description("A small login server for Matrix. Tokens are computed, not stored: a lost answer or a "+
			"second tab never logs anyone out."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(w.stdout, w.stderr),
		kong.Exit(func(int) { panic(errHelp) }), // kong ends --help through here
		kong.Vars{"version": w.Version},
	)
	if err != nil {
		return err
	}
	defer func() {
		if cause := recover(); cause != nil && cause != errHelp {
			panic(cause)
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		err = fmt.Errorf("%w\nSee `postern --help`, or `postern COMMAND --help` for examples", err)
		if args[0] == "spec" { // whose exit status 1 says that something breaks
			err = exitStatus{code: 2, err: err}
		}
		return err
	}
	// which names its databases itself, or has none
	if !strings.HasPrefix(command.Command(), "db ") && !strings.HasPrefix(command.Command(), "spec ") {
		if err := c.resolveName(ctx); err != nil {
			return err
		}
	}
	w.strange = strangeVariables(parser.Model, w.environ)
	name, _, _ := strings.Cut(command.Command(), " <")
	command.BindTo(db.By(ctx, operator{"postern " + name}), (*context.Context)(nil))
	return command.Run(w, &c.common)
}
