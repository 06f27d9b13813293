package oauth

import (
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/handlers"
	"postern/test/rig/process"
	"postern/test/rig/safe"
)

// TestNoCodeInLogs goes the good way and all the bad ones at the chattiest level, until the database is away, and looks
// for what must not be in the log: codes, tokens, verifiers, passwords, cookies, and what proves a form.
func TestNoCodeInLogs(t *testing.T) {
	t.Parallel()
	var log safe.Buffer
	s := newSite(t, func(c *handlers.Config) {
		c.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	client := s.register(webClient)
	b, q := s.browser(), request(client, "state", "state-is-nobody-elses")
	page := b.open(q)
	b.submit(q, page, "user", "alice", "password", "mistyped-secret", "do", "sign in")
	code := s.sentTo(b.submit(q, page, "user", "alice", "password", password, "do", "sign in")).Get("code")
	sso := handlers.SSOPath + "?redirectUrl=https://old.example.com/"
	login := s.sentTo(b.press(sso, b.at(sso), "do", "allow")).Get("loginToken")
	bot := b.issue("may", "read")
	s.ok(s.whoami(bot))
	secrets := []string{bot, code, login, password, "mistyped-secret", verifier, otherVerifier, "state-is-nobody-elses",
		process.Hidden(page.body).Get("form")}
	at, err := url.Parse(s.URL)
	s.must(err)
	for _, cookie := range b.client.Jar.Cookies(at) {
		secrets = append(secrets, cookie.Value)
	}
	const invitation = "invitation-of-nobody-else"
	b.press(handlers.RegisterPath, b.at(handlers.RegisterPath+"?token="+invitation), "user", "alice", "password",
		"mistyped-secret", "token", invitation, "do", "create")
	secrets = append(secrets, invitation)
	s.redeem(client, code, "code_verifier", otherVerifier)
	pair := s.ok(s.redeem(client, code))
	secrets = append(secrets, pair.text("access_token"), pair.text("refresh_token"))
	s.refresh("other", pair.text("refresh_token"))
	next := s.ok(s.refresh(client, pair.text("refresh_token")))
	secrets = append(secrets, next.text("access_token"), next.text("refresh_token"))
	s.ok(s.whoami(next.text("access_token")))
	s.clock.Step(time.Minute)
	s.refresh(client, pair.text("refresh_token")) // a replay
	s.redeem(client, code)                        // and one of the code
	s.get("/oauth2/token?code="+code+"&access_token="+next.text("access_token"), "")
	s.get("/oauth2/nothing?code="+code, "")
	s.form("/oauth2/token?"+redemption(client, code).Encode(), url.Values{"token": {code, login}})
	s.post("/oauth2/token", "application/json", `{"code":"`+code+`"}`)
	s.must(s.db.Close())
	b.open(q)
	b.submit(q, page, "user", "alice", "password", password, "do", "sign in")
	s.redeem(client, code)
	s.refresh(client, next.text("refresh_token"))
	s.revoke(next.text("access_token"), client)
	written := log.String()
	for _, word := range []string{"replayed", "could not be answered"} {
		if !strings.Contains(written, word) {
			t.Errorf("%q is not in the log, so it is not a log of all this:\n%s", word, written)
		}
	}
	for _, secret := range secrets {
		for _, part := range []string{secret, secret[:min(len(secret), 40)], secret[max(0, len(secret)-40):]} {
			if strings.Contains(written, part) {
				t.Errorf("the log holds %q:\n%s", part, written)
			}
		}
	}
}
