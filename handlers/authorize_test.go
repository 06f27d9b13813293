package handlers

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"
)

// TestAuthorize: a request that somebody else answers is let in or refused as one of ours.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	pair := s.loggedIn()
	authorized := func(path, token string) (bool, answer) {
		r, w := httptest.NewRequestWithContext(t.Context(), "GET", path, nil), httptest.NewRecorder()
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		good := s.server.Authorize(w, r)
		a := answer{Status: w.Code, Raw: w.Body.String()}
		if !good {
			s.must(json.Unmarshal(w.Body.Bytes(), &a.JSON))
		} else if w.Body.Len() > 0 {
			t.Errorf("it answered %s and lets the request in", a.Raw)
		}
		return good, a
	}
	const path = "/_matrix/client/v3/something/new"
	_, a := authorized(path, "")
	s.want(a, 401, "M_MISSING_TOKEN")
	_, a = authorized(path, pair.Text("refresh_token"))
	if s.want(a, 401, "M_UNKNOWN_TOKEN"); !a.Soft() {
		t.Error("a refresh token is refused as if the session were gone")
	}
	if good, a := authorized(path, pair.Text("access_token")); !good {
		t.Errorf("a good token is refused: %s", a.Raw)
	}
	if good, a := authorized(path+"?access_token="+pair.Text("access_token"), ""); !good {
		t.Errorf("a good token in the query is refused: %s", a.Raw)
	}
	s.clock.Step(time.Hour)
	_, a = authorized(path, pair.Text("access_token"))
	if s.want(a, 401, "M_UNKNOWN_TOKEN"); !a.Soft() {
		t.Error("an expired token is refused without soft_logout")
	}
}

func TestAlias(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/_matrix/client/r0/login":                                  "/_matrix/client/v3/login",
		"/_matrix/client/v3/login":                                  "/_matrix/client/v3/login",
		"/_matrix/client/r0/a%2Fb":                                  "/_matrix/client/v3/a%2Fb",
		"/_matrix/client/unstable/org.matrix.msc2918/refresh":       "/_matrix/client/v3/refresh",
		"/_matrix/client/unstable/org.matrix.msc2918/refresh/other": "/_matrix/client/v3/refresh/other",
		"/health": "/health",
	} {
		if got := Alias(path); got != want {
			t.Errorf("%s is called %s, want %s", path, got, want)
		}
	}
}
