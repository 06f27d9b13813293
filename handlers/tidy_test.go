package handlers

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"postern/db"
)

// TestTidy: an expired session says soft_logout for as long as it is kept, and then is unknown; what lives stays; and
// it is told once.
func TestTidy(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := newSite(t, func(c *Config) {
		c.SessionTTL, c.KeepExpired, c.Log = time.Hour, 48*time.Hour, slog.New(slog.NewTextHandler(&log, nil))
	})
	old := s.logsIn("alice")
	s.clock.Step(49*time.Hour - time.Second)
	lives := s.logsIn("bob")
	s.server.tidy(t.Context())
	if a := s.whoami(old); a.Status != 401 || a.JSON["soft_logout"] != true {
		t.Errorf("within the grace: %d %s", a.Status, a.Raw)
	}
	if strings.Contains(log.String(), "tidied up") {
		t.Errorf("nothing went, and the log says %s", &log)
	}
	s.clock.Step(2 * time.Second)
	s.server.tidy(t.Context())
	if a := s.whoami(old); a.Status != 401 || a.JSON["soft_logout"] != nil {
		t.Errorf("after the grace: %d %s", a.Status, a.Raw)
	}
	s.ok(s.whoami(lives))
	if strings.Count(log.String(), "tidied up") != 1 || !strings.Contains(log.String(), "sessions=1") {
		t.Errorf("the log says %s", &log)
	}
	if page := s.do(call{Method: "GET", Path: "/metrics"}); !strings.Contains(page.Raw,
		`postern_tidied_total{kind="session"} 1`) {
		t.Errorf("metrics: %s", page.Raw)
	}
}

// TestTidyInteractions: one whose time is over goes, with the use that it had reserved; one that is open goes on.
func TestTidyInteractions(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) {
		// a second stage, which stays open
		c.Registration, c.Terms = RegistrationToken, Terms{URL: "https://example.org/terms", Version: "1"}
	})
	now := s.clock.Now()
	s.must(s.db.AddRegistrationToken(t.Context(), db.RegistrationToken{Token: "door", UsesAllowed: 2, Created: now}))
	reserved := func(session string) {
		a := s.register(`{"auth":{"session":"` + session + `","type":"m.login.registration_token","token":"door"}}`)
		if s.challenged(a); a.JSON["completed"] == nil {
			t.Fatalf("reserving answers %s", a.Raw)
		}
	}
	reserved(s.challenged(s.register(registerBody("carol", `"device_id":"X"`))))
	s.clock.Step(10 * time.Minute)
	open := s.challenged(s.register(registerBody("dave", `"device_id":"X"`)))
	reserved(open)
	s.clock.Step(interactionLife - 10*time.Minute + time.Second)
	s.server.tidy(t.Context())
	if page := s.do(call{Method: "GET", Path: "/metrics"}); !strings.Contains(page.Raw,
		`postern_tidied_total{kind="interaction"} 1`) {
		t.Errorf("metrics: %s", page.Raw)
	}
	if got, err := s.db.RegistrationTokens(t.Context(), s.clock.Now()); err != nil || len(got) != 1 ||
		got[0].Reserved != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	s.ok(s.register(`{"auth":{"session":"` + open + `","type":"m.login.terms"}}`))
}

// TestTidying: it runs by itself, again and again, and ends when it is told to (goleak looks).
func TestTidying(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.SessionTTL = time.Hour })
	for range 2 {
		s.clock.Step(1000 * time.Hour)
		access := s.logsIn("alice")
		s.clock.Step(1000 * time.Hour)
		stop := s.server.tidying(time.Millisecond, 10*time.Millisecond)
		for deadline := time.Now().Add(30 * time.Second); s.whoami(access).JSON["soft_logout"] != nil; {
			if time.Now().After(deadline) {
				t.Fatal("nothing was tidied")
			}
		}
		stop()
	}
	for range 1000 {
		if d := s.server.about(time.Hour); d < time.Hour || d > 66*time.Minute {
			t.Fatalf("about an hour is %v", d)
		}
	}
}

func (s *site) logsIn(user string) (access string) {
	s.Helper()
	return s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody(user, password, "")})).Text("access_token")
}
