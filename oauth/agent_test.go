package oauth

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"postern/db"
	"postern/web"
)

// TestAgents: what clients of the field send is read as people call them. The headers are from the clients' own sources
// and tests.
func TestAgents(t *testing.T) {
	t.Parallel()
	lines, err := os.ReadFile("testdata/agents.txt")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for line := range strings.Lines(string(lines)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		tried++
		part := strings.SplitN(strings.TrimSpace(line), " | ", 3)
		if got := readAgent(part[2]).Agent; got != (web.Agent{Name: part[0], System: part[1]}) {
			t.Errorf("%s is %q", line, got)
		}
	}
	if tried < 25 {
		t.Errorf("%d were tried", tried)
	}
	for _, nothing := range []string{"", " \x00\u202e\r\n"} {
		if got := readAgent(nothing); got != (agent{}) {
			t.Errorf("%q is %+v", nothing, got)
		}
	}
}

// TestDeviceNames: a device is called as its owner or its client calls it, else by the client and what it runs, else by
// its id; and what the name says is not said beside it.
func TestDeviceNames(t *testing.T) {
	t.Parallel()
	const (
		firefox  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
		elementX = "Element X/1.6.8 (iPhone 15 Pro; iOS 17.5.1; Scale/3.00)"
		dart     = "Dart/3.5 (dart:io)"
	)
	for _, tt := range []struct{ name, app, header, want string }{
		{"My phone", "Element X", elementX, "My phone | Element X |  | iOS"},
		{"Element X on iOS", "Element X", elementX, "Element X on iOS |  |  | "},
		{"", "Element X", elementX, "Element X on iOS |  |  | "},
		{"", "Element", firefox, "Element in Firefox on Windows |  |  | "},
		{"Element", "Element", firefox, "Element |  | Firefox | Windows"},
		{"FluffyChat android", "", dart, "FluffyChat android |  |  | "},
		{"FluffyChat", "FluffyChat", dart, "FluffyChat |  |  | "},
		{"nheko on laptop", "", "mtxclient v0.9.2", "nheko on laptop |  |  | "},
		{"matrix-nio", "", "Python/3.11 aiohttp/3.8.4", "matrix-nio |  |  | "},
		{"", "", firefox, " |  | Firefox | Windows"},
		{"", "", dart, " |  | Dart | "},
		{"", "", "", "ABC |  |  | "},
		{"", "App", "", "App |  |  | "},
	} {
		d := named(web.Device{ID: "ABC", Name: tt.name, App: tt.app}, readAgent(tt.header))
		if got := strings.Join([]string{d.Name, d.App, d.Agent.Name, d.Agent.System}, " | "); got != tt.want {
			t.Errorf("%q of %q: %s, want %s", tt.name, tt.app, got, tt.want)
		}
	}
	long := strings.Repeat("x", db.MaxDeviceName)
	for client, want := range map[string]string{"Element X": "Element X on iOS", "App": "App on iOS",
		"App for iOS": "App for iOS", long: long} {
		if got := deviceName(client, elementX); got != want {
			t.Errorf("%s is called %s, want %s", client, got, want)
		}
	}
}

// TestPlain: nothing that a stranger wrote breaks a line, turns the direction of writing or fills a page; emoji stay.
func TestPlain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Phone":                            "Phone",
		"  a\r\nSet-Cookie: x\tb\u2028c ":  "a Set-Cookie: x b c",
		"\u202egpj.exe\u2066x\u200f\ufeff": "gpj.exex",
		"a\x00b\x1b[2Jc\u009bd\x7f":        "a b [2Jc d",
		"👩\u200d💻 laptop":                  "👩\u200d💻 laptop",
		"\u200d \u200c":                    "",
		"bad \xff utf-8":                   "bad utf-8",
	} {
		if got := plain(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if got := shown(strings.Repeat("é", 5000)); len([]rune(got)) != maxShown+1 {
		t.Errorf("a long one is shown with %d characters", len([]rune(got)))
	}
}

// TestEventTexts: every kind of event that any package has is told in words.
func TestEventTexts(t *testing.T) {
	t.Parallel()
	has := make(map[string]bool)
	for _, known := range eventTexts {
		has[known.Value] = true
	}
	found := 0
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return err
		}
		code, err := os.ReadFile(file)
		for _, kind := range regexp.MustCompile(`\bEvent\w+\s+= "(\w+)"`).FindAllStringSubmatch(string(code), -1) {
			if found++; !has[kind[1]] {
				t.Errorf("%s of %s has no text", kind[1], file)
			}
		}
		return err
	})
	if err != nil || found < 18 {
		t.Errorf("found %d kinds: %v", found, err)
	}
}
