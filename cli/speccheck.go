package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"postern/handlers"
	"postern/speclab/impact"
)

// specCmds are the commands for people who change the contract.
type specCmds struct {
	Check specCheck `cmd:"" help:"Report what a changed spec breaks, and what the handlers must change for it."`
	Calls specCalls `cmd:"" help:"Report which operations a client called that a spec does not have."`
	Diff  specDiff  `cmd:"" help:"Report what breaks clients between two specs, neither of which needs to be Postern's."`
	Watch specWatch `cmd:"" help:"On each save of api/login.yaml generate, compile and test, and print what the handlers must change."`
}

type specCheck struct {
	Files []string `arg:"" name:"file" help:"The spec: OpenAPI or Swagger, one or more files, or a folder of them."`

	SpecRoot string `placeholder:"DIR" help:"The folder that the files may refer into; by default the one that they lie in."`
	Whole    bool   `help:"The spec is all of the API: an operation that it does not mention is removed."`
	Source   string `placeholder:"DIR" help:"Postern's source; by default the one that you are in, else the one that this binary was made of."`
	reportFlags
}

// reportFlags say how a report is printed.
type reportFlags struct {
	Format string `enum:"text,json,github,sarif" default:"text" help:"text, json, github: annotations for a workflow there, or sarif: SARIF 2.1.0, for code scanning."`
}

// Help is shown by 'postern spec check --help'.
func (*specCheck) Help() string {
	return `The first half compares the spec with the built-in contract and reports for each change whether it
breaks clients. The second half generates Go from the spec and compiles what implements it (handlers, and
oauth and homeserver beside them) in a temporary folder; it needs the go command. Each compile error is
reported as owed by a handler, at the line of the spec that caused it. What is beside the handlers is
compiled when they owe nothing. A method that is missing is printed ready to be pasted.

A spec with another title than the contract's is a part of the API: it is laid over the contract, and
what it does not mention stays.

Examples:
  postern spec check api/login.yaml
  postern spec check login.yaml refresh.yaml --format json
  postern spec check my-spec/ --whole --format github

Exit status:
  0  nothing breaks clients, and no handler must change
  1  something breaks clients (not: may break), or a handler must change
  2  the spec cannot be used, or the check could not be made
Without Go the status is that of the first half. What the compiler does not notice is printed and does not count,
nor do warnings: faults of the spec, such as an example that does not match its schema, for which it is not refused.`
}

// Run makes the check and prints it.
func (cmd *specCheck) Run(ctx context.Context, w world) error {
	report, err := impact.CheckFiles(ctx, impact.Request{
		Given: impact.Given{Files: cmd.Files, Root: cmd.SpecRoot}, Whole: cmd.Whole, Source: cmd.Source,
		Embedded: w.Source, Alias: handlers.Alias, Progress: progressOn(w.stderr),
	})
	return cmd.end(w, report, err)
}

// end prints a report, and says with which exit status the command ends.
func (f reportFlags) end(w world, report *impact.Report, err error) error {
	if err == nil {
		err = f.write(report, w.stdout)
	}
	if err != nil {
		if f.Format == "github" { // beside the error itself, which no annotation shows
			fmt.Fprintln(w.stdout, impact.GitHubError(err))
		}
		return exitStatus{code: 2, err: err}
	}
	if status := report.ExitStatus(); status != 0 {
		return exitStatus{code: status}
	}
	return nil
}

func (f reportFlags) write(report *impact.Report, to io.Writer) error {
	switch f.Format {
	case "json":
		return report.WriteJSON(to)
	case "github":
		return report.WriteGitHub(to)
	case "sarif":
		return report.WriteSARIF(to)
	}
	return report.WriteText(to)
}

// progressOn prints what is being done for a person on a terminal, and nothing for a program.
func progressOn(stderr io.Writer) func(string) {
	if file, ok := stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return func(what string) { fmt.Fprintln(stderr, what) }
	}
	return nil
}
