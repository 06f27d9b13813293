package mock

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// watcher reports saves. It watches folders and not files: an editor that saves by renaming puts another file in the
// old one's place.
type watcher struct {
	*fsnotify.Watcher
	dir string
}

func newWatcher(dir string, files []string) (*watcher, error) {
	inner, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("the spec's files cannot be watched: %w", err)
	}
	w := &watcher{inner, dir}
	if err := inner.Add(dir); err != nil {
		return nil, fmt.Errorf("the spec's folder cannot be watched: %w", errors.Join(err, inner.Close()))
	}
	w.addFoldersOf(files)
	return w, nil
}

// addFoldersOf watches the folders of files too. One that does not exist is no error here: the next load reports it.
func (w *watcher) addFoldersOf(files []string) {
	for _, file := range files {
		if folder := path.Dir(file); !slices.Contains(w.WatchList(), filepath.Join(w.dir, folder)) {
			_ = w.Add(filepath.Join(w.dir, folder))
		}
	}
}

// restart watches the folders anew. Another folder may have taken the place of one, and a watch on the old one reports
// nothing of it.
func (w *watcher) restart(files []string) {
	for _, folder := range w.WatchList() {
		_ = w.Remove(folder) // its watch may have ended with it
	}
	_ = w.Add(w.dir) // it may not be back yet
	w.addFoldersOf(files)
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

// name is a file's path from the spec's folder.
func (w *watcher) name(file string) string {
	if name, err := filepath.Rel(w.dir, file); err == nil {
		return filepath.ToSlash(name)
	}
	return file
}

// stamps are the size and time of each file, which differ when a file was saved. They are empty for one that is not
// there.
func stamps(dir string, files []string) map[string]string {
	all := make(map[string]string)
	for _, name := range files {
		all[name] = ""
		if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
			all[name] = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
		}
	}
	return all
}

// savedBetween are the files whose stamps differ. A file that the spec has only begun to refer to is not one of them.
func savedBetween(before, after map[string]string) map[string]bool {
	saved := make(map[string]bool)
	for name, stamp := range after {
		if old, known := before[name]; known && old != stamp {
			saved[name] = true
		}
	}
	return saved
}
