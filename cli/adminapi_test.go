package cli

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const adminRoot = "/_postern/admin/v1"

// TestAdminAPI: an operator makes a token for a script. It opens the admin API where that is served, and no more than
// its caveats say.
func TestAdminAPI(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve()
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.refused("postern user admin alice on", "token", "issue", "--admin", "alice")
	i.must("", "user", "admin", "alice", "on")
	out := i.must("", "token", "issue", "--admin", "alice", "--name", "Inviter", "path under "+adminRoot+"/invitations")
	token := issued(t, out)
	for _, words := range []string{"opens the admin API, and nothing else", "only while path under " + adminRoot} {
		if !strings.Contains(out, words) {
			t.Errorf("issue does not say %q:\n%s", words, out)
		}
	}
	if list := i.must("", "session", "list", "alice"); !strings.Contains(list, "admin token") {
		t.Errorf("session list prints\n%s", list)
	}
	if status, answer := s.ask("POST", adminRoot+"/invitations", token, ""); status != 404 {
		t.Errorf("where it is not served it answers %d %v", status, answer)
	}
	s = i.serve("--admin-api")
	status, invited := s.ask("POST", adminRoot+"/invitations", token, `{"token":"open-day"}`)
	if status != 201 || invited["token"] != "open-day" {
		t.Errorf("an invitation answers %d %v", status, invited)
	}
	if list := i.must("", "invite", "list"); !strings.Contains(list, "open-day") {
		t.Errorf("invite list prints\n%s", list)
	}
	if events := i.must("", "session", "events"); !strings.Contains(events,
		"admin API, alice's token Inviter, from 127.0.0.1") {
		t.Errorf("session events prints\n%s", events)
	}
	for _, path := range []string{adminRoot + "/accounts", "/_matrix/client/v3/account/whoami"} {
		if status, answer := s.ask("GET", path, token, ""); status != 403 {
			t.Errorf("%s answers %d %v", path, status, answer)
		}
	}
	if metrics := fetched(t, s.url+"/metrics"); !strings.Contains(metrics,
		`postern_requests_total{code="201",operation="createInvitation"} 1`) {
		t.Errorf("the metrics are\n%s", metrics)
	}
	const warning = "no account may administer the server any more"
	i.must("other horses", "user", "add", "zoe", "--password-stdin")
	i.must("", "user", "admin", "zoe", "on")
	if out := i.must("", "user", "admin", "zoe", "off"); strings.Contains(out, warning) {
		t.Errorf("user admin warns while alice is left:\n%s", out)
	}
	if out := i.must("", "user", "admin", "alice", "off"); !strings.Contains(out, warning) {
		t.Errorf("user admin does not warn:\n%s", out)
	}
	if status, _ := s.ask("GET", adminRoot+"/invitations", token, ""); status != 403 {
		t.Errorf("of who is no administrator any more it answers %d", status)
	}
	if logs := s.logs.String(); strings.Contains(logs, token[:40]) {
		t.Errorf("the log has a token:\n%s", logs)
	}
}

// TestAdminAPIInFront: the homeserver sees nothing of what is Postern's own, and takes no token that was made for it.
func TestAdminAPIInFront(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must(frontPassword+"\n", "user", "add", "alice", "--password-stdin")
	i.must("", "user", "admin", "alice", "on")
	homeserver := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		text, _ := json.Marshal(map[string]any{"path": r.RequestURI})
		w.Write(text)
	}
	for _, flags := range [][]string{{"--expose-admin"}, {"--expose-admin", "--admin-api"}} {
		s := i.behind(homeserver, flags...)
		token := issued(t, i.must("", "token", "issue", "--admin", "alice"))
		want := map[string]int{adminRoot + "/counts": 404, "/_postern/spec": 404, "/_postern/": 404,
			"/_postern/nothing": 404, "/%5Fpostern/admin/v1/counts": 404, "/_matrix/client/v3/sync": 403,
			"/_synapse/admin/v2/users": 403}
		if len(flags) == 2 {
			want[adminRoot+"/counts"] = 200
		}
		for path, status := range want {
			if got, answer := s.ask("GET", path, token, ""); got != status || answer["path"] != nil {
				t.Errorf("%q: %s answers %d %v", flags, path, got, answer)
			}
		}
		if status, answer := introspects(t, s.url, token); status != 200 || answer["active"] != false {
			t.Errorf("introspection answers %d %v", status, answer)
		}
	}
}
