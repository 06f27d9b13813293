package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// files reads each file of a spec once.
type files struct {
	fsys    fs.FS
	folders []string // the folder's own names, if known: a reference may leave by the parent and come back
	read    map[string]*file
	total   int64
}

// file is one file of a spec: its content or why there is none.
type file struct {
	root    *node
	missing string // why it counts as not there
	problem Problems
}

func newFiles(fsys fs.FS) *files {
	f := &files{fsys: fsys, read: make(map[string]*file)}
	if named, ok := fsys.(named); ok {
		f.folders = named.names
	}
	return f
}

// names lists what was read.
func (f *files) names() []string {
	var names []string
	for name, one := range f.read {
		if one.missing == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// open gives a file's content. It is read at most once.
func (f *files) open(name string) *file {
	if known, ok := f.read[name]; ok {
		return known
	}
	one := &file{}
	f.read[name] = one
	data, err := f.load(name)
	var problem Problem
	switch {
	case errors.As(err, &problem):
		one.problem = Problems{problem}
	case err != nil:
		one.missing = reason(err)
	default:
		one.root, one.problem = parse(name, data)
	}
	return one
}

// reason is an error without the path, which the reader of the message has already.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "is not there"
	}
	return "cannot be read (" + err.Error() + ")"
}

// load reads the bytes. A file is looked at before it is opened, because opening a FIFO would wait for a writer.
func (f *files) load(name string) ([]byte, error) {
	refuse := func(what, fix string) error {
		return Problem{Position: Position{File: name}, What: what, Fix: fix}
	}
	info, err := fs.Stat(f.fsys, name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	case len(f.read) > maxFiles:
		return nil, refuse(fmt.Sprintf("this is file number %d of the spec", len(f.read)),
			fmt.Sprintf("split the API: %d files are read at most", maxFiles))
	case info.Size() > maxFile:
		return nil, tooLarge(name)
	}
	opened, err := f.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	data, err := io.ReadAll(io.LimitReader(opened, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, tooLarge(name)
	}
	if f.total += int64(len(data)); f.total > maxTotal {
		return nil, refuse(fmt.Sprintf("with this file the spec is larger than %d MB", maxTotal>>20),
			"leave out what the API does not need")
	}
	return data, nil
}

func tooLarge(name string) error {
	return Problem{Position: Position{File: name}, What: fmt.Sprintf("the file is larger than %d MB", maxFile>>20),
		Fix: "split it, or leave out long examples"}
}

// Named gives a folder's file system the folder's own name, or several, so that a reference like
// ../client-server/definitions/error.yaml, which leaves client-server and comes back, is understood. Without a name it
// leads out.
func Named(fsys fs.FS, names ...string) fs.FS { return named{fsys, names} }

type named struct {
	fs.FS
	names []string
}

func (n named) Stat(name string) (fs.FileInfo, error) { return fs.Stat(n.FS, name) }

// locate is the file that a reference names, seen from the file it is written in. outside says why it is none of the
// folder's.
func (f *files) locate(from, ref string) (name, outside string) {
	switch {
	case strings.Contains(ref, "://") || strings.HasPrefix(ref, "//") || hasScheme(ref):
		return "", "is an address, and nothing is fetched"
	case strings.HasPrefix(ref, "/") || strings.HasPrefix(ref, `\`):
		return "", "begins at the root of the disk, outside the spec's folder"
	}
	name = path.Join(path.Dir(from), ref)
	for _, folder := range f.folders {
		name = strings.TrimPrefix(name, "../"+folder+"/")
	}
	if !fs.ValidPath(name) || strings.ContainsAny(name, "\x00\\") {
		return "", "lies outside the spec's folder"
	}
	return name, ""
}

// hasScheme tells an address (file:x, mailto:x, C:x) from a relative path.
func hasScheme(ref string) bool {
	colon := strings.IndexByte(ref, ':')
	if colon <= 0 || strings.ContainsRune(ref[:colon], '/') {
		return false
	}
	for _, c := range strings.ToLower(ref[:colon]) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("+-.", c) {
			return false
		}
	}
	return true
}
