package cli

import (
	"postern/speclab/impact"
)

type specDiff struct {
	Old string `arg:"" help:"The spec as it was: OpenAPI or Swagger, a file or a folder of them."`
	New string `arg:"" help:"The spec as it is now, a file or a folder."`

	OldRoot string `placeholder:"DIR" help:"The folder that the files of OLD may refer into; by default the one that they lie in."`
	NewRoot string `placeholder:"DIR" help:"The folder that the files of NEW may refer into; by default the one that they lie in."`
	reportFlags
}

// Help is shown by 'postern spec diff --help'.
func (*specDiff) Help() string {
	return `Neither spec needs to be Postern's: compare two branches of any OpenAPI. It is the first half of
'postern spec check', with OLD in place of the built-in contract. It needs no Go, and nothing of
a server. Both are taken as the whole of their API: what NEW does not mention is removed.

Examples:
  postern spec diff main/api.yaml api.yaml
  postern spec diff main/data/api/client-server data/api/client-server --old-root main/data --new-root data
  postern spec diff main/api api --format sarif > spec.sarif

Exit status:
  0  nothing breaks clients
  1  something breaks clients (not: may break)
  2  a spec cannot be used, or the comparison could not be made`
}

// Run compares and prints.
func (cmd *specDiff) Run(w world) error {
	report, err := impact.Diff(impact.Given{Files: []string{cmd.Old}, Root: cmd.OldRoot},
		impact.Given{Files: []string{cmd.New}, Root: cmd.NewRoot})
	return cmd.end(w, report, err)
}
