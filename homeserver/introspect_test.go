package homeserver

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"postern/db/dbtest"
	"postern/homeserver/synapse"
	"postern/tokens"
)

func newSiteBefore(t testing.TB, change ...func(*setup)) *site {
	t.Helper()
	return newSite(t, append(change, func(c *setup) { c.there = obliging() })...)
}

// obliging is a homeserver that agrees to everything: these tests are about what it asks.
func obliging() Config {
	return Config{
		Provision: func(context.Context, string, string, string) error { return nil },
		User:      func(context.Context, string) (synapse.User, error) { return synapse.User{}, nil },
	}
}

// introspect asks as Synapse does.
func (s *site) introspect(authorization, body string) answer {
	s.Helper()
	r := httptest.NewRequestWithContext(s.Context(), "POST", IntrospectPath, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", authorization)
	w := httptest.NewRecorder()
	s.gate.Internal().ServeHTTP(w, r)
	a := answer{Status: w.Code, Header: w.Header(), Raw: w.Body.String()}
	s.must(json.Unmarshal(w.Body.Bytes(), &a.JSON))
	return a
}

func (s *site) asks(token string) answer {
	s.Helper()
	return s.introspect("Bearer "+sharedSecret,
		url.Values{"token": {token}, "token_type_hint": {"access_token"}}.Encode())
}

// active fails unless the token is good.
func (s *site) active(token string) answer {
	s.Helper()
	a := s.asks(token)
	if a.Status != 200 || a.JSON["active"] != true {
		s.Fatalf("the answer is %d %s, want active", a.Status, a.Raw)
	}
	return a
}

// inactive fails unless the token is not.
func (s *site) inactive(why, token string) {
	s.Helper()
	if a := s.asks(token); a.Status != 200 || strings.TrimSpace(a.Raw) != `{"active":false}` {
		s.Errorf("%s: the answer is %d %s, want 200 and inactive", why, a.Status, a.Raw)
	}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	pair := s.ok(s.login(`"refresh_token":true,"device_id":"PHONE"`))
	token := pair.Text("access_token")
	const want = `{"active":true,"scope":"urn:matrix:client:api:* urn:matrix:org.matrix.msc2967.client:api:* urn:matrix:client:device:PHONE","username":"alice","sub":"@alice:example.org","device_id":"PHONE","expires_in":300}`
	if a := s.active(token); a.Raw != want || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer is %s, want %s", a.Raw, want)
	}
	s.clock.Step(5*time.Minute - 300*time.Millisecond)
	if a := s.active(token); a.JSON["expires_in"] != 1.0 {
		t.Errorf("shortly before its end: %s", a.Raw)
	}
	s.must(s.db.SetAdmin(t.Context(), "alice", true))
	if a := s.active(token); !strings.HasSuffix(a.Text("scope"), " urn:synapse:admin:*") {
		t.Errorf("an administrator: %s", a.Raw)
	}
	s.clock.Step(time.Second)
	s.inactive("expired", token)

	legacy := s.ok(s.login(`"device_id":"an odd \"id\""`)).Text("access_token")
	if a := s.active(legacy); a.Text("scope") != "urn:matrix:client:api:* urn:matrix:org.matrix.msc2967.client:api:* urn:synapse:admin:*" ||
		a.Text("device_id") != `an odd "id"` || a.JSON["expires_in"] != nil {
		t.Errorf("an odd device, without end: %s", a.Raw)
	}
}

// TestInactive: whatever is wrong with a token, the homeserver hears no more than that.
func TestInactive(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	pair := s.loggedIn()
	token := pair.Text("access_token")
	s.inactive("no token of ours", "syt_abc")
	s.inactive("empty", "")
	s.inactive("a refresh token", pair.Text("refresh_token"))
	s.inactive("a forgery", token[:len(token)-4]+"AAAA")
	for _, caveat := range []tokens.Caveat{{Key: "method", Operator: "in", Value: "POST"},
		{Key: "path", Operator: "under", Value: "/"}, {Key: "addr", Operator: "in", Value: "0.0.0.0/0,::/0"}, {Key: "time", Operator: "<", Value: "1"}, {Key: "device_id", Operator: "=", Value: "OTHER"}, {Key: "new", Operator: "=", Value: "x"}} {
		restricted, err := tokens.Restrict(token, caveat)
		s.must(err)
		s.inactive(caveat.String(), restricted)
	}
	restricted, err := tokens.Restrict(token,
		tokens.Caveat{Key: "device_id", Operator: "=", Value: pair.Text("device_id")})
	s.must(err)
	s.active(restricted)

	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	s.inactive("locked", token)
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	s.active(token)

	second := s.ok(s.refresh(pair.Text("refresh_token")))
	s.active(token) // nobody has used the second
	s.active(second.Text("access_token"))
	s.active(token) // that the homeserver asked was no use
	s.ok(s.whoami(second.Text("access_token")))
	s.clock.Step(time.Minute)
	if a := s.active(token); a.JSON["expires_in"] != float64(240) {
		t.Errorf("superseded, a minute after it was minted: %s", a.Raw)
	}
	s.want(s.refresh(pair.Text("refresh_token")), 401, "M_UNKNOWN_TOKEN")
	s.inactive("soft, superseded", token)
	s.inactive("soft", second.Text("access_token"))

	third := s.loggedIn().Text("access_token")
	s.ok(s.logout(third))
	s.inactive("logged out", third)
}

func TestIntrospectionIsForTheHomeserver(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	token := s.loggedIn().Text("access_token")
	form := "token=" + token
	for _, authorization := range []string{"", "Bearer", "Bearer ", "Bearer a secret", "Bearer " + sharedSecret + "x",
		"Basic " + sharedSecret, sharedSecret, "Bearer " + token} {
		if a := s.introspect(authorization, form); a.Status != 401 || strings.Contains(a.Raw, "active") {
			t.Errorf("with %q the answer is %d %s", authorization, a.Status, a.Raw)
		}
	}
	for _, body := range []string{"", "other=x", "token=%zz", strings.Repeat("x", maxQuestion) + "&" + form} {
		if a := s.introspect("Bearer "+sharedSecret, body); a.Status != 400 {
			t.Errorf("%.20q: the answer is %d %s", body, a.Status, a.Raw)
		}
	}
	s.want(s.do(call{Method: "POST", Path: IntrospectPath, Body: form,
		Header: map[string]string{"Authorization": "Bearer " + sharedSecret}}), 404, "M_UNRECOGNIZED")
}

// TestIntrospectionWithoutDatabase: what is broken here is no fault of the token.
func TestIntrospectionWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *setup) { c.there = obliging() })
	token := s.loggedIn().Text("access_token")
	s.active(token)
	s.must(s.db.Close())
	if a := s.asks(token); a.Status != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("the answer is %d %s", a.Status, a.Raw)
	}
}

func TestDiscoveryForHomeserver(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{"": "http://127.0.0.1:8009/",
		"https://matrix.example.org": "https://matrix.example.org/"} {
		s := newSiteBefore(t, func(c *setup) { c.PublicURL = public })
		r, w := httptest.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:8009"+DiscoveryPath, nil),
			httptest.NewRecorder()
		s.gate.Internal().ServeHTTP(w, r)
		var got map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got["issuer"] != want ||
			got["account_management_uri"] != want {
			t.Errorf("the answer is %d %s: %v", w.Code, w.Body, err)
		}
	}
}

// TestDiscoveryWithOAuth: what the homeserver reads is the clients' own metadata.
func TestDiscoveryWithOAuth(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t, withOAuth)
	w := httptest.NewRecorder()
	s.gate.Internal().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", DiscoveryPath, nil))
	var got, own map[string]any
	s.must(json.Unmarshal(w.Body.Bytes(), &got))
	s.must(json.Unmarshal([]byte(s.do(call{Method: "GET", Path: "/_matrix/client/v1/auth_metadata"}).Raw), &own))
	if diff := cmp.Diff(own, got); diff != "" {
		t.Errorf("the homeserver reads (-clients, +it):\n%s", diff)
	}
}

// BenchmarkIntrospection is what Synapse waits for at the first request with a token.
func BenchmarkIntrospection(b *testing.B) {
	s := newSiteBefore(b)
	token := s.loggedIn().Text("access_token")
	body := url.Values{"token": {token}}.Encode()
	handler := s.gate.Internal()
	for b.Loop() {
		r := httptest.NewRequest("POST", IntrospectPath, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+sharedSecret)
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

// TestIntrospectionContract holds what is answered against api/introspection.yaml: an edit of it that the generated
// types do not show is found here.
func TestIntrospectionContract(t *testing.T) {
	t.Parallel()
	spec, err := openapi3.NewLoader().LoadFromFile("../api/introspection.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := spec.Paths.Find(IntrospectPath)
	if path == nil || path.Post == nil || spec.Paths.Len() != 1 {
		t.Fatalf("the contract has not just POST %s", IntrospectPath)
	}
	op := path.Post
	form := op.RequestBody.Value.Content.Get("application/x-www-form-urlencoded")
	if form == nil || !slices.Equal(form.Schema.Value.Required, []string{"token"}) {
		t.Error("the contract asks for something else than a form with a token")
	}
	s := newSiteBefore(t)
	token := s.ok(s.login(`"device_id":"PHONE"`)).Text("access_token")
	seen := map[int]bool{503: true} // TestIntrospectionWithoutDatabase
	for _, a := range []answer{s.active(token), s.asks("x"), s.introspect("Bearer wrong", "token=x"),
		s.introspect("Bearer "+sharedSecret, "")} {
		response := op.Responses.Status(a.Status)
		if response == nil {
			t.Errorf("the contract has no %d", a.Status)
			continue
		}
		schema := response.Value.Content.Get("application/json").Schema.Value
		for field := range a.JSON {
			if schema.Properties[field] == nil {
				t.Errorf("%d: the contract has no %s", a.Status, field)
			}
		}
		if err := schema.VisitJSON(a.JSON); err != nil {
			t.Errorf("%d %s: %v", a.Status, a.Raw, err)
		}
		seen[a.Status] = true
	}
	for status := range op.Responses.Map() {
		if n, err := strconv.Atoi(status); err != nil || !seen[n] {
			t.Errorf("the contract has %s, which was not seen", status)
		}
	}
}

// TestIntrospectBehind: a token that is newer than its session opens it for the homeserver, and the session catches up.
func TestIntrospectBehind(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	pair := s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/v3/refresh",
		Body: `{"refresh_token":"` + s.loggedIn().Text("refresh_token") + `"}`}))
	dbtest.Forget(t, s.db)
	s.active(pair.Text("access_token"))
	if session, err := s.server.SessionOf(t.Context(), pair.Text("access_token")); err != nil ||
		session.Generation != 2 || session.CaughtUp.IsZero() {
		t.Errorf("%+v, %v", session, err)
	}
	dbtest.Lose(t, s.db)
	if a := s.asks(pair.Text("access_token")); a.JSON["active"] != false {
		t.Errorf("a session that is not there: %s", a.Raw)
	}
}
