package page_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/speclab/page"
	"postern/tokens"
)

// site is the page with real tokens and a real judge: package tokens, and a session that can end.
type site struct {
	testing.TB
	handler  http.Handler
	document text
	key      tokens.Key
	ended    atomic.Bool
}

type text struct{ atomic.Value }

func (t *text) Load() string { return t.Value.Load().(string) }

const host = "example.org"

var now = time.Date(2026, 11, 24, 14, 2, 0, 0, time.UTC)

// refusal is how the server says no: with a code, and words for people.
type refusal struct{ code, words string }

func (r refusal) Error() string { return r.code + ": " + r.words }

const over = "The session has ended."

func newSite(t testing.TB) *site {
	key := tokens.Key{ID: 1, Secret: [32]byte{1}}
	ring := tokens.NewKeyring(key)
	s := &site{TB: t, key: key}
	s.document.Store(`{"openapi":"3.1.0","info":{"title":"Test","version":"1"},"paths":{}}`)
	judge := func(_ context.Context, token string, want tokens.Type, r tokens.Request) (tokens.Claims, error) {
		if s.ended.Load() {
			return tokens.Claims{}, refusal{"M_UNKNOWN_TOKEN", over}
		}
		r.DeviceID = "PHONE"
		return tokens.Verify(token, host, ring, want, tokens.Caveats(), r)
	}
	s.handler = page.Handler(page.Config{
		Document: s.document.Load, Judge: judge,
		Now:       func() time.Time { return now },
		Requests:  func(after int) []byte { return fmt.Appendf(nil, `{"log":{"after":%d}}`, after) },
		PublicURL: "https://Example.com:8448/", // the host that httptest asks,
	})
	return s
}

func (s *site) mint(kind tokens.Type, expires time.Time) string {
	s.Helper()
	token, err := tokens.Mint(host, s.key,
		tokens.Claims{Session: "S1", Generation: 7, UserID: "@alice:" + host, Type: kind, Expires: expires})
	if err != nil {
		s.Fatal(err)
	}
	return token
}

// reply is what the page's scripts read.
type reply struct {
	Token, Signature, Before string
	Told                     struct {
		Location, Session string
		Version           int
		KeyID             int64 `json:"key_id"`
		Generation        int64
		Caveats           []struct{ Text, Words, By string }
	}
	Verdict  verdict
	Requests []verdict
	Error    struct {
		Field, Message string
		Index          int
	}
}

type verdict struct {
	Open                 bool
	Why, Caveat, Errcode string
}

var asJSON = map[string]string{"Content-Type": "application/json"}

// look asks the bench about a token with caveats more.
func (s *site) look(status int, question map[string]any) reply {
	s.Helper()
	body, err := json.Marshal(question)
	if err != nil {
		s.Fatal(err)
	}
	a := s.ask("POST", "/token", string(body), asJSON)
	var r reply
	if err := json.Unmarshal(a.body, &r); err != nil || a.StatusCode != status {
		s.Fatalf("%s answers %d %s", body, a.StatusCode, a.body)
	}
	return r
}

func TestToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.mint(tokens.Access, now.Add(3*time.Minute))
	requests := []map[string]string{
		{"method": "GET", "path": "/_matrix/client/v3/account/whoami"},
		{"method": "POST", "path": "/_matrix/client/v3/logout"},
		{"method": "GET", "path": "/_matrix/client/v3/account/whoami", "addr": "203.0.113.9"},
	}
	plain := s.look(200, map[string]any{"token": token, "requests": requests})
	if plain.Token != token || plain.Signature != plain.Before ||
		!regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(plain.Signature) {
		t.Errorf("a token that nothing is added to: %+v", plain)
	}
	told := plain.Told
	if told.Location != host || told.Session != "S1" || told.Version != 1 || told.KeyID != 1 || told.Generation != 7 ||
		len(told.Caveats) != 4 {
		t.Errorf("it says %+v", told)
	}
	if !plain.Verdict.Open || !strings.Contains(plain.Verdict.Why, "24 Nov 2026 14:05:00 UTC (in 3 minutes)") {
		t.Errorf("the verdict is %+v", plain.Verdict)
	}
	for i, v := range plain.Requests {
		if !v.Open {
			t.Errorf("%v: %+v", requests[i], v)
		}
	}

	narrow := s.look(200, map[string]any{"token": token, "add": []string{"method in GET", "addr in 192.0.2.0/24"},
		"requests": requests})
	if narrow.Before != plain.Signature || narrow.Signature == plain.Signature {
		t.Errorf("the signature was %s and is %s", narrow.Before, narrow.Signature)
	}
	want, err := tokens.Restrict(token, tokens.Caveat{Key: "method", Operator: "in", Value: "GET"},
		tokens.Caveat{Key: "addr", Operator: "in", Value: "192.0.2.0/24"})
	if err != nil || narrow.Token != want {
		t.Errorf("the token is %s, want %s, %v", narrow.Token, want, err)
	}
	for i, v := range []verdict{
		{Open: true, Why: "Opens it."}, // from the address that httptest asks from, 192.0.2.1
		{Why: "The method is POST.", Caveat: "method in GET"},
		{Why: "The client's address is 203.0.113.9.", Caveat: "addr in 192.0.2.0/24"},
	} {
		if narrow.Requests[i] != v {
			t.Errorf("%v: %+v", requests[i], narrow.Requests[i])
		}
	}
	if v := narrow.Verdict; !v.Open || !strings.Contains(v.Why, "restricted to some requests") {
		t.Errorf("the verdict is %+v", v)
	}
}

// TestRefusals: each way in which a token is not good is told apart.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := s.mint(tokens.Access, time.Time{})
	other := &site{TB: t, key: tokens.Key{ID: 1, Secret: [32]byte{2}}}
	retired := &site{TB: t, key: tokens.Key{ID: 9, Secret: [32]byte{1}}}
	for _, test := range []struct {
		token, add, says string
	}{
		{other.mint(tokens.Access, time.Time{}), "", "did not mint the token"},
		{retired.mint(tokens.Access, time.Time{}), "", "no root key of that number"},
		{s.mint(tokens.Access, now.Add(-time.Second)), "", "The token has expired."},
		{s.mint(tokens.Refresh, time.Time{}), "", "It is a refresh token"},
		{good, "colour = red", "unknown key"},
		{good, "method under GET", "unknown operator"},
		{good, "addr in nowhere", "malformed value"},
		{good, "device_id = TABLET", "The session's device is another."},
		{good, "path under /_matrix/media", "The path is not /_matrix/media nor below it."},
		{good, "time > 1900000000000", "It is 24 Nov 2026 14:02:00 UTC now."},
		{good, "user_id = @bob:example.org", "It does not hold."},
	} {
		question := map[string]any{"token": test.token,
			"requests": []map[string]string{{"method": "GET", "path": "/_matrix/client/v3/account/whoami"}}}
		if test.add != "" {
			question["add"] = []string{test.add}
		}
		if v := s.look(200, question).Requests[0]; v.Open || !strings.Contains(v.Why, test.says) {
			t.Errorf("%s: %+v, want %q", test.add, v, test.says)
		}
	}
	refresh := s.look(200, map[string]any{"token": s.mint(tokens.Refresh, time.Time{}),
		"requests": []map[string]string{{"method": "POST", "path": "/_matrix/client/v3/refresh"}}})
	if !refresh.Verdict.Open || !refresh.Requests[0].Open {
		t.Errorf("a refresh token at /refresh: %+v", refresh)
	}
	s.ended.Store(true)
	ended := s.look(200, map[string]any{"token": good,
		"requests": []map[string]string{{"method": "GET", "path": "/a"}}})
	for _, v := range append(ended.Requests, ended.Verdict) {
		if v.Open || v.Why != over || v.Errcode != "M_UNKNOWN_TOKEN" {
			t.Errorf("an ended session: %+v", v)
		}
	}
	if v := s.look(200, map[string]any{"token": s.mint(tokens.Login, now.Add(time.Minute))}).Verdict; v.Open ||
		!strings.HasPrefix(v.Why, "A login token.") {
		t.Errorf("a login token: %+v", v)
	}
}

// TestWords: what a caveat asks, in plain words.
func TestWords(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	minted := []string{
		"minter: The caveats are in the language of the draft's generation 1",
		"minter: It speaks for @alice:example.org",
		"minter: It is an access token: it opens requests",
		"minter: Until 25 Nov 2027 14:02:00 UTC (in 1 year)",
	}
	unknown := "you: Postern does not know this; it refuses the token"
	added := [][2]string{
		{"method in GET,HEAD,PUT", "you: Only for requests with the method GET, HEAD or PUT"},
		{"path under /a", "you: Only for /a and what lies below it"},
		{"addr in ::1", "you: Only for clients whose address is in ::1"},
		{"device_id = PHONE", "you: Only while the session's device is PHONE"},
		{"time < 1795528800000", "you: Until 24 Nov 2026 14:00:00 UTC (2 minutes ago)"},
		{"time > 1795528920000", "you: Not before 24 Nov 2026 14:02:00 UTC (in less than a second)"},
		{"time == 1795528920000", "you: At no other time than 24 Nov 2026 14:02:00 UTC (in less than a second)"},
		{"time < 9223372036854775807", "you: For ever, as far as a calendar goes"},
		{"time < soon", unknown},
		{"time ~ 5", unknown},
		{"colour = red", unknown},
		{"path under /\u202eabc", `you: Only for "/\u202eabc" and what lies below it`},
	}
	texts := make([]string, len(added))
	for i, pair := range added {
		texts[i] = pair[0]
	}
	told := s.look(200, map[string]any{"token": s.mint(tokens.Access, now.AddDate(1, 0, 1)), "add": texts}).Told.Caveats
	for i, caveat := range told {
		want := ""
		if i < len(minted) {
			want = minted[i]
		} else {
			want = added[i-len(minted)][1]
		}
		if got := caveat.By + ": " + caveat.Words; got != want {
			t.Errorf("%s: %s, want %s", caveat.Text, got, want)
		}
	}
}

// TestFaults: what is wrong is told with the field that it is wrong at.
func TestFaults(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.mint(tokens.Access, time.Time{})
	row := func(method, path, addr string) []map[string]string {
		return []map[string]string{{"method": "GET", "path": "/"}, {"method": method, "path": path, "addr": addr}}
	}
	for _, test := range []struct {
		field    string
		index    int
		question map[string]any
	}{
		{"token", 0, map[string]any{}},
		{"token", 0, map[string]any{"token": "nonsense"}},
		{"token", 0, map[string]any{"token": token + "\n"}},
		{"add", 1, map[string]any{"token": token, "add": []string{"method in GET", "nonsense"}}},
		{"add", 64 - 3, map[string]any{"token": token, "add": strings.Split(strings.Repeat("a = b\n", 70), "\n")}},
		{"method", 1, map[string]any{"token": token, "requests": row("get", "/", "")}},
		{"path", 1, map[string]any{"token": token, "requests": row("GET", "", "")}},
		{"path", 1, map[string]any{"token": token, "requests": row("GET", "http://a/b", "")}},
		{"path", 1, map[string]any{"token": token, "requests": row("GET", "/a?b", "")}},
		{"addr", 1, map[string]any{"token": token, "requests": row("GET", "/", "here")}},
	} {
		if e := s.look(400, test.question).Error; e.Field != test.field || e.Index != test.index || e.Message == "" ||
			strings.Contains(e.Message, token) {
			t.Errorf("%v: %+v", test, e)
		}
	}
}

// TestOnlyThisPageAsks: another site's page can't, a form can't, and nobody with a body that does not end.
func TestOnlyThisPageAsks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	body := `{"token":"` + s.mint(tokens.Access, time.Time{}) + `"}`
	for _, test := range []struct {
		status int
		body   string
		header map[string]string
	}{
		{200, body, map[string]string{"Content-Type": "application/json; charset=utf-8"}},
		{200, body, map[string]string{"Sec-Fetch-Site": "same-origin"}},
		{200, body, map[string]string{"Origin": "http://example.com"}}, // the host that httptest asks
		{403, body, map[string]string{"Sec-Fetch-Site": "cross-site"}},
		{403, body, map[string]string{"Sec-Fetch-Site": "same-site"}},
		{403, body, map[string]string{"Origin": "http://other.example.com"}},
		{403, body, map[string]string{"Origin": "null"}},
		{415, body, map[string]string{"Content-Type": "text/plain"}},
		{415, body, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		{400, "{", nil},
		{400, `{"token":1}`, nil},
		{413, `{"token":"` + strings.Repeat("a", 64<<10) + `"}`, nil},
	} {
		header := map[string]string{"Content-Type": "application/json"}
		for name, value := range test.header {
			header[name] = value
		}
		a := s.ask("POST", "/token", test.body, header)
		if a.StatusCode != test.status {
			t.Errorf("%v answers %d %s, want %d", test.header, a.StatusCode, a.body, test.status)
		}
	}
}
