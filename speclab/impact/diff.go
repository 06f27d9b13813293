package impact

import (
	"errors"
	"sync"

	"postern/speclab/spec"
)

// Given are spec files as a person names them.
type Given struct {
	Files []string // and folders of them
	Root  string   // the folder that nothing is read outside of; empty: the deepest that holds all Files
}

// Diff compares two specs, neither of which needs to be Postern's: it is the half of a check that needs no source, with
// the old spec in place of the contract. Each is the whole of its API. When one of them is no usable spec, the report
// says why; an error is about everything else.
func Diff(old, edited Given) (*Report, error) {
	was, wrong := spec.FindFiles(old.Root, old.Files)
	now, more := spec.FindFiles(edited.Root, edited.Files)
	if wrong = append(wrong, more...); len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	was.CopyOf, now.CopyOf = now.Dir, was.Dir
	r := &revision{}
	var unusable [2]error
	var both sync.WaitGroup
	both.Go(func() { r.contract, unusable[0] = locateFiles(was) })
	both.Go(func() { r.edited, unusable[1] = locateFiles(now) })
	both.Wait()
	if errors.Join(unusable[:]...) != nil {
		return problemReport(unusable[:]...)
	}
	r.document = r.edited.document
	report := &Report{alone: true}
	all := r.edited.api.Warnings()
	fresh := all.Since(r.contract.api.Warnings())
	report.Gaps, report.oldGaps = fresh.In(r.edited.folder), len(all)-len(fresh)
	var err error
	if report.Changes, err = r.changes(); err != nil {
		return problemReport(err)
	}
	return report, nil
}

func locateFiles(files spec.Files) (*located, error) {
	api, err := loadFiles(files)
	if err != nil {
		return nil, err
	}
	api.Warnings() // finds them while the other spec is read
	return locate(api, files.Folder())
}

// loadFiles reads spec files. When they are no usable spec the error is of type [spec.Problems], and their places begin
// with the folder.
func loadFiles(files spec.Files) (*spec.API, error) {
	api, err := files.Load()
	var problems spec.Problems
	if errors.As(err, &problems) {
		return nil, problems.In(files.Folder())
	}
	return api, err
}

// problemReport makes a report of errors that say why a spec cannot be used. If one says something else it is an error.
func problemReport(all ...error) (*Report, error) {
	report := &Report{}
	for _, err := range all {
		var problems spec.Problems
		if err != nil && !errors.As(err, &problems) {
			return nil, err
		}
		report.Problems = append(report.Problems, problems...)
	}
	return report, nil
}
