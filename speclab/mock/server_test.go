package mock_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"postern/speclab/mock"
	"postern/test/rig/safe"
)

// moodSpec is an operation that Postern does not have, in a spec of its own.
const moodSpec = `openapi: 3.1.0
info: {title: mood, version: "1"}
security:
  - accessTokenBearer: []
paths:
  /_matrix/client/v3/mood/{userId}:
    parameters:
      - name: userId
        in: path
        required: true
        schema: {type: string, pattern: "^@"}
    get:
      operationId: getMood
      security: []
      parameters:
        - name: since
          in: query
          schema: {type: integer, minimum: 1}
      responses:
        "200":
          description: the mood
          headers:
            Retry-After: {schema: {type: integer, example: 7}}
          content:
            application/json:
              examples:
                zest: {value: {mood: zest}}
                calm: {value: {mood: calm}}
        "404":
          description: none
          content:
            application/json:
              schema:
                type: object
                required: [errcode]
                properties:
                  errcode: {type: string, enum: [M_NOT_FOUND]}
    put:
      operationId: setMood
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [mood, strength]
              properties:
                mood: {type: string, enum: [calm, zest]}
                strength: {type: integer, minimum: 1}
                place:
                  type: object
                  required: [room]
                  properties:
                    room: {type: string}
      responses:
        "204":
          description: done
  /_matrix/client/v3/mood/mine:
    get:
      operationId: getMyMood
      responses:
        "200":
          description: the mood
          content:
            application/json:
              schema:
                type: object
                required: [mood]
                properties:
                  mood: {type: string, maxLength: 3}
                  at: {type: string, format: date-time}
`

// TestRealAndSpec: who answers, and what says so.
func TestRealAndSpec(t *testing.T) {
	t.Parallel()
	b := newBench(t, "mood.yaml", moodSpec)

	t.Log("an operation that only the contract has stays real")
	token := b.login()
	b.want(b.ask("GET", "/_matrix/client/v3/account/whoami", token, ""), 200, "real")
	b.want(b.ask("GET", "/_matrix/client/r0/account/whoami", token, ""), 200, "real")
	b.want(b.ask("GET", "/_matrix/client/v3/nothing", "", ""), 404, "real")
	b.want(b.ask("PATCH", "/_matrix/client/v3/login", "", ""), 405, "real")
	b.want(b.ask("POST", "/_matrix/client/v3/login", "",
		`{"type":"m.login.password","user":"alice","password":"wrong"}`), 403, "real")

	t.Log("the first example that is written, and the one that is asked for")
	mood := b.want(b.ask("GET", "/_matrix/client/v3/mood/@alice:example.org", "", ""), 200, "spec")
	if mood.JSON["mood"] != "zest" || mood.Header.Get("Retry-After") != "7" ||
		mood.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the mood is %s with %v", mood.Raw, mood.Header)
	}
	if place := mood.Header.Get("Postern-Spec"); !strings.HasPrefix(place, "mood.yaml:") {
		t.Errorf("the place is %q", place)
	}
	for _, name := range []string{"Postern-Answered-By", "Postern-Spec", "Retry-After"} {
		if !strings.Contains(mood.Header.Get("Access-Control-Expose-Headers"), name) {
			t.Errorf("a web client may not read %s", name)
		}
	}
	if calm := b.ask("GET", "/_matrix/client/v3/mood/@a:b", "", "", "Prefer",
		"example=calm"); calm.JSON["mood"] != "calm" {
		t.Errorf("the example calm is %s", calm.Raw)
	}
	b.refused(b.ask("GET", "/_matrix/client/v3/mood/@a:b", "", "", "Prefer", "example=sad"), 400, "M_INVALID_PARAM",
		"calm, zest")

	t.Log("an alias of what only the spec has")
	b.want(b.ask("GET", "/_matrix/client/r0/mood/@alice:example.org", "", ""), 200, "spec")

	t.Log("another status")
	for _, header := range [][2]string{{"Prefer", "code=404"}, {"Postern-Status", "404"}} {
		if a := b.want(b.ask("GET", "/_matrix/client/v3/mood/@a:b", "", "", header[0], header[1]), 404,
			"spec"); a.JSON["errcode"] != "M_NOT_FOUND" {
			t.Errorf("by %s it is %s", header[0], a.Raw)
		}
	}
	b.refused(b.ask("GET", "/_matrix/client/v3/mood/@a:b", "", "", "Postern-Status", "418"), 400, "M_INVALID_PARAM",
		"200, 404", "mood.yaml")

	t.Log("a literal segment wins, and the document's security holds")
	b.want(b.ask("GET", "/_matrix/client/v3/mood/mine", "", ""), 401, "spec")
	mine := b.want(b.ask("GET", "/_matrix/client/v3/mood/mine", token, ""), 200, "spec")
	if mine.JSON["mood"] != "str" || mine.JSON["at"] != "2015-01-01T00:00:00Z" {
		t.Errorf("made from the schema it is %s", mine.Raw)
	}
	b.want(b.ask("PUT", "/_matrix/client/v3/mood/@a:b", token, `{"mood":"calm","strength":1}`), 204, "spec")
}

// TestSessionOfSpec: an operation of the spec alone opens to a real session and closes with it.
func TestSessionOfSpec(t *testing.T) {
	t.Parallel()
	b := newBench(t, "mood.yaml", moodSpec)
	token := b.login()
	mine := func(token string) answer { return b.ask("GET", "/_matrix/client/v3/mood/mine", token, "") }
	if a := b.want(mine(""), 401, "spec"); a.JSON["errcode"] != "M_MISSING_TOKEN" {
		t.Errorf("without a token: %s", a.Raw)
	}
	if a := b.want(mine("nonsense"), 401, "spec"); a.JSON["errcode"] != "M_UNKNOWN_TOKEN" {
		t.Errorf("with nonsense: %s", a.Raw)
	}
	b.want(mine(token), 200, "spec")
	b.want(b.ask("GET", "/_matrix/client/v3/mood/mine?access_token="+token, "", ""), 200, "spec")
	narrow := restricted(t, token, "path under /_matrix/client/v3/account")
	if a := b.want(mine(narrow), 403, "spec"); a.JSON["errcode"] != "M_FORBIDDEN" {
		t.Errorf("with a token for other paths: %s", a.Raw)
	}
	b.want(mine(restricted(t, token, "path under /_matrix/client/v3/mood")), 200, "spec")
	b.want(b.ask("GET", "/_matrix/client/r0/mood/mine", restricted(t, token, "path under /_matrix/client/v3/mood"), ""),
		200, "spec")
	b.want(b.ask("POST", "/_matrix/client/v3/logout", token, ""), 200, "real")
	if a := b.want(mine(token), 401, "spec"); a.JSON["errcode"] != "M_UNKNOWN_TOKEN" {
		t.Errorf("after the logout: %s", a.Raw)
	}
}

// TestWithoutSpec: then everything is real, and the document is the contract.
func TestWithoutSpec(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.want(b.ask("GET", "/_matrix/client/v3/account/whoami", b.login(), ""), 200, "real")
	b.want(b.ask("POST", "/_matrix/client/v3/login", "", `{`), 400, "real")
	for path, item := range documentOf(t, b.server) {
		for method, op := range item {
			if op, ok := op.(map[string]any); ok && op["x-postern-answered-by"] != "real" {
				t.Errorf("%s %s is answered by %v", method, path, op["x-postern-answered-by"])
			}
		}
	}
}

func documentOf(t *testing.T, m *mock.Server) map[string]map[string]any {
	t.Helper()
	var document struct {
		Paths map[string]map[string]any
	}
	fatal(t, json.Unmarshal([]byte(m.Document()), &document))
	if len(document.Paths) == 0 {
		t.Fatalf("the document is %.300s", m.Document())
	}
	return document.Paths
}

// TestPreflight: a web client gets the same leave for both kinds, and may ask for a status.
func TestPreflight(t *testing.T) {
	t.Parallel()
	b := newBench(t, "mood.yaml", moodSpec)
	var allowed [2]string
	for i, path := range []string{"/_matrix/client/v3/login", "/_matrix/client/v3/mood/mine"} {
		a := b.want(b.ask("OPTIONS", path, "", "", "Origin", "https://app.example", "Access-Control-Request-Method",
			"GET"), 204, "real")
		if a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v", path, a.Header)
		}
		allowed[i] = a.Header.Get("Access-Control-Allow-Headers")
	}
	if allowed[0] != allowed[1] || !strings.Contains(allowed[0], "Prefer") ||
		!strings.Contains(allowed[0], "Authorization") {
		t.Errorf("the preflights allow %q", allowed)
	}
	real, made := b.ask("GET", "/_matrix/client/v3/login", "", ""), b.ask("GET", "/_matrix/client/v3/mood/@a:b", "", "")
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Cache-Control",
		"X-Content-Type-Options"} {
		if real.Header.Get(name) != made.Header.Get(name) || real.Header.Get(name) == "" {
			t.Errorf("%s is %q of one and %q of the other", name, real.Header.Get(name), made.Header.Get(name))
		}
	}
}

// TestAnyHandler: the mock server works before any handler, without the options.
func TestAnyHandler(t *testing.T) {
	t.Parallel()
	b := &bench{TB: t, dir: t.TempDir(), out: &safe.Buffer{}}
	b.save("mood.yaml", moodSpec)
	small := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte("one\n"))
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	})
	m, err := mock.New(t.Context(),
		mock.Config{Real: small, Contract: contractOf(t), Dir: b.dir, Files: []string{"mood.yaml"}})
	fatal(t, err)
	defer m.Close()
	web := httptest.NewServer(m)
	defer web.Close()
	b.url = web.URL
	if a := b.want(b.ask("GET", "/anything", "", ""), 200, "real"); a.Raw != "one\n" {
		t.Errorf("the stream is %q", a.Raw)
	}
	b.want(b.ask("GET", "/_matrix/client/v3/mood/mine", "", ""), 401, "spec")
	b.want(b.ask("GET", "/_matrix/client/v3/mood/mine", "any", ""), 200, "spec")
	b.want(b.ask("GET", "/_matrix/client/v3/mood/mine?access_token=any", "", ""), 200, "spec")
}

// TestBroken: a spec that cannot be used at the start is an error that says where.
func TestBroken(t *testing.T) {
	t.Parallel()
	b := &bench{TB: t, dir: t.TempDir()}
	b.save("broken.yaml", "openapi: 3.1.0\npaths: [\n")
	for _, file := range []string{"broken.yaml", "absent.yaml"} {
		_, err := mock.New(t.Context(),
			mock.Config{Real: http.NotFoundHandler(), Contract: contractOf(t), Dir: b.dir, Files: []string{file}})
		if err == nil || file == "absent.yaml" && !strings.Contains(err.Error(), file) || file == "broken.yaml" &&
			!strings.Contains(err.Error(), "3") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

const pollSpec = `openapi: 3.1.0
info: {title: poll, version: "1"}
paths:
  /poll:
    get:
      parameters:
        - {name: since, in: query, schema: {type: string}}
        - {name: timeout, in: query, schema: {type: integer}}
      responses:
        "200": {description: news, content: {application/json: {example: {next: x}}}}
  /once:
    get:
      responses:
        "200": {description: news}
`

// TestPoll: a client that polls waits, until the server ends at the latest; a first request does not.
func TestPoll(t *testing.T) {
	t.Parallel()
	b := newBench(t, "poll.yaml", pollSpec)
	b.want(b.ask("GET", "/poll?timeout=3600000", "", ""), 200, "spec")
	b.want(b.ask("GET", "/poll?since=x", "", ""), 200, "spec")
	b.want(b.ask("GET", "/poll?since=x&timeout=0", "", ""), 200, "spec")
	b.want(b.ask("GET", "/poll?since=x&timeout=1", "", ""), 200, "spec")
	b.want(b.ask("GET", "/once?since=x&timeout=3600000", "", ""), 200, "spec")
	polled := make(chan answer)
	go func() { polled <- b.ask("GET", "/poll?since=x&timeout=9223372036854775807", "", "") }()
	b.want(b.ask("GET", "/poll", "", ""), 200, "spec")
	select {
	case a := <-polled:
		t.Errorf("the poll was answered at once: %s", a.Raw)
		return
	default:
	}
	b.server.Close()
	b.want(<-polled, 200, "spec")
}
