package mock

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"postern/speclab/spec"
)

// How long the server waits before it reads what was saved.
const (
	quietTime   = 75 * time.Millisecond // editors truncate and write, or write beside and rename; each is an event
	longestWait = time.Second           // for saves that follow one another without a pause
	statEvery   = time.Second           // see watch
)

// saves are the files that were saved and not read yet.
type saves struct {
	files map[string]bool
	first time.Time
	quiet *time.Timer // ends when they are to be read
}

func (p *saves) add(file string) {
	if len(p.files) == 0 {
		p.first = time.Now()
	}
	p.files[file] = true
	p.quiet.Reset(min(quietTime, max(0, longestWait-time.Since(p.first))))
}

// watch loads the spec again after each save, until the context ends. Events report most saves. Where none does (the
// folder was replaced, or a link leads to a file in a folder that is not watched) the files' stamps show it: they are
// compared every second. The stamps that it is given were taken before the files were first read.
func (s *Server) watch(ctx context.Context, w *watcher, before map[string]string) {
	defer close(s.stopped)
	defer w.Close()
	saved := saves{files: make(map[string]bool), quiet: time.NewTimer(time.Hour)}
	saved.quiet.Stop()
	ticker := time.NewTicker(statEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-w.Events:
			if !ok {
				return
			}
			if w.concerns(event) {
				saved.add(w.name(event.Name))
			}
		case err := <-w.Errors:
			fmt.Fprintf(s.config.Out, "spec: a save may have been missed: %v\n", err)
			saved.quiet.Reset(quietTime) // too many at once: read again
		case <-ticker.C:
			if len(saved.files) > 0 {
				continue // they are about to be read
			}
			now := stamps(s.config.Dir, s.files())
			for file := range savedBetween(before, now) {
				saved.add(file)
			}
			if len(saved.files) > 0 {
				w.restart(s.files())
			}
			before = now
		case <-saved.quiet.C:
			before = stamps(s.config.Dir, s.files()) // before they are read, so that a save meanwhile is seen
			s.reload(w, saved.files)
			clear(saved.files)
		}
	}
}

// files are those that the spec was read from, and those that the next one begins with.
func (s *Server) files() []string { return slices.Concat(s.config.Files, s.current.Load().api.Files) }

// reload serves what was saved, or prints why it cannot.
func (s *Server) reload(w *watcher, saved map[string]bool) {
	before, start := s.current.Load(), s.config.Now()
	after, err := s.load()
	took := s.config.Now().Sub(start).Round(time.Millisecond)
	wasBroken := s.broken
	if s.broken = err != nil; s.broken {
		s.document.Store(before.documentWith(err))
		fmt.Fprintf(s.config.Out, "spec: %s\nspec: still serving the spec of %s\n",
			strings.ReplaceAll(err.Error(), "\n", "\nspec: "), before.since.Format(time.TimeOnly))
		return
	}
	s.serve(after)
	w.addFoldersOf(after.api.Files)
	defer func() { fmt.Fprint(s.config.Out, warningLines(before.warnings(), after.warnings())) }() // served meanwhile
	changes := changesBetween(before, after)
	switch {
	case len(changes) > 0:
	case !sameDemands(before.document, after.document):
		changes = []string{"constraints"}
	case before.document != after.document:
		changes = []string{"texts and examples only"}
	case wasBroken:
		changes = []string{"as it was before it broke"}
	default:
		return
	}
	names := strings.Join(slices.Sorted(maps.Keys(saved)), ", ")
	fmt.Fprintf(s.config.Out, "spec: reloaded %s in %s: %s\n", names, took, strings.Join(changes, ", "))
}

// warningLines are the warnings after a save for the console.
func warningLines(before, now spec.Problems) string {
	var out strings.Builder
	for _, line := range spec.WarningsAfter(before, now) {
		out.WriteString("spec: " + line + "\n")
	}
	return out.String()
}
