package handlers

import (
	"strings"
	"testing"

	"postern/test/rig/matrixtest"
)

// TestNoMail: what needs mail or text messages is refused in a sentence, with the errcode that a Synapse without them
// gives, whatever the body and whatever token comes along.
func TestNoMail(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.loggedIn().Text("access_token")
	codes := map[string]string{
		"requestTokenToResetPasswordEmail": "M_UNKNOWN", "requestTokenToResetPasswordMSISDN": "M_UNKNOWN",
		"requestTokenToRegisterEmail": "M_UNKNOWN", "requestTokenToRegisterMSISDN": "M_UNKNOWN",
		"requestTokenTo3PIDEmail":  "M_THREEPID_MEDIUM_NOT_SUPPORTED",
		"requestTokenTo3PIDMSISDN": "M_THREEPID_MEDIUM_NOT_SUPPORTED",
		"add3PID":                  "M_FORBIDDEN", "delete3pidFromAccount": "M_FORBIDDEN",
	}
	for id, code := range codes {
		c := samples[id]
		open := matrixtest.Operation(c.Method, c.Path).Security == nil
		for _, body := range []string{c.Body, "", "{}", "no JSON"} {
			for _, with := range []string{"", "stale", token} {
				c.Body, c.Token = body, with
				a := s.do(c)
				if !open && with != token {
					s.want(a, 401, map[string]string{"": "M_MISSING_TOKEN", "stale": "M_UNKNOWN_TOKEN"}[with])
					continue
				}
				s.want(a, 400, code)
				if text := a.Text("error"); !strings.HasSuffix(text, ".") || len(strings.Fields(text)) < 6 {
					t.Errorf("%s tells a person %q", id, text)
				}
			}
		}
	}
}
