package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"postern/handlers"
	"postern/speclab/mock"
	"postern/speclab/requests"
	"postern/speclab/spec"
)

type specCalls struct {
	Recording string   `arg:"" help:"An HTTP Archive (HAR): what serve --record has written, or a browser has saved."`
	Files     []string `arg:"" optional:"" name:"file" help:"What has the operations: specs, each a file or a folder of files; by default Postern's contract."`

	SpecRoot string `placeholder:"DIR" help:"The folder that the files may refer into; by default the one that they lie in."`
}

// Help is shown by 'postern spec calls --help'.
func (*specCalls) Help() string {
	return `An id in a path is written {}, and requests that differ in nothing else count as one operation.

Examples:
  postern serve --dev --record session.har
  postern spec calls session.har
  postern spec calls session.har login.yaml api/login.yaml

Exit status:
  0  the spec has every operation that was called
  1  it does not
  2  the recording or the spec cannot be used`
}

// Run prints the calls that the spec does not have.
func (cmd *specCalls) Run(w world) error {
	missing, total, err := cmd.missing(w)
	if err != nil {
		return exitStatus{code: 2, err: err}
	}
	summary := missing.Summary()
	fmt.Fprintf(w.stdout, "requests: %d\n%s", total, summary)
	if summary != "" {
		return exitStatus{code: 1}
	}
	fmt.Fprintln(w.stdout, "the spec has every operation that was called")
	return nil
}

// finder gives the name of a request's operation, or none.
type finder = func(method, path string) string

func (cmd *specCalls) missing(w world) (*requests.Calls, int, error) {
	specs, err := cmd.specs(w)
	if err != nil {
		return nil, 0, err
	}
	var finders []finder
	for _, api := range specs {
		find, err := mock.Finder(api, handlers.Alias)
		if err != nil {
			return nil, 0, err
		}
		finders = append(finders, find)
	}
	file, err := os.Open(cmd.Recording)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	missing, total, err := requests.Missing(file, func(method, path string) bool {
		return slices.ContainsFunc(finders, func(find finder) bool { return find(method, path) != "" })
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", cmd.Recording, err)
	}
	return missing, total, err
}

// specs are what the calls are held against. Each argument is a spec of its own: an edited spec and the contract may
// have the same operation, and not alike.
func (cmd *specCalls) specs(w world) ([]*spec.API, error) {
	if len(cmd.Files) == 0 {
		api, err := spec.Load(w.Source, "api/login.yaml")
		return []*spec.API{api}, err
	}
	all, wrong := spec.FindFiles(cmd.SpecRoot, cmd.Files)
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	var specs []*spec.API
	for _, given := range cmd.Files {
		files, wrong := spec.FindFiles(all.Dir, []string{given})
		if len(wrong) > 0 {
			return nil, errors.Join(wrong...)
		}
		api, err := files.Load()
		if err != nil {
			return nil, err
		}
		specs = append(specs, api)
	}
	return specs, nil
}
