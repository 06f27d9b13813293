package house

import (
	"go/build"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// drawing says which folders of this module a folder may import. A name that ends in a slash stands for the folder and
// for all below it, and where several fit a folder the longest counts. Imports run one way:
//
//	main → cli → wings (homeserver/…, oauth/…, mail, notify, speclab/…, admin) → core (handlers → gen, tokens, db,
//	passwords)
//
// The core imports no wing, no wing imports another, and only main imports cli.
var drawing = map[string][]string{
	".": {"cli"},
	"cli": {"homeserver/", "oauth/", "mail", "notify", "speclab/", "admin", "handlers", "gen", "gen/", "tokens", "db",
		"passwords"},
	"admin":       {"handlers", "gen/", "db"},
	"homeserver/": {"homeserver/", "handlers", "gen", "gen/", "tokens", "db"},
	"oauth/":      {"oauth/", "web", "handlers", "gen", "tokens", "db"},
	"web":         {},
	"mail":        {"handlers", "db"},
	"notify":      {"db"},
	"speclab/":    {"speclab/", "handlers", "gen", "tokens", "db"},
	"handlers":    {"gen", "tokens", "db", "passwords"},
	"gen":         {},
	"gen/":        {},
	"tokens":      {},
	"db":          {},
	"passwords":   {},

	"db/dbtest": {"db", "test/rig/postgres"}, // for tests alone
	"test/":     {"test/", "gen", "tokens", "db"},
	// gives tests sessions that came along from a homeserver
	"test/rig/matrixtest": {"gen", "db", "homeserver/imported"},
	// readers' own programs
	"docs/lesson/start":      {"speclab/mock", "speclab/spec", "tokens"},
	"docs/lesson/homeserver": {"tokens"},

	// These know less of this module than their wing may.
	"homeserver/appservice": {},
	"homeserver/delegation": {},
	"homeserver/front":      {},
	"homeserver/importer":   {"db", "handlers", "homeserver/imported"},
	"homeserver/imported":   {"db", "tokens", "homeserver/outbox"},
	"homeserver/outbox":     {"db", "homeserver/synapse"},
	"homeserver/synapse":    {},
	"oauth/passkey":         {},
	"oauth/protocol":        {},
	"speclab/spec":          {},
	"speclab/impact":        {"speclab/spec"},
	"speclab/mock":          {"speclab/requests", "speclab/spec", "tokens"},
	"speclab/page":          {"tokens"},
	"speclab/requests":      {},
}

// forbidden are packages of others that a folder must not import, by prefix.
var forbidden = map[string][]string{
	"cli":                   {"database/sql", "modernc.org/", "github.com/jackc/"},
	"handlers":              {"database/sql", "modernc.org/", "github.com/jackc/", "github.com/pressly/", "os"},
	"tokens":                {"net/http", "database/sql", "os", "math/rand", "crypto/rand"},
	"db":                    {"net/http", "gopkg.in/macaroon", "github.com/labstack/"},
	"passwords":             {"net/http", "database/sql", "crypto/rand"},
	"homeserver/":           {"database/sql", "gopkg.in/macaroon"},
	"homeserver":            {"database/sql", "gopkg.in/macaroon", "os"},
	"homeserver/imported":   {"database/sql", "gopkg.in/macaroon", "os", "net/http"},
	"homeserver/front":      {"database/sql", "gopkg.in/macaroon", "os"},
	"homeserver/synapse":    {"database/sql", "gopkg.in/macaroon", "os"},
	"homeserver/outbox":     {"database/sql", "gopkg.in/macaroon", "os"},
	"homeserver/delegation": {"database/sql", "gopkg.in/macaroon", "net/http"},
	"homeserver/appservice": {"database/sql", "gopkg.in/macaroon", "net/http"},
	// reads other homeservers' databases
	"homeserver/importer": {"net/http", "gopkg.in/macaroon", "github.com/labstack/"},
	"notify":              {"database/sql", "gopkg.in/macaroon", "os"},
	"mail":                {"net/http", "database/sql"},
	"oauth/passkey":       {"net/http", "database/sql", "crypto/rand", "os"},
	"oauth/protocol":      {"net/http", "database/sql", "crypto/rand", "os"},
	"speclab/":            {"database/sql"},
	"speclab/spec":        {"database/sql", "gopkg.in/macaroon", "net/http"},
	"speclab/impact":      {"database/sql", "gopkg.in/macaroon"},
	"speclab/page":        {"database/sql", "github.com/", "gopkg.in/", "os"},
	"speclab/requests":    {"database/sql", "github.com/", "gopkg.in/", "os"},
}

// TestImports reads every file of the module that is no test and fails on an import that the drawing forbids.
func TestImports(t *testing.T) {
	t.Parallel()
	for _, dir := range folders(t) {
		allowed, drawn := longest(drawing, dir)
		if !drawn {
			t.Errorf("%s stands outside the drawing in imports_test.go", dir)
			continue
		}
		never, _ := longest(forbidden, dir)
		for _, imported := range imports(t, dir) {
			to, ours := own(imported)
			switch {
			case ours && !slices.ContainsFunc(allowed, func(a string) bool { return covers(a, to) }),
				!ours && slices.ContainsFunc(never, func(p string) bool { return begins(imported, p) }):
				t.Errorf("%s must not import %s", dir, imported)
			case dir == "tokens" && strings.Contains(imported, ".") && imported != "gopkg.in/macaroon.v2":
				t.Errorf("%s must not import %s: who takes the package along takes macaroon.v2 and nothing else",
					dir, imported)
			}
		}
	}
}

// longest gives the entry of the longest name that covers a folder.
func longest(table map[string][]string, dir string) (entry []string, found bool) {
	if entry, found = table[dir]; found {
		return entry, found
	}
	length := 0
	for name, e := range table {
		if covers(name, dir) && len(name) > length {
			entry, found, length = e, true, len(name)
		}
	}
	return entry, found
}

// covers reports whether a name of the drawing is the folder's own, or that of a wing which it belongs to.
func covers(name, dir string) bool {
	return name == dir || strings.HasSuffix(name, "/") && strings.HasPrefix(dir+"/", name)
}

// begins reports whether an import path is a prefix, lies below it, or continues it in its last segment.
func begins(imported, prefix string) bool {
	return imported == prefix || strings.HasPrefix(imported, prefix+"/") || strings.HasPrefix(imported, prefix+".") ||
		strings.HasSuffix(prefix, "/") && strings.HasPrefix(imported, prefix)
}

// TestDrawing shows the table what it must refuse.
func TestDrawing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		from, to string
		allowed  bool
	}{
		{".", "cli", true},
		{"cli", "homeserver/new", true},
		{"cli", "homeserver", true},
		{"homeserver/new", "homeserver/front", true},
		{"homeserver/new", "db", true},
		{"homeserver/new", "speclab/spec", false},
		{"speclab/new", "homeserver/front", false},
		{"handlers", "homeserver/front", false},
		{"handlers", "speclab/spec", false},
		{"db", "tokens", false},
		{"homeserver/new", "cli", false},
		{"homeserver/new", "test/rig/process", false},
		{"test/rig/process", "cli", false},
	} {
		names, _ := longest(drawing, test.from)
		if got := slices.ContainsFunc(names, func(n string) bool { return covers(n, test.to) }); got != test.allowed {
			t.Errorf("%s may import %s: %t", test.from, test.to, got)
		}
	}
	for _, test := range []struct {
		imported, prefix string
		want             bool
	}{
		{"gopkg.in/macaroon.v2", "gopkg.in/macaroon", true}, {"os/exec", "os", true}, {"ossify", "os", false},
		{"modernc.org/sqlite", "modernc.org/", true}, {"database/sql/driver", "database/sql", true},
	} {
		if begins(test.imported, test.prefix) != test.want {
			t.Errorf("%s begins with %s: %t", test.imported, test.prefix, !test.want)
		}
	}
}

// TestTokensHasNoClock: time is an argument there.
func TestTokensHasNoClock(t *testing.T) {
	t.Parallel()
	for _, file := range sources(t, "tokens") {
		if isTest(file) {
			continue
		}
		if code := text(t, file); strings.Contains(code, "time.Now") || strings.Contains(code, "time.Since") {
			t.Errorf("%s looks at the clock", file)
		}
	}
}

// TestRoot: the root holds the entrance, and the file that pins the generator.
func TestRoot(t *testing.T) {
	t.Parallel()
	if files := sources(t, "."); !slices.Equal(files, []string{"main.go", "tools.go"}) {
		t.Errorf("the root has %v", files)
	}
}

// TestEmbeddedSource: the binary has all the code that what implements the contract is made of, and no test. `postern
// spec check` compiles it.
func TestEmbeddedSource(t *testing.T) {
	t.Parallel()
	toModule()
	root, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	var embedded, want []string
	for _, pattern := range root.EmbedPatterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, ".go") {
				embedded = append(embedded, filepath.ToSlash(file))
			}
		}
	}
	var dirs []string
	for _, dir := range []string{"handlers", "oauth", "homeserver"} {
		dirs = needed(t, dir, dirs)
	}
	for _, dir := range dirs {
		want = append(want, slices.DeleteFunc(sources(t, dir), isTest)...)
	}
	for _, file := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(embedded, want)))) {
		if is := slices.Contains(embedded, file); is != slices.Contains(want, file) {
			t.Errorf("%s is embedded: %v; see the patterns in main.go", file, is)
		}
	}
}

// needed adds a folder, and those of this module that its code needs, to a list.
func needed(t *testing.T, dir string, list []string) []string {
	if slices.Contains(list, dir) {
		return list
	}
	list = append(list, dir)
	for _, imported := range imports(t, dir) {
		if to, ours := own(imported); ours {
			list = needed(t, to, list)
		}
	}
	return list
}
