package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/owed"
	"postern/spec"
)

// givenSpecs are the folders of specs that Matrix has published. They are no part of this repository.
func givenSpecs(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("POSTERN_SHARED"), filepath.Join("..", "shared")} {
		if info, err := os.Stat(filepath.Join(dir, "matrix-spec")); dir != "" && err == nil && info.IsDir() {
			return dir
		}
	}
	t.Skip("the published specs are not at hand: POSTERN_SHARED names their folder")
	return ""
}

// given loads specs, or skips.
func given(t *testing.T, paths ...string) owed.Input {
	t.Helper()
	folder, err := specFolder("", paths)
	if err != nil {
		t.Fatal(err)
	}
	fsys, names, closes, err := openSpecs("", paths)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closes() })
	edited, err := spec.Load(fsys, names...)
	if err != nil {
		t.Skipf("package spec does not take it yet: %v", err)
	}
	for _, external := range []string{"definitions/", "../"} {
		if raw, err := edited.YAML(); err != nil || strings.Contains(string(raw), `"$ref":"`+external) {
			t.Skip("package spec leaves references to other files yet")
		}
	}
	contract, err := builtInContract()
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return owed.Input{Contract: contract, Edited: edited, Folder: folder, Config: read(t, generatorConfig), Alias: aliasOf, Source: owed.Source{Module: here}}
}

// TestSpecCheckGiven compares each published file with the contract.
func TestSpecCheckGiven(t *testing.T) {
	t.Parallel()
	shared := givenSpecs(t)
	for _, pattern := range []string{"matrix-spec/client-server/*.yaml", "draft-2015/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(shared, filepath.FromSlash(pattern)))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files like %s, %v", pattern, err)
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				report, err := owed.Compare(given(t, file))
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

// TestSpecCheckGivenTogether takes all of today's files as one API, and compiles.
func TestSpecCheckGivenTogether(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles all of Matrix's client-server API")
	}
	t.Parallel()
	report, err := owed.Check(t.Context(), given(t, filepath.Join(givenSpecs(t), "matrix-spec", "client-server")))
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for _, o := range report.Owed {
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
