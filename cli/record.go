package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"postern/speclab/requests"
)

// recordFlags say what becomes of the request log.
type recordFlags struct {
	Quiet  bool   `env:"POSTERN_QUIET" help:"With --spec or --dev: print no line about each request."`
	Record string `env:"POSTERN_RECORD" placeholder:"FILE" help:"With --spec or --dev: write all requests and answers, without their secrets, to a new file, as an HTTP Archive (HAR 1.2) of at most 256 MiB."`
}

// problems are those of the flags; lab reports whether there are requests to log.
func (f *recordFlags) problems(lab, linger bool) (all []error) {
	if !lab && f.Quiet {
		all = append(all, errors.New("--quiet is without --spec or --dev, which print the requests"))
	}
	if f.Record == "" {
		return all
	}
	if !lab {
		all = append(all, fmt.Errorf("--record %q is without --spec or --dev, whose requests are recorded", f.Record))
	}
	if linger {
		all = append(all, fmt.Errorf("--record %q and --linger: the next server cannot go on with the file; leave "+
			"one of them out", f.Record))
	}
	if _, err := os.Lstat(f.Record); err == nil {
		all = append(all, fmt.Errorf("--record %q is there already; move it away, or name another file", f.Record))
	}
	return all
}

// newLog makes the request log, and its file.
func (f *recordFlags) newLog(out io.Writer) (*requests.Log, error) {
	config := requests.Config{Out: out, Now: time.Now}
	if f.Quiet {
		config.Out = nil
	}
	if f.Record != "" {
		file, err := os.OpenFile(f.Record, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("--record: %w", err)
		}
		config.Record = file
	}
	return requests.New(config)
}
