package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
	"postern/handlers"
	"postern/test/rig/matrixtest"
	"postern/test/rig/process"
	"postern/tokens"
)

const (
	host     = "example.org"
	password = "correct horse"
	callback = "https://app.example.com/cb"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// site is a server with the OAuth 2.0 API, and the account alice.
type site struct {
	testing.TB
	db     *db.DB
	server *handlers.Server
	clock  *matrixtest.Clock
	URL    string
	writes atomic.Int64 // transactions
}

// passwordHash is alice's at every site, made once.
var passwordHash = sync.OnceValues(func() (string, error) { return handlers.HashPassword(password) })

func newSite(t testing.TB, change ...func(*handlers.Config)) *site {
	t.Helper()
	s := &site{TB: t, clock: matrixtest.NewClock()}
	var err error
	s.db, err = db.Open(t.Context(), db.Config{DSN: dbtest.DSN(t),
		OnBatch: func(int, time.Duration) { s.writes.Add(1) }})
	s.must(err)
	t.Cleanup(func() { s.must(s.db.Close()) })
	listener := httptest.NewUnstartedServer(nil)
	s.URL = "http://" + listener.Listener.Addr().String()
	var master tokens.MasterKey
	_, _ = rand.Read(master[:]) // never fails
	key, err := tokens.NewKey(1, rand.Reader)
	s.must(err)
	wrapped, err := master.Wrap(rand.Reader, key)
	s.must(err)
	s.must(s.db.AddRootKey(t.Context(), db.RootKey{ID: 1, Wrapped: wrapped, Created: s.clock.Now()}))
	hash, err := passwordHash()
	s.must(err)
	s.must(s.db.CreateUser(t.Context(), db.User{Localpart: "alice", PasswordHash: hash, Created: s.clock.Now()}))
	config := handlers.Config{
		DB: s.db, ServerName: host, Master: master, Metrics: handlers.NewMetrics(), Log: slog.New(slog.DiscardHandler),
		Now: s.clock.Now, Random: rand.Reader, AccessTTL: 5 * time.Minute, RefreshLeeway: 30 * time.Second,
		Registration: handlers.RegistrationOpen, Passwords: handlers.PasswordRules{Length: 8},
		PublicURL: s.URL, OAuth: New,
	}
	for _, f := range change {
		f(&config)
	}
	s.server, err = handlers.New(t.Context(), config)
	s.must(err)
	t.Cleanup(s.server.Close)
	listener.Config.Handler = s.server.Handler()
	listener.Start()
	t.Cleanup(listener.Close)
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// answer is what a client reads.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (a answer) text(field string) string { s, _ := a.json[field].(string); return s }

func (s *site) send(r *http.Request, browser *http.Client) answer {
	s.Helper()
	res, err := browser.Do(r)
	s.must(err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	s.must(err)
	a := answer{status: res.StatusCode, header: res.Header, body: string(raw)}
	_ = json.Unmarshal(raw, &a.json) // some answers are pages
	matrixtest.Check(s, r.Method, r.URL.Path, matrixtest.Answer{Status: a.status, Header: a.header, Raw: a.body,
		JSON: a.json})
	return a
}

func (s *site) post(path, contentType, body string) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	s.must(err)
	r.Header.Set("Content-Type", contentType)
	return s.send(r, http.DefaultClient)
}

func (s *site) form(path string, fields url.Values) answer {
	s.Helper()
	return s.post(path, "application/x-www-form-urlencoded", fields.Encode())
}

func (s *site) get(path, token string) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.URL+path, nil)
	s.must(err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return s.send(r, http.DefaultClient)
}

func (s *site) whoami(token string) answer {
	s.Helper()
	return s.get("/_matrix/client/v3/account/whoami", token)
}

// want compares the status and the error code, of whichever kind.
func (s *site) want(a answer, status int, code string) answer {
	s.Helper()
	got := a.text("error")
	if a.text("errcode") != "" {
		got = a.text("errcode")
	}
	if a.status != status || got != code {
		s.Fatalf("answer is %d %s %s, want %d %s", a.status, got, a.body, status, code)
	}
	return a
}

func (s *site) ok(a answer) answer { s.Helper(); return s.want(a, 200, "") }

// register registers a client and gives its id.
func (s *site) register(metadata string) string {
	s.Helper()
	return s.want(s.post("/oauth2/registration", "application/json", metadata), 201, "").text("client_id")
}

const webClient = `{"client_name":"App","client_uri":"https://app.example.com","redirect_uris":["` + callback + `"],
	"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`

// request is an authorization request of a client, with other parameters if there are any.
func request(client string, change ...string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {client}, "redirect_uri": {callback}, "state": {"s"},
		"scope":          {"urn:matrix:client:api:* urn:matrix:client:device:ABCDEFGHIJ"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	return q
}

// browser is a person's: it keeps cookies, and shows where it is sent instead of going there.
type browser struct {
	*site
	client *http.Client
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	s.must(err)
	return &browser{s, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

// at opens a page.
func (b *browser) at(path string) answer {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.URL+path, nil)
	b.must(err)
	return b.send(r, b.client)
}

// press fills a page's form in, and sends it.
func (b *browser) press(path string, page answer, fields ...string) answer {
	b.Helper()
	return b.send(b.filled(path, page, fields...), b.client)
}

// filled is the request that sends a page's form, with the hidden fields that it has and those that are typed.
func (b *browser) filled(path string, page answer, fields ...string) *http.Request {
	b.Helper()
	form := process.Hidden(page.body)
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.URL+path, strings.NewReader(form.Encode()))
	b.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func authorizePath(q url.Values) string { return handlers.AuthorizePath + "?" + q.Encode() }

// open is at for an authorization request.
func (b *browser) open(q url.Values) answer { b.Helper(); return b.at(authorizePath(q)) }

// submit is press for an authorization request.
func (b *browser) submit(q url.Values, page answer, fields ...string) answer {
	b.Helper()
	return b.press(authorizePath(q), page, fields...)
}

// sentTo is the query that the client gets with the browser.
func (s *site) sentTo(a answer) url.Values {
	s.Helper()
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusSeeOther {
		s.Fatalf("answer is %d to %q: %s", a.status, a.header.Get("Location"), a.body)
	}
	return to.Query()
}

// code lets a client in as alice and gives the code that it gets.
func (s *site) code(client string, change ...string) string {
	s.Helper()
	b, q := s.browser(), request(client, change...)
	got := s.sentTo(b.submit(q, b.open(q), "user", "alice", "password", password, "do", "sign in"))
	if got.Get("code") == "" || got.Get("state") != "s" || got.Get("iss") != s.URL+"/" {
		s.Fatalf("the client gets %v", got)
	}
	return got.Get("code")
}

// redemption is how a client redeems a code, with other fields if there are any.
func redemption(client, code string, change ...string) url.Values {
	f := url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code},
		"redirect_uri": {callback}, "code_verifier": {verifier}}
	for i := 0; i < len(change); i += 2 {
		f.Set(change[i], change[i+1])
	}
	return f
}

func (s *site) redeem(client, code string, change ...string) answer {
	s.Helper()
	return s.form("/oauth2/token", redemption(client, code, change...))
}

func (s *site) refresh(client, token string) answer {
	s.Helper()
	return s.form("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {client},
		"refresh_token": {token}})
}

func (s *site) revoke(token, client string) answer {
	s.Helper()
	return s.form("/oauth2/revoke", url.Values{"token": {token}, "client_id": {client}})
}
