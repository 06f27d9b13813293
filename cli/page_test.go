package cli

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestPage: with --dev the page is there, shows every operation as real, and judges the tokens of this server.
func TestPage(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must("secret", "user", "add", "bob", "--password-stdin")
	s := i.serve("--dev")
	_, document := s.ask("GET", "/_postern/spec/openapi.json", "", "")
	operations := 0
	for path, item := range document["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			if by := operation.(map[string]any)["x-postern-answered-by"]; by != "real" {
				t.Errorf("%s %s is answered by %v", method, path, by)
			}
			operations++
		}
	}
	if operations != 53 { // as the contract has them
		t.Errorf("the page has %d operations", operations)
	}
	if !strings.Contains(s.out.String(), s.url+"/_postern/spec\n") {
		t.Errorf("the greeting does not name the page:\n%s", s.out)
	}

	_, document = s.ask("GET", "/_postern/spec/admin.json", "", "")
	if paths, _ := document["paths"].(map[string]any); paths["/_postern/admin/v1/accounts"] == nil {
		t.Errorf("the page has no admin API: %v", document)
	}
	if status, _ := s.ask("GET", "/_postern/admin/v1/accounts", "", ""); status != 401 {
		t.Errorf("with --dev the admin API answers %d", status)
	}

	_, told := s.ask("GET", "/_postern/spec/password", "", "")
	if password, _ := told["password"].(string); !strings.Contains(s.out.String(), `"password":"`+password+`"}`) {
		t.Errorf("the page has the password %q, the greeting another one:\n%s", password, s.out)
	} else if access, _ := s.login("alice", password); access == "" || strings.Contains(s.logs.String(), password) {
		t.Error("the password does not log in, or it is in the log")
	}

	access, _ := s.login("bob", "secret")
	if open, why := s.judged(access); !open {
		t.Errorf("a good token: %s", why)
	}
	s.ask("POST", "/_matrix/client/v3/logout", access, "")
	if open, why := s.judged(access); open || why != "The session has ended." {
		t.Errorf("a token of a session that has ended: %v, %s", open, why)
	}
	if strings.Contains(s.logs.String(), access) {
		t.Error("the token is in the log")
	}
}

// judged is the bench's verdict on a token.
func (s *server) judged(token string) (open bool, why string) {
	s.Helper()
	answer, err := http.Post(s.url+"/_postern/spec/token", "application/json",
		strings.NewReader(`{"token":"`+token+`"}`))
	if err != nil {
		s.Fatal(err)
	}
	defer answer.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var told struct {
		Verdict struct {
			Open bool
			Why  string
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil || answer.StatusCode != http.StatusOK {
		s.Fatalf("the bench answers %d, %v", answer.StatusCode, err)
	}
	return told.Verdict.Open, told.Verdict.Why
}

// TestNoPage: a server that people use has none, and answers there as at any path that is not Matrix's.
func TestNoPage(t *testing.T) {
	t.Parallel()
	s := newInstallation(t).serve()
	for _, path := range []string{"/_postern/spec", "/_postern/spec/openapi.json", "/_postern/spec/token",
		"/_postern/spec/password", "/_postern/spec/requests.json"} {
		if status, answer := s.ask("GET", path, "", ""); status != http.StatusNotFound ||
			answer["errcode"] != "M_UNRECOGNIZED" {
			t.Errorf("%s answers %d %v", path, status, answer)
		}
	}
}

// TestPageWithoutPassword: with --spec alone there is no development account, and with --dev none if alice is real.
func TestPageWithoutPassword(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	for _, flags := range [][]string{{"--spec", "api/login.yaml"}, {"--dev"}} {
		s := i.serve(flags...)
		if status, told := s.ask("GET", "/_postern/spec/password", "", ""); status != http.StatusOK || len(told) > 0 {
			t.Errorf("%s: the page has %d %v", flags, status, told)
		}
		s.stop()
	}
}
