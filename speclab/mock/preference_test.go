package mock_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"postern/speclab/mock"
)

const habitsSpec = `openapi: 3.1.0
info: {title: habits, version: "1"}
paths:
  /pets/{id}:
    get:
      operationId: getPet
      parameters:
        - {name: limit, in: query, schema: {type: integer}}
      responses:
        "200":
          description: a pet
          content:
            application/json:
              schema:
                type: object
                required: [id, name]
                properties:
                  id: {type: integer, minimum: 1, example: 3}
                  name: {type: string, example: Rex}
                  born: {type: string, format: date}
              examples:
                tom: {$ref: '#/components/examples/cat'}
                dog: {value: {id: 2, name: Rex}}
        "404":
          description: none
          content: {application/json: {example: {errcode: M_NOT_FOUND}}}
    delete:
      responses: {"204": {description: gone}}
  /bare:
    get:
      responses: {"200": {description: bare, content: {application/json: {example: {a: 1}}}}}
    patch:
      responses: {"204": {description: done}}
  /list:
    get:
      operationId: getList
      responses:
        "200":
          description: a list
          content:
            text/csv: {example: "a,b", examples: {long: {value: "a,b,c"}}}
            application/vnd.list+json: {example: [v]}
            application/json: {example: [a]}
            application/xml: {schema: {type: object}}
  /picture:
    get:
      responses: {"200": {description: both, content: {image/*: {example: picture}, text/plain: {example: text}}}}
  /word:
    get:
      responses: {"200": {description: a word, content: {text/plain: {schema: {type: string}}}}}
  /_matrix/client/v3/account/whoami:
    put:
      security: []
      responses: {"204": {description: done}}
components:
  examples:
    cat: {value: {id: 1, name: Tom}}
`

// TestPrismsPreferences: what Prism's users write, in the header and in the query, and which of the two counts.
func TestPrismsPreferences(t *testing.T) {
	t.Parallel()
	b := newBench(t, "habits.yaml", habitsSpec)
	for _, test := range []struct {
		query, prefer, status string
		code                  int
		raw                   string
	}{
		{"", "", "", 200, `{"id":1,"name":"Tom"}`},
		{"?__example=dog", "", "", 200, `{"id":2,"name":"Rex"}`},
		{"?__code=404", "", "", 404, `{"errcode":"M_NOT_FOUND"}`},
		{"?__code=200&limit=2&__example=dog", "", "", 200, `{"id":2,"name":"Rex"}`},
		{"?__code=404", "example=dog", "", 200, `{"id":2,"name":"Rex"}`}, // all of the header
		{"?__code=404", "respond-async, wait=10", "", 404, `{"errcode":"M_NOT_FOUND"}`},
		{"?__example=dog", "", "404", 400, ""}, // the 404 has no such example
		{"?__code=200", "code=200", "404", 404, `{"errcode":"M_NOT_FOUND"}`},
		{"?__example=dog&__dynamic=true", "", "", 200, `{"id":2,"name":"Rex"}`}, // the name counts
		{"?__dynamic=false", "dynamic=false", "", 200, `{"id":1,"name":"Tom"}`},
	} {
		a := b.want(b.ask("GET", "/pets/1"+test.query, "", "", "Prefer", test.prefer, "Postern-Status", test.status),
			test.code, "spec")
		if test.raw != "" && a.Raw != test.raw {
			t.Errorf("%s with %q and %q is %s", test.query, test.prefer, test.status, a.Raw)
		}
	}
	for query, says := range map[string]string{
		"__code=418": "200, 404", "__code=no": "200, 404", "__example=cow": "dog, tom",
		"__code=404&__example=dog": "none with a name", "__dynamic=perhaps": "dynamic=true", "limit=no": "limit",
	} {
		b.refused(b.ask("GET", "/pets/1?"+query, "", ""), 400, "M_INVALID_PARAM", says)
	}
}

// TestDynamicAnswers: `dynamic=true` gives another valid answer each time, of a real operation too; without it, the
// same one.
func TestDynamicAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t, "login.yaml", contractText(t))
	h := newBench(t, "habits.yaml", habitsSpec)
	whoami := "/_matrix/client/v3/account/whoami"
	token := b.login()
	for _, ask := range []func() answer{
		func() answer { return h.ask("GET", "/pets/1", "", "", "Prefer", "dynamic=true") },
		func() answer { return h.ask("GET", "/pets/1", "", "", "Prefer", "dynamic") },
		func() answer { return h.ask("GET", "/pets/1?__dynamic=true", "", "") },
		func() answer { return h.ask("GET", "/word?__dynamic=true", "", "") },
		func() answer { return b.ask("GET", whoami+"?__dynamic=true", token, "") },
	} {
		met := make(map[string]bool)
		for range 5 {
			met[b.want(ask(), 200, "spec").Raw] = true
		}
		if len(met) < 4 {
			t.Errorf("the answers are %v", met)
		}
	}
	pet := h.ask("GET", "/pets/1?__dynamic=true", "", "").JSON
	id, _ := pet["id"].(float64)
	born, _ := pet["born"].(string)
	if name, ok := pet["name"].(string); id < 1 || !ok || name == "Rex" || len(born) != len("2000-01-01") {
		t.Errorf("the pet is %v", pet)
	}
	h.refused(h.ask("GET", "/bare?__dynamic=true", "", ""), 400, "M_INVALID_PARAM", "no schema", "habits.yaml:")
	b.want(b.ask("GET", whoami+"?__dynamic=true", "", ""), 401, "spec")
	b.want(b.ask("GET", whoami+"?__dynamic=false", token, ""), 200, "real")
}

// TestPreferenceStaysHere: the real handler gets a request as if nobody had asked the mock server for anything.
func TestPreferenceStaysHere(t *testing.T) {
	t.Parallel()
	b := &bench{TB: t, dir: t.TempDir()}
	real := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.URL.RawQuery + " " + r.RequestURI))
	})
	m, err := mock.New(t.Context(), mock.Config{Real: real, Contract: contractOf(t), Dir: b.dir})
	fatal(t, err)
	defer m.Close()
	web := httptest.NewServer(m)
	defer web.Close()
	b.url = web.URL
	for query, want := range map[string]string{
		"?a=%2F&__code=404&b&__example=x&__dynamic=true": "a=%2F&b", "?__code=404": "",
		"?__codes=1&code=2&__=3&__Code=4": "__codes=1&code=2&__=3&__Code=4",
	} {
		raw := b.ask("GET", "/_matrix/client/v3/login"+query, "", "").Raw
		if got, uri, _ := strings.Cut(raw, " "); got != want || !strings.HasSuffix(uri, want) ||
			strings.Contains(uri, "__code=") {
			t.Errorf("of %s it gets %s", query, raw)
		}
	}
}

// TestAccept: a response of several media types is what the request accepts most.
func TestAccept(t *testing.T) {
	t.Parallel()
	b := newBench(t, "habits.yaml", habitsSpec)
	const plain, vendor, csv = "application/json", "application/vnd.list+json", "text/csv"
	for accept, want := range map[string]string{
		"": plain, "*/*": plain, "application/*": plain, "text/*": csv, "TEXT/CSV": csv, vendor: vendor,
		"text/csv, */*;q=0.1": csv, "text/csv;q=0.1, */*": plain, "text/*;q=0.5, application/json;q=0.4": csv,
		"application/json;q=0, */*": vendor, "application/*;q=0, text/*": csv, "image/png, text/csv": csv,
		"text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8": plain, // the XML has no example
		"nonsense;;": plain,
	} {
		a := b.want(b.ask("GET", "/list", "", "", "Accept", accept), 200, "spec")
		if got := a.Header.Get("Content-Type"); got != want {
			t.Errorf("Accept: %s gives %s, not %s", accept, got, want)
		}
	}
	for _, accept := range []string{"image/png", "application/xml", "*/*;q=0"} {
		b.refused(b.ask("GET", "/list", "", "", "Accept", accept), 406, "M_UNRECOGNIZED",
			"application/json, application/vnd.list+json, text/csv", "habits.yaml:")
	}
	t.Log("an example is looked for in all types, and given in its own")
	if a := b.want(b.ask("GET", "/list?__example=long", "", ""), 200, "spec"); a.Raw != "a,b,c" {
		t.Errorf("the example is %q", a.Raw)
	}
	b.refused(b.ask("GET", "/list?__example=long", "", "", "Accept", "application/json"), 406, "M_UNRECOGNIZED",
		"text/csv")
	t.Log("a range of the spec's, and a response of one type")
	for accept, want := range map[string]string{"image/png": "picture", "text/plain": "text", "*/*": "picture"} {
		if a := b.ask("GET", "/picture", "", "", "Accept", accept); a.Raw != want {
			t.Errorf("Accept: %s gives %q", accept, a.Raw)
		}
	}
	b.refused(b.ask("GET", "/picture", "", "", "Accept", "audio/ogg"), 406, "M_UNRECOGNIZED", "image/*, text/plain")
	b.want(b.ask("GET", "/bare", "", "", "Accept", "text/html"), 200, "spec")
}

// TestMethods: a method that a path of the spec does not have, HEAD, and preflights.
func TestMethods(t *testing.T) {
	t.Parallel()
	b := newBench(t, "habits.yaml", habitsSpec)
	whoami := "/_matrix/client/v3/account/whoami"
	for _, test := range []struct{ method, path, allow, by string }{
		{"PUT", "/pets/1", "OPTIONS, DELETE, GET, HEAD", "spec"},
		{"GET", "/bare", "", ""},
		{"POST", "/bare", "OPTIONS, GET, HEAD, PATCH", "spec"},
		{"PATCH", whoami, "OPTIONS, GET, HEAD, PUT", "spec"}, // GET is real
		{"PATCH", "/_matrix/client/r0/account/whoami", "OPTIONS, GET, HEAD, PUT", "spec"},
		{"PUT", "/_matrix/client/v3/login", "OPTIONS, GET, POST", "real"},
		{"HEAD", "/_matrix/client/v3/refresh", "OPTIONS, POST", "real"},
	} {
		a := b.ask(test.method, test.path, "", "")
		if a.Header.Get("Allow") != test.allow || test.allow != "" && (a.Status != 405 || a.by() != test.by ||
			test.method != "HEAD" && a.JSON["errcode"] != "M_UNRECOGNIZED") {
			t.Errorf("%s %s is %d by %q with Allow: %q: %s", test.method, test.path, a.Status, a.by(),
				a.Header.Get("Allow"), a.Raw)
		}
	}
	b.refused(b.ask("PUT", "/pets/1", "", ""), 405, "M_UNRECOGNIZED", "DELETE, GET", "habits.yaml:")
	b.want(b.ask("PUT", "/nothing", "", ""), 404, "real")

	get, head := b.ask("GET", "/pets/1", "", ""), b.want(b.ask("HEAD", "/pets/1", "", ""), 200, "spec")
	if head.Raw != "" || head.Header.Get("Content-Length") != get.Header.Get("Content-Length") {
		t.Errorf("HEAD is %q with %v", head.Raw, head.Header)
	}
	b.want(b.ask("HEAD", "/pets/1?limit=no", "", ""), 400, "spec")
	b.want(b.ask("HEAD", whoami, b.login(), ""), 200, "real")

	preflight := b.want(b.ask("OPTIONS", "/bare", "", "", "Origin", "https://app.example",
		"Access-Control-Request-Method", "PATCH"), 204, "real")
	if !strings.Contains(preflight.Header.Get("Access-Control-Allow-Methods"), "PATCH") {
		t.Errorf("the preflight has %v", preflight.Header)
	}
}

// TestEndlessPattern: a pattern of repetitions in repetitions of nothing has an answer, too.
func TestEndlessPattern(t *testing.T) {
	t.Parallel()
	b := newBench(t, "look.yaml", "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths:\n  /look:\n    get:\n"+
		"      operationId: look\n      responses:\n        '200':\n          description: d\n"+
		"          content: {application/json: {schema: {type: object, required: [a], properties: {a: {type: string,\n"+
		"            minLength: 300, pattern: '^"+strings.Repeat("(", 12)+strings.Repeat(")*", 12)+"zq$'}}}}}\n")
	for _, prefer := range []string{"return=minimal", "dynamic=true"} {
		b.want(b.ask("GET", "/look", "", "", "Prefer", prefer), 200, "spec")
	}
}
