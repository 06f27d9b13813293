package cli

import (
	"regexp"
	"strings"
	"testing"
)

// TestApprove: an operator's whole way with accounts that wait, beside a server that runs.
func TestApprove(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--rate-limit", "off", "--registration", "approval")
	const waits = "ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL"
	for _, name := range []string{"carol", "dave", "erin"} {
		if status, answer := s.ask("POST", "/_matrix/client/v3/register", "", `{"username":"`+name+
			`","password":"correct horse","auth":{"type":"m.login.dummy"}}`); status != 403 || answer["errcode"] != waits {
			t.Fatalf("registration answers %d %v", status, answer)
		}
	}
	for _, args := range [][]string{{"user", "list"}, {"user", "list", "--waiting"}} {
		if list := i.must("", args...); strings.Count(list, "@carol:localhost") != 1 ||
			!strings.Contains(list, "waiting") && !strings.Contains(list, "127.0.0.1") {
			t.Errorf("%v prints\n%s", args, list)
		}
	}
	i.refused("carol waits for approval", "user", "lock", "carol")
	if _, err := i.command("horses", "user", "add", "carol", "--password-stdin"); err == nil ||
		!strings.Contains(err.Error(), "carol waits for approval") {
		t.Errorf("adding who waits says %v", err)
	}
	// one typing error does not keep the others waiting
	if _, err := i.command("", "user", "approve", "@Carol:localhost", "nobody", "dave"); err == nil ||
		!strings.Contains(err.Error(), `no account "nobody" waits`) {
		t.Errorf("approving nobody says %v", err)
	}
	if out := i.must("", "user", "reject", "erin"); !strings.Contains(out, "@erin:localhost is rejected") {
		t.Errorf("user reject prints %s", out)
	}
	access, _ := s.login("carol", "correct horse")
	s.good(access)
	i.refused("carol does not wait, it is an account", "user", "reject", "carol")
	i.refused("carol does not wait, it is an account", "user", "approve", "carol")
	s.good(access)
	if list := i.must("", "user", "list", "--waiting"); strings.Contains(list, "@") {
		t.Errorf("these wait still:\n%s", list)
	}
	all := i.must("", "session", "events")
	for _, line := range []string{"created +@carol:localhost .* postern user approve",
		"waiting +@carol:localhost .* 127.0.0.1", "rejected +@erin:localhost .* postern user reject"} {
		wantLine(t, all, line)
	}
	i.must("other horses", "user", "add", "erin", "--password-stdin")
}

func wantLine(t *testing.T, text, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(text) {
		t.Errorf("there is no %s in\n%s", pattern, text)
	}
}
