package spec

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// FuzzLoad: whatever the files hold, Load ends soon, in a document whose parts have places or in problems that have
// them.
func FuzzLoad(f *testing.F) {
	for _, c := range constructs() {
		files := folder(c.spec)
		var one, two []byte
		for name, file := range files {
			if name == "spec.yaml" {
				one = file.Data
			} else {
				two = file.Data
			}
		}
		f.Add(one, two)
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		if len(one)+len(two) > 64<<10 {
			t.Skip("larger than what is of interest")
		}
		fsys := fstest.MapFS{"spec.yaml": {Data: one}, "b.yaml": {Data: two}}
		watch := time.AfterFunc(10*time.Second, func() { panic("it does not end") })
		defer watch.Stop()
		a, err := Load(fsys, "spec.yaml", "b.yaml")
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("%T %v", err, err)
			}
			for _, p := range problems {
				if p.File == "" || p.What == "" || p.Fix == "" {
					t.Errorf("a problem without a place or a fix: %#v", p)
				}
			}
			return
		}
		if _, err := a.YAML(); err != nil {
			t.Fatal(err)
		}
		for path, item := range a.Doc.Paths.Map() {
			for method := range item.Operations() {
				if at := a.At("paths", path, strings.ToLower(method)); at.Line < 1 {
					t.Errorf("%s %s is nowhere", method, path)
				}
			}
		}
	})
}
