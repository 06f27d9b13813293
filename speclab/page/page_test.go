package page_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryAnswerIsGuarded: whatever is asked, found or not, other sites are kept out.
func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, test := range []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "", 200, "text/html; charset=utf-8"},
		{"HEAD", "", 200, "text/html; charset=utf-8"},
		{"GET", "/openapi.json", 200, "application/json"},
		{"GET", "/password", 200, "application/json"},
		{"GET", "/assets/main.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/assets/page.css", 200, "text/css; charset=utf-8"},
		{"GET", "/assets/icon.svg", 200, "image/svg+xml"},
		{"GET", "/assets/swagger-ui-bundle.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/assets/LICENSE", 200, "text/plain; charset=utf-8"},
		{"GET", "/", 301, "text/html; charset=utf-8"},
		{"GET", "/nothing", 404, "text/plain; charset=utf-8"},
		{"GET", "/assets/nothing", 404, "text/plain; charset=utf-8"},
		{"GET", "/assets/renew", 404, "text/plain; charset=utf-8"},
		{"GET", "/assets/..%2fpage.go", 404, "text/plain; charset=utf-8"},
		{"GET", "/token", 405, "text/plain; charset=utf-8"},
		{"POST", "", 405, "text/plain; charset=utf-8"},
		{"OPTIONS", "/token", 405, "text/plain; charset=utf-8"},
		{"POST", "/token", 415, "application/json"},
		{"GET", "/requests.json", 200, "application/json"},
		{"POST", "/requests.json", 405, "text/plain; charset=utf-8"},
	} {
		a := s.ask(test.method, test.path, "", nil)
		if a.StatusCode != test.status || a.Header.Get("Content-Type") != test.kind {
			t.Errorf("%s %s answers %d, %s", test.method, test.path, a.StatusCode, a.Header.Get("Content-Type"))
		}
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": "", "Set-Cookie": "",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q", test.method, test.path, name, got)
			}
		}
		policy := a.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';",
			"connect-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s %s: the policy %q lacks %s", test.method, test.path, policy, part)
			}
		}
		if cache := a.Header.Get("Cache-Control"); test.kind == "application/json" && cache != "no-store" {
			t.Errorf("%s %s: Cache-Control is %q", test.method, test.path, cache)
		}
	}
}

// TestPageNamesNoOtherHost: what is written here asks for nothing elsewhere, and for nothing that is not served.
func TestPageNamesNoOtherHost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	err := fs.WalkDir(os.DirFS("web"), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile("web/" + name)
		if err != nil {
			return err
		}
		for _, address := range regexp.MustCompile(`(https?:)?//[a-z0-9.]+\.[a-z]+`).FindAllString(string(text), -1) {
			if address != "http://www.w3.org" { // the name of SVG, which nobody fetches
				t.Errorf("%s names %s", name, address)
			}
		}
		if lines := bytes.Count(text, []byte("\n")); lines > 400 {
			t.Errorf("%s has %d lines", name, lines)
		}
		for _, path := range regexp.MustCompile(`/_postern/spec(/[A-Za-z./-]+)`).FindAllStringSubmatch(string(text),
			-1) {
			if a := s.ask("GET", path[1], "", nil); a.StatusCode != 200 && path[1] != "/token" {
				t.Errorf("%s wants %s, which answers %d", name, path[1], a.StatusCode)
			}
		}
		for _, module := range regexp.MustCompile(`from "\./([a-z]+\.js)"`).FindAllStringSubmatch(string(text), -1) {
			if a := s.ask("GET", "/assets/"+module[1], "", nil); a.StatusCode != 200 {
				t.Errorf("%s imports %s, which answers %d", name, module[1], a.StatusCode)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAssets: Swagger UI comes compressed to who takes it so, whole to who does not, and not at all to who has it.
func TestAssets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, name := range []string{"/assets/swagger-ui-bundle.js", "/assets/swagger-ui.css"} {
		packed := s.ask("GET", name, "", map[string]string{"Accept-Encoding": "br, gzip;q=0.5"})
		plain := s.ask("GET", name, "", map[string]string{"Accept-Encoding": "gzip;q=0, *"})
		bare := s.ask("GET", name, "", nil)
		if packed.Header.Get("Content-Encoding") != "gzip" || plain.Header.Get("Content-Encoding") != "" ||
			bare.Header.Get("Content-Encoding") != "" {
			t.Fatalf("%s: encodings %q, %q and %q", name, packed.Header.Get("Content-Encoding"),
				plain.Header.Get("Content-Encoding"), bare.Header.Get("Content-Encoding"))
		}
		reader, err := gzip.NewReader(bytes.NewReader(packed.body))
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := io.ReadAll(reader)
		if err != nil || !bytes.Equal(unpacked, plain.body) || !bytes.Equal(unpacked, bare.body) {
			t.Errorf("%s: %d bytes unpacked, %d and %d plain, %v", name, len(unpacked), len(plain.body), len(bare.body),
				err)
		}
		if packed.Header.Get("ETag") == plain.Header.Get("ETag") || packed.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: a cache would mix up its two forms", name)
		}
		again := s.ask("GET", name, "",
			map[string]string{"Accept-Encoding": "gzip", "If-None-Match": `"other", W/` + packed.Header.Get("ETag")})
		if again.StatusCode != http.StatusNotModified || len(again.body) > 0 ||
			again.Header.Get("ETag") != packed.Header.Get("ETag") {
			t.Errorf("%s: asked again it answers %d and %d bytes", name, again.StatusCode, len(again.body))
		}
		if other := s.ask("GET", name, "",
			map[string]string{"If-None-Match": packed.Header.Get("ETag")}); other.StatusCode != http.StatusOK {
			t.Errorf("%s: who has the compressed form and asks for the plain one gets %d", name, other.StatusCode)
		}
	}
}

// TestDocument: the page learns that the spec was saved from another ETag.
func TestDocument(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.ask("GET", "/openapi.json", "", nil)
	if !json.Valid(first.body) {
		t.Fatalf("the document is %q", first.body)
	}
	known := map[string]string{"If-None-Match": first.Header.Get("ETag")}
	if same := s.ask("GET", "/openapi.json", "", known); same.StatusCode != http.StatusNotModified {
		t.Errorf("the same document answers %d", same.StatusCode)
	}
	s.document.Store(`{"openapi":"3.1.0","paths":{}}`)
	if other := s.ask("GET", "/openapi.json", "", known); other.StatusCode != http.StatusOK ||
		string(other.body) != s.document.Load() {
		t.Errorf("another document answers %d %s", other.StatusCode, other.body)
	}
}

// answer is what came back, read.
type answer struct {
	*http.Response
	body []byte
}

func (s *site) ask(method, path, body string, header map[string]string) answer {
	s.Helper()
	r := httptest.NewRequestWithContext(s.Context(), method, "/_postern/spec"+path, strings.NewReader(body))
	for name, text := range maps.All(header) {
		r.Header.Set(name, text)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return answer{w.Result(), w.Body.Bytes()}
}
