package mock_test

import "testing"

const kindsSpec = `openapi: 3.0.3
info: {title: kinds, version: "1"}
paths:
  /text:
    get:
      responses:
        "200":
          description: text
          content:
            text/plain: {example: "hello\nthere"}
  /page:
    get:
      responses:
        "200":
          description: page
          content:
            text/html: {schema: {type: string}}
  /picture:
    get:
      responses:
        "200":
          description: picture
          content:
            image/*: {schema: {type: string, format: binary}}
  /either:
    get:
      responses:
        "200":
          description: either
          content:
            application/xml: {example: <no/>}
            application/json; charset=utf-8: {schema: {type: object, properties: {html: {type: string, example: "<a&b>"}}}}
  /nothing:
    get:
      responses:
        "200": {description: nothing}
  /range:
    get:
      responses:
        "2XX":
          description: good
          content:
            application/json: {example: {good: true}}
        4XX:
          description: bad
          content:
            application/json: {example: {bad: true}}
  /fallback:
    get:
      responses:
        default:
          description: anything
          headers:
            X-Told: {schema: {type: string, example: "one\r\nX-Broken: out"}}
            X-Count: {schema: {type: array, items: {type: integer}}}
          content:
            application/json: {schema: {type: array, items: {type: string}}}
  /gone:
    get:
      responses:
        "410": {description: gone}
        "302": {description: moved, headers: {Location: {schema: {type: string, format: uri}}}}
  /upload:
    post:
      requestBody:
        required: true
        content:
          application/octet-stream: {}
          application/json: {schema: {type: object, required: [a]}}
      responses:
        "201": {description: made}
`

// TestKindsOfAnswers: every kind of content and status that a spec can document.
func TestKindsOfAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t, "kinds.yaml", kindsSpec)
	for _, test := range []struct {
		path, status, kind, body string
		code                     int
	}{
		{"/text", "", "text/plain", "hello\nthere", 200},
		{"/page", "", "text/html", "string", 200},
		{"/picture", "", "application/octet-stream", "postern", 200},
		{"/either", "", "application/json; charset=utf-8", `{"html":"<a&b>"}`, 200},
		{"/nothing", "", "", "", 200},
		{"/range", "", "application/json", `{"good":true}`, 200},
		{"/range", "299", "application/json", `{"good":true}`, 299},
		{"/range", "418", "application/json", `{"bad":true}`, 418},
		{"/fallback", "", "application/json", `["string"]`, 200},
		{"/fallback", "503", "application/json", `["string"]`, 503},
		{"/gone", "", "", "", 302},
		{"/gone", "410", "", "", 410},
	} {
		a := b.want(b.ask("GET", test.path, "", "", "Postern-Status", test.status), test.code, "spec")
		if a.Header.Get("Content-Type") != test.kind || a.Raw != test.body {
			t.Errorf("%s %s is %q of type %q, want %q of type %q", test.path, test.status, a.Raw,
				a.Header.Get("Content-Type"), test.body, test.kind)
		}
	}
	a := b.ask("GET", "/fallback", "", "")
	if a.Header.Get("X-Broken") != "" || a.Header.Get("X-Told") == "" || a.Header.Get("X-Count") != "[1]" {
		t.Errorf("the headers are %v", a.Header)
	}
	for _, status := range []string{"500", "100", "999", "abc", "0x1"} {
		b.refused(b.ask("GET", "/range", "", "", "Postern-Status", status), 400, "M_INVALID_PARAM", "2XX, 4XX")
	}
	t.Log("a body of another type that the operation takes is not read as JSON")
	b.want(b.ask("POST", "/upload", "", "bytes", "Content-Type", "application/octet-stream"), 201, "spec")
	b.refused(b.ask("POST", "/upload", "", "bytes"), 400, "M_NOT_JSON")
	b.refused(b.ask("POST", "/upload", "", "{}"), 400, "M_MISSING_PARAM", "a")
}
