package requests_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/speclab/requests"
	"postern/test/rig/safe"
	"postern/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a log in front of a handler, behind a real listener, and its recording.
type lab struct {
	testing.TB
	log  *requests.Log
	url  string
	file string
	out  *safe.Buffer
}

func newLab(t testing.TB, handler http.HandlerFunc) *lab {
	t.Helper()
	l := &lab{TB: t, file: filepath.Join(t.TempDir(), "session.har"), out: &safe.Buffer{}}
	file, err := os.Create(l.file)
	l.fatal(err)
	l.log, err = requests.New(requests.Config{Out: l.out, Record: file, Now: time.Now})
	l.fatal(err)
	server := httptest.NewServer(l.log.Handler(handler))
	t.Cleanup(func() {
		server.Close()
		l.log.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	l.url = server.URL
	return l
}

func (l *lab) fatal(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// send asks, reads the whole answer and waits for its entry.
func (l *lab) send(method, path, body string, header map[string]string) string {
	l.Helper()
	r, err := http.NewRequestWithContext(l.Context(), method, l.url+path, strings.NewReader(body))
	l.fatal(err)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	before := l.read(0).Log.Postern.Last
	answer, err := http.DefaultTransport.RoundTrip(r)
	l.fatal(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	l.fatal(err)
	l.waitAfter(before)
	return string(text)
}

// waitAfter waits for the entry after one: it is made after the answer.
func (l *lab) waitAfter(last int) {
	l.Helper()
	for deadline := time.Now().Add(20 * time.Second); l.read(0).Log.Postern.Last == last; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			l.Fatalf("no entry is made after entry %d", last)
		}
	}
}

// har is what the tests read of an archive.
type har struct {
	Log struct {
		Version string
		Postern struct {
			Last    int
			Missing []requests.Call
		} `json:"_postern"`
		Entries []struct {
			Request struct {
				Method, URL string
				Headers     []pair
				Query       []pair `json:"queryString"`
				PostData    part
			}
			Response struct {
				Status  int
				Headers []pair
				Content part
			}
			Postern struct {
				Number                     int
				Operation, Violated, Error string
				AnsweredBy                 string
			} `json:"_postern"`
		}
	}
}

type pair struct{ Name, Value string }

type part struct {
	Text, Comment, MimeType string
	Size                    int64
}

func (l *lab) read(after int) (a har) {
	l.Helper()
	l.fatal(json.Unmarshal(l.log.Archive(after), &a))
	return a
}

// recorded is the file as it is now.
func (l *lab) recorded() (a har, text string) {
	l.Helper()
	raw, err := os.ReadFile(l.file)
	l.fatal(err)
	l.fatal(json.Unmarshal(raw, &a))
	return a, string(raw)
}

func mint(t testing.TB, kind tokens.Type) string {
	t.Helper()
	token, err := tokens.Mint("example.org", tokens.Key{ID: 1, Secret: [32]byte{1}},
		tokens.Claims{Session: "S1", Generation: 1, UserID: "@alice:example.org", Type: kind})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestSecrets: whatever way a secret takes, it is neither on the page, nor in the file, nor on the console; what is
// around it is.
func TestSecrets(t *testing.T) {
	t.Parallel()
	token := mint(t, tokens.Access)
	const answer = `{"user_id":"@alice:seen","access_token":"hunter2","refresh_token":"hunter2","login_token":"hunter2",
		"note":"it is TOKEN, or syt_YWxpY2U_hunter2hunter2_0abcde, or eyJhbGciOiJub25lIn0.hunter2.hunter2",
		"link":"https://seen.example/?user_code=hunter2&seen=1#loginToken=hunter2"}`
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		w.Header().Set("Set-Cookie", "session=hunter2; seen=1")
		w.Header().Set("Location", "https://seen.example/back?code=hunter2&state=seen")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, strings.ReplaceAll(answer, "TOKEN", token))
	})
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for _, test := range []struct {
		path, body string
		header     map[string]string
		seen       []string
	}{
		{"/a", "", map[string]string{"Authorization": "Bearer hunter2"}, []string{"Bearer [hidden]"}},
		{"/a", "", map[string]string{"Authorization": "hunter2"}, nil},
		{"/a", "", map[string]string{"Cookie": "postern=hunter2", "X-Api-Key": "hunter2", "X-Csrf-Token": "hunter2",
			"Proxy-Authorization": "Basic hunter2", "Referer": "http://seen.example/?token=hunter2"},
			[]string{"http://seen.example/?token=[hidden]", "Basic [hidden]"}},
		{"/a", "", map[string]string{"Referer": "http://seen.example/?return=%2Fx%3Fa%3Db%26code%3Dhunter2&seen=1"},
			[]string{"&seen=1"}},
		{"/a?access_token=hunter2&seen=query", "", nil, []string{"access_token=[hidden]&seen=query"}},
		{"/a?__code=403&code=hunter2", "", nil, []string{"__code=403&code=[hidden]"}},
		{"/a?access%5Ftoken=hunter2", "", nil, nil},
		{"/a?seen=" + token, "", nil, nil},
		{"/a/" + token + "/b", "", nil, []string{"/a/[hidden]/b"}},
		{"/a", `{"password":"hunter2","refresh_token":true,"type":"m.login.password","initial":"seen"}`, nil,
			[]string{`{"password":"[hidden]","refresh_token":true,"type":"m.login.password","initial":"seen"}`}},
		{"/a", `{"auth":{"type":"seen","session":"hunter2","password":"hunter2"},"list":[{"new_password":"hunter2"}]}`,
			form, []string{`{"auth":{"type":"seen","session":"[hidden]"`}}, // as a plain `curl -d` says
		{"/a", `{"tokens":["hunter2",["hunter2"],{"x":"hunter2","seen":[]}],"pin":72772,"after":"seen"}`, nil,
			[]string{`"after":"seen"`}},
		{"/a", `{"Access-Token":"hunter2","clientSecret":"hunter2","id.token":"hunter2"}`, nil, nil},
		{"/a", `{"\u0070assword":"hunter2","pa\u017f\u017fWORD":"hunter2","pass word":"hunter2"}`, nil, nil},
		{"/a", `{"passphrase":"hunter2","recovery_codes":["hunter2"],"authCode":"hunter2","errcode":"seen"}`, nil,
			[]string{`"errcode":"seen"`}},
		{"/a", `{"nonce":"seen","mac":"hunter2","ticket":"hunter2","session_id":"hunter2","pass":"hunter2"}`, nil,
			[]string{`"nonce":"seen"`}},
		{"/a", `{"body":"{\"password\":\"hunter2\",\"a\":\"seen\"}","more":"[{\"token\":\"hunter2"}`, nil,
			[]string{`\"a\":\"seen\"`}},
		{"/a", `{"a":"https://seen:hunter2@x.example/","b":"/x?password=it's;hunter2&c=seen"}`, nil,
			[]string{"https://seen:[hidden]@x.example/", "&c=seen"}},
		{"/a", `{"a":"MDAxY2xvY2F0aW9uIGhvbWUudGVzdAowMDEz-hunter2"}`, nil, nil},
		{"/a?filter=%7B%22token%22%3A%22hunter2%22%7D&__code=429", "",
			map[string]string{"Referer": "/x?y=%7B%22token%22%3A%22hunter2%22%7D", "X-Auth": "hunter2"},
			[]string{"&__code=429"}},
		{"/_synapse/admin/v1/registration_tokens/hunter2?seen=1", "", nil, []string{"registration_tokens/[hidden]?"}},
		{"/a?u=https%3A%2F%2Fseen%3Ahunter2%40x.example%2F", "", nil, nil},
		{"/a", `{"seen":1,"password":"hunter2`, nil, []string{`{"seen":1,"password"`}},
		{"/a", `{"seen":1}{"password":"hunter2"}`, nil, []string{`{"seen":1}`}},
		{"/a", `{"password" "hunter2"}`, nil, nil},
		{"/a", "grant_type=seen&code=hunter2&client%5Fsecret=hunter2&refresh_token=hunter2", form,
			[]string{"grant_type=seen&code=[hidden]&client_secret=[hidden]"}},
		{"/a", "user=seen&password=hunter2&new=hunter2&seen=https%3A%2F%2Fx.example%2F%3Ftoken%3Dhunter2", form, nil},
		{"/a", "my password is hunter2", map[string]string{"Content-Type": "text/plain"},
			[]string{"text/plain is not shown, 22 bytes"}},
		{"/a", "<form><input value=hunter2></form>", map[string]string{"Content-Type": "text/html"}, nil},
		{"/a", strings.Repeat("hunter2 ", 5000), nil, []string{"a body of no kind is not shown, 40000 bytes"}},
	} {
		l.send("POST", test.path, test.body, test.header)
		archive := string(l.log.Archive(0))
		_, file := l.recorded()
		for what, text := range map[string]string{"page": archive, "file": file, "console": l.out.String()} {
			for _, secret := range []string{"hunter2", token, token[3:40], "72772"} {
				if strings.Contains(text, secret) {
					t.Fatalf("%s %s: %q is on the %s", test.path, test.body, secret, what)
				}
			}
		}
		entries := l.read(l.read(0).Log.Postern.Last - 1).Log.Entries
		plain := fmt.Sprintf("%+v", entries)
		for _, seen := range append(test.seen, "@alice:seen", "user_code=[hidden]&seen=1#loginToken=[hidden]",
			"code=[hidden]&state=seen") {
			if !strings.Contains(plain, seen) {
				t.Errorf("%s %s: no %q in %s", test.path, test.body, seen, plain)
			}
		}
	}
}

// TestNestedAddresses: addresses in addresses take neither secrets past nor the server's time, however many there are.
func TestNestedAddresses(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(http.ResponseWriter, *http.Request) {})
	for _, wrap := range []func(string) string{url.QueryEscape, func(s string) string { return s },
		func(s string) string { return url.QueryEscape(`["` + s + `"]`) }} {
		for _, levels := range []int{1, 2, 3, 4, 5, 40, 60} {
			address := "/x?seen=1&token=hunter2"
			for range levels {
				address = "/x?a=" + wrap(address)
			}
			l.send("GET", "/a", "", map[string]string{"Referer": address})
			if text := string(l.log.Archive(0)); strings.Contains(text, "hunter2") {
				t.Errorf("%d levels: %s", levels, text)
			}
		}
	}
}

// TestCompressed: what cannot be read is not shown.
func TestCompressed(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		var b bytes.Buffer
		packed := gzip.NewWriter(&b)
		_, _ = io.WriteString(packed, `{"errcode":"M_SEEN"}`)
		packed.Close()
		_, _ = w.Write(b.Bytes())
	})
	l.send("GET", "/a", "", map[string]string{"Accept-Encoding": "gzip"})
	if got := l.read(0).Log.Entries[0].Response.Content; got.Text != "" ||
		!strings.HasPrefix(got.Comment, "application/json is not shown") {
		t.Errorf("it shows %+v", got)
	}
}

// TestBounded: a hundred entries are kept, and of each body the beginning; the file has all entries.
func TestBounded(t *testing.T) {
	t.Parallel()
	large := `{"first":"` + strings.Repeat("a", 1000) + `","last":"` + strings.Repeat("b", 100_000) + `"}`
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(body)
	})
	for i := range 103 {
		body := "{}"
		if i == 100 {
			body = large
		}
		if got := l.send("PUT", "/a", body, nil); got != body {
			t.Fatalf("the handler answers %d bytes", len(got))
		}
	}
	a := l.read(0)
	if first, last := a.Log.Entries[0], a.Log.Entries[99]; len(a.Log.Entries) != 100 ||
		first.Postern.Number != 4 || last.Postern.Number != 103 || a.Log.Postern.Last != 103 {
		t.Errorf("%d entries are kept, from %d to %d", len(a.Log.Entries), first.Postern.Number, last.Postern.Number)
	}
	cut := a.Log.Entries[97]
	for what, got := range map[string]part{"request": cut.Request.PostData, "answer": cut.Response.Content} {
		if !strings.HasPrefix(got.Text, large[:1000]) || len(got.Text) > 1100 ||
			got.Comment != fmt.Sprintf("cut after 16 KiB of %d bytes", len(large)) {
			t.Errorf("of the %s it keeps %d bytes, and says %q", what, len(got.Text), got.Comment)
		}
	}
	if cut.Response.Content.Size != int64(len(large)) {
		t.Errorf("the answer has %d bytes", cut.Response.Content.Size)
	}
	if got := len(l.read(101).Log.Entries); got != 2 {
		t.Errorf("after the 101st there are %d", got)
	}
	if file, _ := l.recorded(); len(file.Log.Entries) != 103 {
		t.Errorf("the file has %d entries", len(file.Log.Entries))
	}
}

// TestStreams: an answer reaches the client while its handler still writes, and its entry comes when it has ended.
func TestStreams(t *testing.T) {
	t.Parallel()
	more := make(chan bool)
	l := newLab(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "one")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-more
		_, _ = io.WriteString(w, "two")
	})
	answer, err := http.Get(l.url)
	l.fatal(err)
	defer answer.Body.Close()
	three := make([]byte, 3)
	if _, err := io.ReadFull(answer.Body, three); err != nil || string(three) != "one" {
		t.Fatalf("it reads %q, %v", three, err)
	}
	if got := l.read(0).Log.Entries; len(got) != 0 {
		t.Errorf("before the end there is %+v", got)
	}
	close(more)
	if rest, err := io.ReadAll(answer.Body); err != nil || string(rest) != "two" {
		t.Errorf("then %q, %v", rest, err)
	}
}

// TestCutOff: a handler that gives up is logged too, and the file is whole though the server never closes it.
func TestCutOff(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(_ http.ResponseWriter, r *http.Request) {
		requests.NoteOf(r.Context()).Operation = "giveUp"
		panic(http.ErrAbortHandler)
	})
	if answer, err := http.Get(l.url + "/a"); err == nil {
		answer.Body.Close()
		t.Errorf("it answers %d", answer.StatusCode)
	}
	l.waitAfter(0)
	if file, _ := l.recorded(); file.Log.Version != "1.2" || len(file.Log.Entries) != 1 ||
		file.Log.Entries[0].Postern.Operation != "giveUp" || file.Log.Entries[0].Response.Status != 0 {
		t.Errorf("the file has %+v", file)
	}
	if line := "request: GET /a  giveUp    no answer\n"; l.out.String() != line {
		t.Errorf("it prints %q, want %q", l.out, line)
	}
}

// TestConsole: a line a request, which says what was violated or why it was refused, and no client controls it.
func TestConsole(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		note := requests.NoteOf(r.Context())
		switch r.URL.Path {
		case "/login":
			note.Operation = "login"
			w.Header().Set("Postern-Answered-By", "real")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"errcode":"M_FORBIDDEN","error":"No \u001b[31m\u202e"}`)
		case "/look":
			note.Operation, note.Violation = "look", "Missing parameter: x (look.yaml:3:1)"
			w.Header().Set("Postern-Answered-By", "spec")
			w.WriteHeader(http.StatusBadRequest)
		}
		r.URL.Path = "/another" // as handlers do that know a path by another name
	})
	l.send("POST", "/login?a=b", "", nil)
	l.send("GET", "/look", "", nil)
	l.send("GET", "/a/%1B%5B31m", "", nil)
	l.send("OPTIONS", "/b", "", map[string]string{"Access-Control-Request-Method": "PUT"})
	want := `request: POST /login  login  real  403  "M_FORBIDDEN: No \x1b[31m\u202e"
request: GET /look  look  spec  400  violated: Missing parameter: x (look.yaml:3:1)
request: GET /a/%1B%5B31m  not in the spec    200
request: OPTIONS /b  preflight    200
`
	if got := l.out.String(); got != want {
		t.Errorf("it prints\n%swant\n%s", got, want)
	}
	if got := l.read(0).Log.Entries[1].Postern; got.Violated != "Missing parameter: x (look.yaml:3:1)" ||
		got.AnsweredBy != "spec" {
		t.Errorf("the entry says %+v", got)
	}
}
