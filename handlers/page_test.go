package handlers

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"postern/test/rig/matrixtest"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPageIsGuarded: the fallback pages run their own script and no other, send their form nowhere else, stand in
// nobody's frame, tell nobody their address and lie in no cache; and nothing that comes with a request is markup in
// them.
func TestPageIsGuarded(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) {
		c.Terms = Terms{URL: `https://example.org/"><script>alert(1)</script>`,
			Version: "1"}
	})
	session := s.challenged(s.register(registerBody("carol", `"inhibit_login":true`)))
	shown := s.do(call{Method: "GET", Path: fallbackPath("m.login.terms", session)})
	done := s.do(call{Method: "POST", Path: fallbackPath("m.login.terms", session), Header: form})
	unknown := s.do(call{Method: "GET", Path: fallbackPath("m.login.terms", "%3Cscript%3E")})
	for _, a := range []answer{shown, done, unknown} {
		policy := a.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'",
			"base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("the policy %q lacks %s", policy, part)
			}
		}
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"X-Content-Type-Options": "nosniff",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s is %q", name, got)
			}
		}
		for _, inline := range regexp.MustCompile(`(?s)<(style|script)>(.*?)</`).FindAllStringSubmatch(a.Raw, -1) {
			sum := sha256.Sum256([]byte(inline[2]))
			if !strings.Contains(policy, inline[1]+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
				t.Errorf("a browser would refuse the page's %s:\n%s", inline[1], inline[2])
			}
		}
		if strings.Contains(a.Raw, "alert") && strings.Contains(a.Raw, "<script>alert") ||
			strings.Contains(a.Raw, "<script>\"") {
			t.Errorf("what came from outside is markup in\n%s", a.Raw)
		}
	}
	if !strings.Contains(done.Raw, "<script>") {
		t.Error("the page that is done has no script, so nothing was tested")
	}
}

// TestOperatorsPages: a proxy must not answer for the server's health, and a browser not guess what it is.
func TestOperatorsPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/health", "/metrics"} {
		a := s.ok(s.do(call{Method: "GET", Path: path}))
		if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" ||
			a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s has the headers %v", path, a.Header)
		}
	}
}

// TestLimiterUnderFlood: when a flood of keys has filled the limiter, making room is not done anew for each of them.
func TestLimiterUnderFlood(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(Rate{Count: 1, Period: time.Hour}), matrixtest.NewClock().Now()
	sweeps, before := 0, 0
	for n := range maxKeys + 1000 {
		l.take(fmt.Sprint(n), now)
		if len(l.arrival) < before {
			sweeps++
		}
		before = len(l.arrival)
		if before > maxKeys {
			t.Fatalf("%d keys are kept", before)
		}
	}
	if sweeps != 1 || before < maxKeys/2 {
		t.Errorf("%d sweeps for a thousand keys, and %d keys are left", sweeps, before)
	}
}
