package mock_test

import "testing"

const headed = `openapi: 3.1.0
info: {title: headed, version: "1"}
paths:
  /headed:
    get:
      responses:
        "200":
          description: headed
          headers:
            Content-Length: {schema: {type: integer}, example: 500}
            Content-Encoding: {schema: {type: string}, example: gzip}
            Postern-Answered-By: {schema: {type: string}, example: real}
            Content-Security-Policy: {schema: {type: string}, example: "default-src *"}
            Set-Cookie: {schema: {type: string}, example: a=b}
            Refresh: {schema: {type: string}, example: "0; url=http://example.org"}
            X Bad: {schema: {type: string}, example: x}
            X-Good: {schema: {type: string}, example: "as\nit is"}
          content:
            text/html:
              example: "<script>alert(1)</script>"
`

// TestReservedHeaders: an example can neither break an answer nor speak for the mock server, nor rule the origin that
// the page is on.
func TestReservedHeaders(t *testing.T) {
	t.Parallel()
	b := newBench(t, "headed.yaml", headed)
	a := b.ask("GET", "/headed", "", "")
	if a.Status != 200 || a.Raw != "<script>alert(1)</script>" {
		t.Fatalf("%d %q", a.Status, a.Raw)
	}
	for name, want := range map[string]string{
		"Content-Length": "25", "Content-Encoding": "", "Postern-Answered-By": "spec",
		"Content-Security-Policy": "sandbox; default-src 'none'",
		"Set-Cookie":              "", "Refresh": "", "X Bad": "", "X-Good": "as it is",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s is %q and not %q", name, got, want)
		}
	}
}
