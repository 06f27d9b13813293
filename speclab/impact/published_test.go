package impact

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/handlers"
	"postern/speclab/spec"
)

// publishedSpecs is the folder of the specs that Matrix has published. They are no part of this repository.
func publishedSpecs(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("POSTERN_SHARED"), filepath.Join("..", "..", "..", "shared")} {
		if info, err := os.Stat(filepath.Join(dir, "matrix-spec")); dir != "" && err == nil && info.IsDir() {
			return dir
		}
	}
	t.Skip("the published specs are not at hand: POSTERN_SHARED names their folder")
	return ""
}

// inputOfFiles is a check of spec files against the contract, in this module.
func inputOfFiles(t *testing.T, paths ...string) Input {
	t.Helper()
	files, wrong := spec.FindFiles("", paths)
	if len(wrong) > 0 {
		t.Fatal(errors.Join(wrong...))
	}
	edited, err := files.Load()
	if err != nil {
		t.Fatalf("%v", err)
	}
	in := inputFor(t)
	in.Edited, in.Folder, in.Alias = edited, files.Dir, handlers.Alias
	return in
}

// TestPublished compares each published file with the contract; with -short, one of each folder.
func TestPublished(t *testing.T) {
	t.Parallel()
	shared := publishedSpecs(t)
	for _, pattern := range []string{"matrix-spec/client-server/*.yaml", "draft-2015/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(shared, filepath.FromSlash(pattern)))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files like %s, %v", pattern, err)
		}
		if testing.Short() {
			files = files[:1]
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				_, report, err := compare(inputOfFiles(t, file))
				if err != nil {
					t.Fatal(err)
				}
				if len(report.Changes) == 0 || report.LeftAlone == 0 {
					t.Errorf("%d changes, %d operations left alone", len(report.Changes), report.LeftAlone)
				}
				for _, c := range report.Changes {
					if c.Place.Line == 0 || c.Text == "" {
						t.Errorf("this leads nowhere: %+v", c)
					}
				}
			})
		}
	}
}

// TestPublishedTogether takes all of today's files as one API, and compiles.
func TestPublishedTogether(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles all of Matrix's client-server API")
	}
	t.Parallel()
	report, err := Check(t.Context(), inputOfFiles(t, filepath.Join(publishedSpecs(t), "matrix-spec", "client-server")))
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for _, o := range report.Tasks {
		if o.Signature != "" {
			missing++
		}
		if o.Cause.Place.Line == 0 || o.Handler.Line == 0 || !strings.HasPrefix(o.Handler.File, "handlers/") {
			t.Errorf("this leads nowhere: %+v", o)
		}
	}
	if !report.Compiled || missing < 100 {
		t.Errorf("compiled: %t, %d methods are missing", report.Compiled, missing)
	}
}
