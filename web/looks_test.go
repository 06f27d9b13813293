package web

import (
	"html"
	"io/fs"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// in renders a page in a language.
func in(t *testing.T, lang string, page Page) string {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Language", lang)
	w := httptest.NewRecorder()
	if err := Render(w, r, 200, page, Wrong{}); err != nil {
		t.Fatal(err)
	}
	return w.Body.String()
}

// TestScriptTexts: what the script says when the browser gives no passkey stands on the page as it is to be read. The
// script finds each text by the name of an attribute.
func TestScriptTexts(t *testing.T) {
	t.Parallel()
	attribute := regexp.MustCompile(` data-(\w+)="([^"]*)"`)
	for _, lang := range languages {
		found := make(map[string]string)
		for _, a := range attribute.FindAllStringSubmatch(in(t, lang, everyPage["addpasskey.html"]), -1) {
			found[a[1]] = html.UnescapeString(a[2])
		}
		for name, key := range map[string]string{"cancelled": "passkeyCancelled", "here": "passkeyHere",
			"elsewhere": "passkeyElsewhere", "other": "passkeyFailed"} {
			if found[name] != Say(lang, key) || !strings.Contains(script, `"`+name+`"`) {
				t.Errorf("%s in %s is %q", name, lang, found[name])
			}
		}
	}
}

// TestJoinedTexts: what a page puts one text into, or right before, fits all that may come there. "3 days ago" follows
// no "since", and "Ihr Netz" no "von".
func TestJoinedTexts(t *testing.T) {
	t.Parallel()
	joint := regexp.MustCompile(`{{t "(\w+)"}} {{template "(time|place)"`)
	wanting := regexp.MustCompile(`(^| )(since|from|on|at|until|by|seit|von|vom|ab|am|um|bis|aus)$`)
	var sources strings.Builder
	if err := fs.WalkDir(files, "pages", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		source, err := fs.ReadFile(files, path)
		sources.Write(source)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	joints := joint.FindAllStringSubmatch(sources.String(), -1)
	if len(joints) < 5 {
		t.Fatalf("only %d joints were found", len(joints))
	}
	for _, j := range joints {
		for _, lang := range languages {
			if text := Say(lang, j[1]); wanting.MatchString(text) {
				t.Errorf("%s in %s is %q, after which a %s cannot stand", j[1], lang, text, j[2])
			}
		}
	}
}

// TestNoAddresses: no text is taken for an address, in which a space is written %20.
func TestNoAddresses(t *testing.T) {
	t.Parallel()
	for file, page := range everyPage {
		for _, lang := range languages {
			if strings.Contains(in(t, lang, page), "%20") {
				t.Errorf("%s in %s has an address with a text in it", file, lang)
			}
		}
	}
}

// TestFocus: at most one element of a page asks for the focus. Where the page has something to say above its form, it
// is that: nobody is taken past it.
func TestFocus(t *testing.T) {
	t.Parallel()
	pages := map[string]Page{"a device": DeviceDetails{Deed: Deed{Prove: true}},
		"a preview":        NewBot{Name: "Bell", Preview: &Preview{}, Deed: Deed{Prove: true}},
		"a mistake":        NewBot{Name: "Bell", Deed: Deed{Prove: true, Wrong: Wrong{Text: "botUntil"}}},
		"a nameless token": NewBot{Deed: Deed{Prove: true, Wrong: Wrong{Text: "botUntil"}}},
		"a new token":      NewBot{Deed: Deed{Prove: true}}}
	for file, page := range everyPage {
		pages[file] = page
	}
	focused := regexp.MustCompile(`<[^>]*\bautofocus\b[^>]*>`)
	wants := map[string]string{"a device": "", "a preview": `id="preview"`, "a mistake": `role="alert"`,
		"a nameless token": `role="alert"`, "a new token": `id="name"`}
	for name, page := range pages {
		found := focused.FindAllString(in(t, english, page), -1)
		want, known := wants[name]
		if len(found) > 1 || known && (len(found) == 1) != (want != "") ||
			known && want != "" && !strings.Contains(found[0], want) {
			t.Errorf("%s: %q has the focus", name, found)
		}
	}
}

// TestWaysOut: the second step has a way back whoever asks, what cannot be undone looks so, and the page says when no
// codes are left.
func TestWaysOut(t *testing.T) {
	t.Parallel()
	const els, cancel = `<a href="">Sign in as somebody else</a>`, `value="cancel"`
	left := func(codes int) Page {
		return Account{Recovery: RecoveryPart{Offered: true, Left: codes}}
	}
	for _, tt := range []struct {
		page       Page
		has, lacks string
	}{
		{SecondFactor{Ask: everyAsk}, cancel, els},
		{SecondFactor{}, els, cancel},
		{Confirm{What: "deactivate"}, `class="danger"`, ">Continue<"},
		{Confirm{What: "reset"}, ">Continue<", `class="danger"`},
		{left(0), "You have no recovery codes left.", "Recovery codes left:"},
		{left(1), "Recovery codes left: 1.", "You have no recovery codes left."},
		{SetUpCodes{Secret: "ABCDEFGHIJ"}, ">ABCD EFGH IJ<", "ABCDEF"},
	} {
		_, html, _ := strings.Cut(in(t, english, tt.page), "<body>")
		if !strings.Contains(html, tt.has) || strings.Contains(html, tt.lacks) {
			t.Errorf("%T has %t %q, or %q: %s", tt.page, strings.Contains(html, tt.has), tt.has, tt.lacks, html)
		}
	}
}
