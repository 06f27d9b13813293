package front

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestTargetsByteForByte: the homeserver gets the path and the query as the client wrote them.
func TestTargetsByteForByte(t *testing.T) {
	t.Parallel()
	behind := wiretap(t)
	s := before(t, behind.url())
	for _, target := range []string{
		"/_matrix/client/v3/directory/room/%23a%3Ab", "/_matrix/client/v3/rooms/!a:b/send/m.room.message/%2F+%2B",
		"/_matrix/client/v3/a%2fb/%2e%2e/c",
		"/_matrix/client/v3/a//b///c/", "/_matrix/client/v3/a/../b/./c", "/_matrix/client/v3/$x'(y)*z,;=@&~",
		`/_matrix/client/v3/"quote"|{}^`,
		"/_matrix/client/v3/gr\xc3\xbc\xc3\x9fe", "//_matrix/client/v3/x", "/", "/_matrix/client/v3/sync?",
		"/x?a=1&b=%20+&c;d=/?&=&&", "/x?filter={\"a\":1}", "/x?%zz",
		"/_matrix/client/r0/sync?since=s1",
	} {
		if res, body := s.get(target); res.StatusCode != 200 || body != "{}" {
			t.Errorf("%s: %d %s", target, res.StatusCode, body)
			continue
		}
		if line, header := behind.line(); line != "GET "+target+" HTTP/1.1" ||
			header["Host"][0] != "matrix.example.org" {
			t.Errorf("%s arrives as %q for %q", target, line, header["Host"])
		}
	}
	if s.get("http://matrix.example.org?x=1"); t.Failed() {
		return
	}
	if line, _ := behind.line(); line != "GET /?x=1 HTTP/1.1" {
		t.Errorf("absolute form arrives as %q", line)
	}
}

// TestHeaders: the homeserver gets the client's address from the front alone, and no header of the client's connection.
func TestHeaders(t *testing.T) {
	t.Parallel()
	behind := wiretap(t)
	s := before(t, behind.url())
	if !strings.HasPrefix(s.front.id, "postern-") {
		t.Errorf("it calls itself %s", s.front.id)
	}
	s.get("/_matrix/client/v3/sync", "X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 203.0.113.2, 203.0.113.3",
		"X-Forwarded-Proto: http", "X-Forwarded-Host: evil",
		"Forwarded: for=203.0.113.4", "Connection: keep-alive, X-Private, X-Forwarded-For, Authorization, Upgrade",
		"X-Private: 1", "Upgrade: h2c", "Keep-Alive: 5",
		"Proxy-Authorization: x", "TE: gzip", "Accept-Encoding: br", "Via: 1.0 cache",
		"Authorization: Bearer ours-good")
	_, header := behind.line()
	for name, want := range map[string]string{
		"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "", "Forwarded": "",
		"X-Private": "", "Upgrade": "", "Connection": "", "Keep-Alive": "",
		"Proxy-Authorization": "", "Te": "", "Accept-Encoding": "br", "Via": "1.0 cache|1.1 " + s.front.id,
		"Authorization": "Bearer plain", "User-Agent": "",
	} {
		if got := strings.Join(header[name], "|"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestLongHeads: a head at which the homeserver would close the connection is refused, and is no sign that it is away.
func TestLongHeads(t *testing.T) {
	t.Parallel()
	behind := wiretap(t)
	s := before(t, behind.url())
	long := strings.Repeat("x", maxHeadBytes)
	for _, c := range []struct{ target, header string }{{"/x?" + long, ""}, {"/x", "X-Long: " + long},
		{"/x?" + long[:maxHeadBytes/2], "X-Long: " + long[:maxHeadBytes/2]}} {
		if res, body := s.get(c.target, c.header); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge ||
			!strings.Contains(body, "M_TOO_LARGE") {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
	if res, body := s.get("/x", strings.Repeat("X: \r\n", maxHeaders)+
		"Y: "); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("many headers: %d %s", res.StatusCode, body)
	}
	if res, _ := s.get("/x?"+long[:maxHeadBytes/2], "X-Long: "+long[:maxHeadBytes/4]); res.StatusCode != 200 {
		t.Errorf("a long one that fits: %d", res.StatusCode)
	}
}

// TestTokens: Postern's tokens are exchanged, in the header or the query; all others pass unchanged.
func TestTokens(t *testing.T) {
	t.Parallel()
	behind := wiretap(t)
	s := before(t, behind.url())
	for _, c := range []struct{ target, header, want, authorization string }{
		{"/x?a=1", "Authorization: Bearer ours-good", "/x?a=1", "Bearer plain"},
		{"/x?a=1&access_token=ours-good&b=%2F", "", "/x?a=1&b=%2F", "Bearer plain"},
		{"/x?access_token=ours-good", "", "/x", "Bearer plain"},
		{"/x?a=1;%61ccess_token=ours%2Dgood", "", "/x?a=1", "Bearer plain"},
		{"/x?access_token=ours-good&access_token=ours-bad&b", "", "/x?b", "Bearer plain"},
		{"/x?access_token=other&b", "Authorization: bearer  ours-good", "/x?b", "Bearer plain"},
		{"/x?access_token=syt_other&b=", "", "/x?access_token=syt_other&b=", ""},
		{"/x", "Authorization: Bearer as_token", "/x", "Bearer as_token"},
		{"/x?access_token=ours-bad", `Authorization: X-Matrix origin=a,key="k",sig="s"`, "/x?access_token=ours-bad", `X-Matrix origin=a,key="k",sig="s"`},
		{"/x", "Authorization: Bearer ours-bad\r\nAuthorization: Bearer ours-good", "/x", "Bearer ours-bad|Bearer ours-good"},
		{"/x?access_token=ours-bad", "Authorization: Basic x\r\nConnection: Authorization", "/x?access_token=ours-bad", "Basic x"},
		{"/x", "Accept: */*", "/x", ""},
	} {
		s.get(c.target, c.header)
		line, header := behind.line()
		if got := strings.Join(header["Authorization"], "|"); line != "GET "+c.want+" HTTP/1.1" ||
			got != c.authorization {
			t.Errorf("%s with %q arrives as %q with %q", c.target, c.header, line, got)
		}
	}
	for _, c := range [][2]string{{"/x", "Authorization: Bearer ours-bad"},
		{"/x?b;access_token=ours-bad", "Accept: */*"}} {
		if res, body := s.get(c[0], c[1]); res.StatusCode != 401 || !strings.Contains(body, "refused here") ||
			res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %s", c[0], res.StatusCode, body)
		}
	}
	if len(behind.seen) > 0 {
		t.Errorf("what was refused arrives as %q", <-behind.seen)
	}
}

// TestOpen: where no token is needed, the homeserver gets none in place of one that is refused. Where its operator
// wants one all the same, the client hears why its own is refused.
func TestOpen(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/open/private" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		io.WriteString(w, r.URL.RequestURI()+" "+strings.Join(r.Header["Authorization"], "|"))
	}, func(c *Config) {
		c.Login = &fakeLogin{operation: func(method, path, token string) Operation {
			return Operation{Open: strings.HasPrefix(path, "/open")}
		}}
	})
	for _, c := range [][3]string{
		{"/open?a=1", "Authorization: Bearer ours-bad", "/open?a=1 "},
		{"/open?a=1&access_token=ours-bad", "", "/open?a=1 "},
		{"/open?access_token=ours-good", "Authorization: Bearer ours-bad", "/open "},
		{"/open", "Authorization: Bearer ours-good", "/open Bearer plain"},
		{"/open", "Authorization: Bearer other", "/open Bearer other"},
		{"/open?access_token=", "Authorization: Bearer ", "/open "},
		{"/open", "Authorization: Bearer ours-good\r\nAuthorization: Bearer ours-good", "/open "},
		{"/open/private", "Authorization: Bearer ours-bad", `{"errcode":"M_UNKNOWN_TOKEN","error":"refused here"}`},
		{"/open/private", "Accept: */*", "/open/private "},
		{"/closed", "Authorization: Bearer ours-bad", `{"errcode":"M_UNKNOWN_TOKEN","error":"refused here"}`},
	} {
		if _, body := s.get(c[0], c[1]); body != c[2] {
			t.Errorf("%s with %q answers %s, want %s", c[0], c[1], body, c[2])
		}
	}
}

// TestForms: the homeserver finds no token in a form, where it was not checked.
func TestForms(t *testing.T) {
	t.Parallel()
	behind := wiretap(t)
	s := before(t, behind.url())
	const form = "Application/X-WWW-form-urlencoded; a=b"
	for _, c := range []struct{ target, header, want string }{
		{"POST /_matrix/media/v3/upload", "", ""},
		{"POST /_matrix/media/v3/upload?access_token=other", "", ""},
		// the homeserver takes no request with two tokens
		{"POST /_matrix/media/v3/upload", "Authorization: Bearer ours-good\r\n", form},
		{"POST /_matrix/media/v3/upload?access_token=ours-good", "", form},
		{"POST /_matrix/consent", "", form},
		{"POST /_synapse/client/pick_username/submit", "", form},
		{"PUT /_matrix/media/v3/upload", "", form},
	} {
		s.raw(c.target + " HTTP/1.1\r\nHost: x\r\n" + c.header + "Content-Type: " + form +
			"\r\nContent-Length: 21\r\n\r\naccess_token=ours-bad")
		if line, header := behind.line(); strings.Join(header["Content-Type"], "|") != c.want {
			t.Errorf("%s arrives as %q with %q", c.target, line, header["Content-Type"])
		}
	}
	for kind, stays := range map[string]bool{
		"multipart/form-data; boundary=x":                false,
		"application/x-www-f=?utf-8?q?o?=rm-urlencoded":  false, // Twisted reads a form
		"multipart/=?utf-8?b?Zm9ybS1kYXRh?=; boundary=x": false,
		"application/x-www-form-urlencoded\xa0":          false,
		// a bridge that shows its token in the query keeps the type of its upload
		"application/vnd.openxmlformats-officedocument.text": true,
	} {
		s.raw("POST /_matrix/media/v3/upload?access_token=other HTTP/1.1\r\nHost: x\r\nContent-Type: " + kind +
			"\r\nContent-Length: 1\r\n\r\nx")
		if _, header := behind.line(); (len(header["Content-Type"]) > 0) != stays {
			t.Errorf("the type %q arrives as %q", kind, header["Content-Type"])
		}
	}
}

// TestBrokenBody: an invalid body is the client's fault, and is not logged.
func TestBrokenBody(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	if res, body := s.raw("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"); res.StatusCode != 400 {
		t.Errorf("the client hears %d %s", res.StatusCode, body)
	}
	if log := s.log.String(); log != "" {
		t.Errorf("the log says %s", log)
	}
}

// TestRoutes: the operation decides who answers; Postern gets its own under their current name.
func TestRoutes(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, "homeserver got "+string(body))
	}, func(c *Config) {
		c.Login = &fakeLogin{operation: func(method, path, token string) (op Operation) {
			device, found := strings.CutPrefix(path, "/_matrix/client/v3/devices/")
			switch {
			case path == "/ask":
				op.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					io.WriteString(w, "internal")
				})
			case method == "POST" && path == "/_matrix/client/v3/keys":
				op.Amend = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					r.Body, r.ContentLength = io.NopCloser(strings.NewReader("other")), 5
					r.Header.Set("Content-Length", "5")
					next.ServeHTTP(w, r)
				}
			case method == "DELETE" && found && !strings.Contains(device, "/"):
				op.Amend = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					io.WriteString(w, "noted, and ")
					next.ServeHTTP(w, r)
				}
			}
			return op
		}}
	})
	for text, want := range map[string]string{
		"GET /_matrix/client/r0/login?access_token=bridge": "homeserver got ",
		"GET /_matrix/client/v3/login?access_token=client": `{"postern":"/_matrix/client/v3/login"}`,
		"PUT /_matrix/client/v3/login?access_token=bridge": `{"postern":"/_matrix/client/v3/login"}`,
		"GET /_matrix/client/v3/login":                     `{"postern":"/_matrix/client/v3/login"}`,
		"PUT /_matrix/client/r0/login":                     `{"postern":"/_matrix/client/v3/login"}`,
		"GET /ask":                                         "internal",
		"GET /_matrix/client/v3/sync":                      "homeserver got ",
		"POST /_matrix/client/r0/keys":                     "homeserver got other",
		"GET /_matrix/client/v3/keys":                      "homeserver got ",
		"DELETE /_matrix/client/r0/devices/X%2Fx":          "noted, and homeserver got ",
		"DELETE /_matrix/client/v3/devices/X/x":            "homeserver got ",
		"GET /_matrix/client/v3/devices/X":                 "homeserver got ",
		"GET /_matrix/client/v3/%6Cogin":                   "homeserver got ",
		// a browser that may not ask learns nothing, not even that it is logged out
		"OPTIONS /x?access_token=ours-bad":  "homeserver got ",
		"GET /.well-known/matrix/server":    "homeserver got ",
		"GET /_synapse/client/new_user":     "homeserver got ",
		"GET /_synapse/admin/v1/users":      `{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request."}`,
		"OPTIONS /_synapse/mas/query_user":  `{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request."}`,
		"POST //_synapse/mas/delete_device": `{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request."}`,
	} {
		if _, body := s.raw(text + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); body != want {
			t.Errorf("%s answers %q, want %q", text, body, want)
		}
	}
}

// TestEdits: an answer that is a JSON object is edited, and any other passes unchanged.
func TestEdits(t *testing.T) {
	t.Parallel()
	answer := make(chan string, 1)
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Error("a compressed answer could not be read")
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Etag", "x")
		io.WriteString(w, <-answer)
	}, func(c *Config) {
		c.Login = &fakeLogin{operation: func(method, path, token string) (op Operation) {
			if method == "GET" && path == "/_matrix/client/v3/capabilities" {
				op.Edit = func(object map[string]json.RawMessage) { object["b"] = json.RawMessage("2") }
			}
			return op
		}}
	})
	for text, want := range map[string]string{`{"a":1}`: `{"a":1,"b":2}`, `[1]`: `[1]`, `null`: `null`, `{`: `{`,
		``: ``} {
		answer <- text
		if res, body := s.get("/_matrix/client/r0/capabilities", "Accept-Encoding: gzip"); res.StatusCode != 200 ||
			body != want {
			t.Errorf("%q becomes %d %q", text, res.StatusCode, body)
		}
	}
}
