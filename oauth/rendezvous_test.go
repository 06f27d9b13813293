package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/oauth/rendezvous"
)

const mailboxes = "/_matrix/client/unstable/io.element.msc4388/rendezvous"

// call sends a request with headers, written `Name: value`.
func (s *site) call(method, path, body string, headers ...string) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.URL+strings.TrimPrefix(path, s.URL),
		strings.NewReader(body))
	s.must(err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return s.send(r, http.DefaultClient)
}

// mailbox opens one as Element X does, and gives its address and the ETag of its empty message.
func (s *site) mailbox() (at, tag string) {
	s.Helper()
	a := s.want(s.call("POST", handlers.RendezvousPath, "", "Content-Type: text/plain"), 201, "")
	return a.text("url"), a.header.Get("ETag")
}

// TestRendezvousByHeaders: two devices talk as MSC4108 has it.
func TestRendezvousByHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at, first := s.mailbox()
	if !strings.HasPrefix(at, s.URL+handlers.RendezvousPath+"/") {
		t.Errorf("the mailbox is at %q", at)
	}
	a := s.ok(s.call("GET", at, ""))
	expires, err := time.Parse(http.TimeFormat, a.header.Get("Expires"))
	if a.header.Get("Content-Type") != "text/plain" || a.body != "" || a.header.Get("ETag") != first || err != nil ||
		expires.Sub(s.clock.Now()) > rendezvous.Life || expires.Sub(s.clock.Now()) < rendezvous.Life-time.Second ||
		a.header.Get("Last-Modified") == "" || a.header.Get("Cache-Control") != "no-store" ||
		!strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "ETag") {
		t.Errorf("the mailbox is %v %q", a.header, a.body)
	}
	s.want(s.call("GET", at, "", "If-None-Match: "+first), 304, "")
	second := s.want(s.call("PUT", at, "hello", "If-Match: "+first), 202, "").header.Get("ETag")
	for _, seen := range []string{second, "W/" + second, strings.TrimSuffix(second, `"`) + `-gzip"`} {
		s.want(s.call("GET", at, "", "If-None-Match: "+seen), 304, "") // as proxies make it
	}
	if a := s.ok(s.call("GET", at, "", "If-None-Match: "+first)); a.body != "hello" || a.header.Get("ETag") != second {
		t.Errorf("the message is %v %q", a.header, a.body)
	}
	a = s.want(s.call("PUT", at, "late", "If-Match: "+first), 412, "M_CONCURRENT_WRITE")
	if a.header.Get("ETag") != second {
		t.Errorf("the refusal is %v", a.header)
	}
	s.want(s.call("PUT", at, "odd", "If-Match: *"), 412, "M_CONCURRENT_WRITE")
	s.want(s.call("PUT", at, "none"), 400, "M_MISSING_PARAM")
	s.want(s.call("PUT", at, "answer", "If-Match: W/"+second), 202, "")
	// The first one sends again, since its answer was lost: it learns what it was told, and then reads the answer.
	if a := s.want(s.call("PUT", at, "hello", "If-Match: "+first), 202, ""); a.header.Get("ETag") != second {
		t.Errorf("sent again it is %v", a.header)
	}
	if a := s.ok(s.call("GET", at, "", "If-None-Match: "+second)); a.body != "answer" {
		t.Errorf("the message is %q", a.body)
	}
	s.want(s.call("GET", at, "", "Sec-Fetch-Mode: navigate"), 403, "M_FORBIDDEN")
	s.want(s.call("DELETE", at, ""), 204, "")
	for _, gone := range []answer{s.call("GET", at, ""), s.call("DELETE", at, ""),
		s.call("PUT", at, "x", "If-Match: "+second)} {
		s.want(gone, 404, "M_NOT_FOUND")
	}
}

// TestRendezvousByJSON: two devices talk as MSC4388 has it.
func TestRendezvousByJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if a := s.ok(s.call("GET", mailboxes, "")); a.json["create_available"] != true {
		t.Errorf("discovery is %s", a.body)
	}
	a := s.ok(s.call("POST", mailboxes, `{"data":""}`))
	at, first := mailboxes+"/"+a.text("id"), a.text("sequence_token")
	if a.json["expires_in_ms"] != float64(rendezvous.Life.Milliseconds()) {
		t.Errorf("the mailbox is %s", a.body)
	}
	update := func(path, token, data string) answer {
		return s.call("PUT", path, fmt.Sprintf(`{"sequence_token":%q,"data":%q}`, token, data))
	}
	second := s.ok(update(at, first, "hello")).text("sequence_token")
	if a := s.ok(s.call("GET", at, "")); a.text("data") != "hello" || a.text("sequence_token") != second ||
		second == first {
		t.Errorf("the message is %s", a.body)
	}
	s.want(update(at, first, "late"), 409, "IO_ELEMENT_MSC4388_CONCURRENT_WRITE")
	s.want(update(at, "", "late"), 409, "IO_ELEMENT_MSC4388_CONCURRENT_WRITE")
	third := s.ok(update(at+"/txn", second, "answer")).text("sequence_token")
	for _, again := range []answer{update(at, first, "hello"), update(at+"/other", first, "hello")} {
		if s.ok(again).text("sequence_token") != second {
			t.Errorf("sent again it is %s", again.body)
		}
	}
	s.want(update(at+"/txn", first, "late"), 409, "IO_ELEMENT_MSC4388_CONCURRENT_WRITE")
	if a := s.ok(s.call("GET", at, "", "Sec-Fetch-Mode: cors")); a.text("sequence_token") != third {
		t.Errorf("the message is %s", a.body)
	}
	s.want(s.call("GET", at, "", "Sec-Fetch-Mode: navigate"), 403, "M_FORBIDDEN")
	s.want(s.call("PUT", at, `{"data":"x"}`), 400, "M_MISSING_PARAM")
	s.want(s.call("PUT", at+"/txn", `{`), 400, "M_NOT_JSON")
	s.want(s.call("POST", mailboxes, `{}`), 400, "M_MISSING_PARAM")
	s.ok(s.call("DELETE", at, ""))
	for _, gone := range []answer{s.call("GET", at, ""), s.call("DELETE", at, ""), update(at, third, "x"),
		update(at+"/txn", third, "x")} {
		s.want(gone, 404, "M_NOT_FOUND")
	}
}

// TestRendezvousRace: of many devices that leave a message at once one does, and the others are told.
func TestRendezvousRace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at, tag := s.mailbox()
	for range 5 {
		var wait sync.WaitGroup
		answers := make([]answer, 16)
		for i := range answers {
			wait.Go(func() { answers[i] = s.call("PUT", at, fmt.Sprint(tag, i), "If-Match: "+tag) })
		}
		wait.Wait()
		won := -1
		for i, a := range answers {
			switch {
			case a.status == 202 && won < 0:
				won = i
			case a.status != 412:
				t.Fatalf("%d is answered %d %s, and %d won", i, a.status, a.body, won)
			}
		}
		a := s.ok(s.call("GET", at, ""))
		if won < 0 || a.body != fmt.Sprint(tag, won) || a.header.Get("ETag") != answers[won].header.Get("ETag") {
			t.Fatalf("%d won, and the message is %v %q", won, a.header, a.body)
		}
		tag = a.header.Get("ETag")
	}
}

// TestRendezvousSentAgain: of the same message that is sent many times at once, there is one.
func TestRendezvousSentAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at, tag := s.mailbox()
	var wait sync.WaitGroup
	answers := make([]answer, 16)
	for i := range answers {
		wait.Go(func() { answers[i] = s.call("PUT", at, "hello", "If-Match: "+tag) })
	}
	wait.Wait()
	for _, a := range answers {
		if s.want(a, 202, ""); a.header.Get("ETag") != answers[0].header.Get("ETag") {
			t.Errorf("one is told %v, another %v", a.header, answers[0].header)
		}
	}
}

// TestRendezvousIsBounded in size, in time, in messages, by address and in all.
func TestRendezvousIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.RateLimit = handlers.Rate{Count: 5, Period: time.Minute} })
	most := strings.Repeat("x", rendezvous.MaxMessage)
	at, tag := s.mailbox()
	s.want(s.call("PUT", at, most+"x", "If-Match: "+tag), 413, "M_TOO_LARGE")
	tag = s.want(s.call("PUT", at, most, "If-Match: "+tag), 202, "").header.Get("ETag")
	s.want(s.call("POST", handlers.RendezvousPath, most+"x"), 413, "M_TOO_LARGE")
	s.want(s.call("POST", mailboxes, `{"data":"`+most+`x"}`), 413, "M_TOO_LARGE")
	a := s.ok(s.call("POST", mailboxes, `{"data":"`+most+`"}`))
	there := mailboxes + "/" + a.text("id")
	for _, path := range []string{there, there + "/txn"} {
		s.want(s.call("PUT", path, `{"sequence_token":"1","data":"`+most+`x"}`), 413, "M_TOO_LARGE")
	}
	s.ok(s.call("POST", mailboxes, `{"data":""}`))
	s.want(s.call("POST", mailboxes, `{"data":""}`), 429, "M_LIMIT_EXCEEDED")
	s.want(s.call("POST", handlers.RendezvousPath, ""), 429, "M_LIMIT_EXCEEDED")

	for n := 2; n < 100; n++ {
		tag = s.want(s.call("PUT", at, fmt.Sprint(n), "If-Match: "+tag), 202, "").header.Get("ETag")
	}
	s.want(s.call("PUT", at, "100", "If-Match: "+tag), 429, "M_LIMIT_EXCEEDED")
	token := "1"
	for n := 1; n < 100; n++ {
		token = s.ok(s.call("PUT", there, fmt.Sprintf(`{"sequence_token":%q,"data":"%d"}`, token, n))).text(
			"sequence_token")
	}
	for _, path := range []string{there, there + "/txn"} {
		s.want(s.call("PUT", path, fmt.Sprintf(`{"sequence_token":%q,"data":"x"}`, token)), 429, "M_LIMIT_EXCEEDED")
	}

	s.clock.Step(rendezvous.Life - time.Millisecond)
	s.ok(s.call("GET", at, ""))
	s.clock.Step(time.Millisecond)
	for _, path := range []string{at, there} {
		s.want(s.call("GET", path, ""), 404, "M_NOT_FOUND")
		s.want(s.call("DELETE", path, ""), 404, "M_NOT_FOUND")
	}
}

// TestRendezvousCrowd: the oldest mailbox goes when there are too many, and nothing else that waits.
func TestRendezvousCrowd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	waits := s.tv()
	oldest, _ := s.mailbox()
	s.clock.Step(time.Second)
	newer, _ := s.mailbox()
	for n := range 998 {
		s.must(s.db.AddInteraction(t.Context(), db.Interaction{Kind: "rendezvous", ID: fmt.Sprint(n),
			Expires: s.clock.Now().Add(rendezvous.Life), Version: 1, Sealed: []byte("x")}, s.clock.Now(), 1000))
	}
	s.ok(s.call("GET", oldest, ""))
	s.mailbox()
	s.want(s.call("GET", oldest, ""), 404, "M_NOT_FOUND")
	s.ok(s.call("GET", newer, ""))
	s.want(waits.poll(), 400, "authorization_pending")
}

// TestRendezvousIsSealed: who reads the database finds neither a message, nor the id to read it by.
func TestRendezvousIsSealed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at, tag := s.mailbox()
	s.want(s.call("PUT", at, "a message", "If-Match: "+tag), 202, "")
	id := at[strings.LastIndexByte(at, '/')+1:]
	sum := sha256.Sum256([]byte(id))
	row, err := s.db.Interaction(t.Context(), "rendezvous:"+base64.RawURLEncoding.EncodeToString(sum[:]))
	s.must(err)
	for _, secret := range []string{"a message", base64.StdEncoding.EncodeToString([]byte("a message")), id} {
		if strings.Contains(row.ID+string(row.Sealed), secret) {
			t.Errorf("the row holds %q", secret)
		}
	}
	row.Sealed[len(row.Sealed)-1] ^= 1
	s.must(s.db.SaveInteraction(t.Context(), row))
	s.want(s.call("GET", at, ""), 404, "M_NOT_FOUND")
}

// TestRendezvousAway: while the database is away the devices learn that it passes.
func TestRendezvousAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.must(s.db.Close())
	const message = `{"sequence_token":"1","data":"x"}`
	for _, a := range []answer{
		s.call("POST", handlers.RendezvousPath, ""),
		s.call("GET", handlers.RendezvousPath+"/x", ""),
		s.call("PUT", handlers.RendezvousPath+"/x", "", "If-Match: 1"),
		s.call("DELETE", handlers.RendezvousPath+"/x", ""),
		s.call("POST", mailboxes, message), s.call("GET", mailboxes+"/x", ""), s.call("PUT", mailboxes+"/x", message),
		s.call("PUT", mailboxes+"/x/y", message), s.call("DELETE", mailboxes+"/x", ""),
	} {
		s.want(a, 503, "M_UNKNOWN")
	}
}

// TestRendezvousForBrowsers: a web client may send and read the headers, and finds the drafts in GET /versions.
func TestRendezvousForBrowsers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.call("OPTIONS", handlers.RendezvousPath+"/x", "")
	for _, name := range []string{"If-Match", "If-None-Match", "Content-Type"} {
		if !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), name) {
			t.Errorf("%s may not be sent: %v", name, a.header)
		}
	}
	features, _ := s.ok(s.get("/_matrix/client/versions", "")).json["unstable_features"].(map[string]any)
	if features["org.matrix.msc4108"] != true || features["io.element.msc4388"] != true {
		t.Errorf("the drafts are %v", features)
	}
}

// TestRendezvousOff: without the OAuth 2.0 API nothing of it is there, nor said.
func TestRendezvousOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.OAuth = nil })
	for _, path := range []string{handlers.RendezvousPath, mailboxes} {
		for _, below := range []string{"", "/x", "/x/y"} {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
				a := s.call(method, path+below, `{"data":""}`)
				if a.status != 404 || a.text("errcode") != "M_UNRECOGNIZED" {
					t.Errorf("%s %s%s: %d %s", method, path, below, a.status, a.body)
				}
			}
		}
	}
	if a := s.call("OPTIONS", handlers.RendezvousPath, ""); strings.Contains(fmt.Sprint(a.header), "If-Match") {
		t.Errorf("a preflight is answered %v", a.header)
	}
	if a := s.ok(s.get("/_matrix/client/versions", "")); strings.Contains(a.body, "unstable") {
		t.Errorf("the versions are %s", a.body)
	}
}

// FuzzRendezvous sends anything to a mailbox: it is never the server's fault, and what is read is what was left.
func FuzzRendezvous(f *testing.F) {
	s := newSite(f)
	do := func(t *testing.T, method, path, body string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		if s.server.Handler().ServeHTTP(w, r); w.Code >= 500 {
			t.Errorf("%s %s %q: %d %s", method, path, body, w.Code, w.Body)
		}
		return w
	}
	f.Add("", `"1"`, "hello")
	f.Add("\xff\x00", `W/"1-gzip"`, strings.Repeat("x", 5000))
	f.Add(`{"data":"x"}`, `*`, `{"sequence_token":"1","data":"y"}`)
	f.Add(`{"data":1}`, `"9223372036854775808", "1"`, `{"sequence_token":"-1","data":"\u0000"}`)
	f.Fuzz(func(t *testing.T, first, tag, second string) {
		s.clock.Step(time.Second)
		if made := do(t, "POST", handlers.RendezvousPath, first); made.Code == 201 {
			at := strings.TrimSuffix(strings.SplitN(made.Body.String(), `"`, 5)[3], `"`)
			at = strings.TrimPrefix(at, s.URL)
			want := first
			if do(t, "PUT", at, second, "If-Match", tag).Code == 202 {
				want = second
			}
			if got := do(t, "GET", at, ""); got.Code != 200 || got.Body.String() != want {
				t.Errorf("%q, %s and %q give %d %q", first, tag, second, got.Code, got.Body)
			}
			do(t, "DELETE", at, "")
		}
		do(t, "POST", mailboxes, first)
		do(t, "PUT", mailboxes+"/"+url.PathEscape(tag), second)
		do(t, "PUT", mailboxes+"/x/"+url.PathEscape(tag), second)
	})
}
