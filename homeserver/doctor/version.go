package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"postern/homeserver/delegation"
)

// Release is a release of Synapse's, such as 1.136.0; empty: not known.
type Release string

// Oldest is the first release that has matrix_authentication_service, Tried those that Postern was tried with.
const (
	Oldest = Release("1.136.0")
	Tried  = "1.136.0, 1.137.0 and 1.163.2"
)

// ReleaseOf finds which release a Synapse is: it asks the one that runs (Server-Server API v1.19, "Server version"), or
// else looks for the package beside the configuration and where Debian's lies.
func ReleaseOf(ctx context.Context, c *delegation.Config, homeserver string) Release {
	if url := homeserverURL(c, homeserver); url != "" {
		a := ask(ctx, http.MethodGet, url+"/_matrix/federation/v1/version", "", "")
		var says struct {
			Server struct{ Name, Version string }
		}
		_ = json.Unmarshal(a.body, &says)
		if says.Server.Name == "Synapse" {
			return release(says.Server.Version)
		}
		if version, is := strings.CutPrefix(a.server, "Synapse/"); is { // its listener has no federation
			return release(version)
		}
	}
	return installedBeside(filepath.Dir(c.Paths()[0]))
}

var releaseForm = regexp.MustCompile(`^[0-9]+\.[0-9]+(\.[0-9]+)?(rc[0-9]+)?`)

// release takes what stands behind a version away, such as the branch.
func release(text string) Release { return Release(releaseForm.FindString(text)) }

// installedBeside looks for a Python with Synapse in a folder, in the one above, and where Debian has it. Where there
// are several it is not known which runs.
func installedBeside(folder string) Release {
	var found []Release
	for _, place := range []string{filepath.Join(folder, "*"), filepath.Join(folder, "..", "*"),
		"/opt/venvs/matrix-synapse"} {
		pattern := filepath.Join(place, "lib", "python3*", "site-packages", "matrix_synapse-*.dist-info")
		names, _ := filepath.Glob(pattern) // it errs about a bad pattern alone: a folder with a bracket in its name
		for _, name := range names {
			is := release(strings.TrimPrefix(filepath.Base(name), "matrix_synapse-"))
			if !slices.Contains(found, is) {
				found = append(found, is)
			}
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// TooOld reports whether a release cannot leave its accounts to another server. One that is not known may.
func (r Release) TooOld() bool { return r != "" && slices.Compare(r.parts(), Oldest.parts()) < 0 }

// parts are the numbers of a release; a candidate counts as the release.
func (r Release) parts() (all []int) {
	text, _, _ := strings.Cut(string(r), "rc")
	for _, part := range strings.SplitN(text+".0.0", ".", 4)[:3] {
		n, err := strconv.Atoi(part)
		if err != nil {
			n = 0 // unreachable: see releaseForm
		}
		all = append(all, n)
	}
	return all
}

// Refusal says why a release that is too old cannot be used, and what to do.
func (r Release) Refusal() (what, fix string) {
	return fmt.Sprintf("Synapse is %s, and matrix_authentication_service, by which it leaves its accounts to Postern, "+
		"came with %s", r, Oldest), "update Synapse; Postern was tried with " + Tried
}

// release looks which release Synapse is.
func (x *examination) release(ctx context.Context) {
	switch r := ReleaseOf(ctx, x.Synapse, x.Homeserver); {
	case r.TooOld():
		x.problem(r.Refusal())
	case r == "":
		x.warn("which release Synapse is was not found out: it does not run, and no package lies beside its "+
			"configuration", fmt.Sprintf("see that it is %s or newer; Postern was tried with %s", Oldest, Tried))
	default:
		x.ok("Synapse is %s; Postern was tried with %s", r, Tried)
	}
}
