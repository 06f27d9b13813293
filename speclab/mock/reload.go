package mock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a save may take: editors truncate and write, or write beside and rename, and tell of each.
const settle = 75 * time.Millisecond

// longest is how long saves that follow one another are waited for.
const longest = time.Second

// watcher tells of saves. Folders are watched and not files: an editor that saves by renaming puts another file in the
// old one's place.
type watcher struct {
	*fsnotify.Watcher
	dir string
}

func newWatcher(dir string, lists ...[]string) (*watcher, error) {
	inner, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("the spec's files cannot be watched: %w", err)
	}
	w := &watcher{inner, dir}
	if err := inner.Add(dir); err != nil {
		return nil, fmt.Errorf("the spec's folder cannot be watched: %w", errors.Join(err, inner.Close()))
	}
	for _, files := range lists {
		w.follow(files)
	}
	return w, nil
}

// follow watches the folders of files too. One that is gone is told by the next load, so it is no error here.
func (w *watcher) follow(files []string) {
	for _, file := range files {
		if folder := path.Dir(file); !slices.Contains(w.WatchList(), filepath.Join(w.dir, folder)) {
			_ = w.Add(filepath.Join(w.dir, folder))
		}
	}
}

// concerns reports whether an event may change the spec: a spec file, or a folder that is new.
func (w *watcher) concerns(event fsnotify.Event) bool {
	if event.Op == fsnotify.Chmod {
		return false
	}
	switch filepath.Ext(event.Name) {
	case ".yaml", ".yml", ".json":
		return !strings.HasPrefix(filepath.Base(event.Name), ".")
	}
	if event.Has(fsnotify.Create) {
		if info, err := os.Stat(event.Name); err == nil && info.IsDir() {
			return w.Add(event.Name) == nil
		}
	}
	return false
}

// name is what a file is called in the spec's folder.
func (w *watcher) name(file string) string {
	if name, err := filepath.Rel(w.dir, file); err == nil {
		return filepath.ToSlash(name)
	}
	return file
}

// watch loads again after each save, until the context ends. What it has seen is how the files were before they were
// first read.
func (l *Lab) watch(ctx context.Context, w *watcher, seen map[string]string) {
	defer close(l.stopped)
	defer w.Close()
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	looks := time.NewTicker(look)
	defer looks.Stop()
	saved := make(map[string]bool)
	var first time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-w.Events:
			if !ok {
				return
			}
			if !w.concerns(event) {
				continue
			}
			if len(saved) == 0 {
				first = time.Now()
			}
			saved[w.name(event.Name)] = true
			quiet.Reset(min(settle, max(0, longest-time.Since(first))))
		case err := <-w.Errors:
			fmt.Fprintf(l.config.Out, "spec: a save may have been missed: %v\n", err)
			quiet.Reset(settle) // too many at once: look again
		case <-looks.C:
			if len(saved) > 0 {
				continue // they are about to be read
			}
			now := l.stamps(l.files()...)
			if saved = differences(seen, now); len(saved) > 0 {
				first = time.Now()
				w.again(l.files()...)
				quiet.Reset(settle)
			}
			seen = now
		case <-quiet.C:
			seen = l.stamps(l.files()...) // before they are read, so that what is saved meanwhile is seen
			l.reload(w, saved)
			clear(saved)
		}
	}
}

// reload takes up what was saved, or tells why not.
func (l *Lab) reload(w *watcher, saved map[string]bool) {
	before, began := l.current.Load(), l.config.Now()
	after, err := l.load()
	took := l.config.Now().Sub(began).Round(time.Millisecond)
	mended := l.broken
	if l.broken = err != nil; l.broken {
		fmt.Fprintf(l.config.Out, "spec: %s\nspec: still serving the spec of %s\n",
			strings.ReplaceAll(err.Error(), "\n", "\nspec: "), before.since.Format(time.TimeOnly))
		return
	}
	l.current.Store(after)
	w.follow(after.api.Files)
	changes := changesBetween(before, after)
	switch {
	case len(changes) > 0:
	case before.document != after.document:
		changes = []string{"texts and examples only"}
	case mended:
		changes = []string{"as it was before it broke"}
	default:
		return
	}
	fmt.Fprintf(l.config.Out, "spec: reloaded %s in %s: %s\n", names(saved), took, strings.Join(changes, ", "))
}

func names(set map[string]bool) string {
	var all []string
	for name := range set {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
