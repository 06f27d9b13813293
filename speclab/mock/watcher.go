package mock

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// look is how often the files are looked at, beside being told of saves: nobody tells when their folder was put in
// another's place, or when a link leads to a file in a folder that is not watched.
const look = time.Second

// stamps are what tells one state of the spec's files from the next: size and time.
func (l *Lab) stamps(lists ...[]string) map[string]string {
	all := make(map[string]string)
	for _, name := range slices.Concat(lists...) {
		all[name] = ""
		if info, err := os.Stat(filepath.Join(l.config.Dir, filepath.FromSlash(name))); err == nil {
			all[name] = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
		}
	}
	return all
}

// files are what the spec that is served was read from, and what the next one begins with.
func (l *Lab) files() [][]string { return [][]string{l.config.Files, l.current.Load().api.Files} }

// differences are the files whose stamps are others now. A file that the spec has only begun to refer to is none.
func differences(was, is map[string]string) map[string]bool {
	changed := make(map[string]bool)
	for name, stamp := range is {
		if old, known := was[name]; known && old != stamp {
			changed[name] = true
		}
	}
	return changed
}

// again watches the spec's folders anew: one of that name may be another folder by now, of which a watch on the old one
// tells nothing.
func (w *watcher) again(lists ...[]string) {
	for _, folder := range w.WatchList() {
		_ = w.Remove(folder) // it may have gone by itself
	}
	_ = w.Add(w.dir) // and not be back yet
	for _, files := range lists {
		w.follow(files)
	}
}
