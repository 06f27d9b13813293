package front

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"postern/test/rig/synapse"
)

// TestAdminTools: what the tools send that people administer a Synapse with, read in their sources, is answered as they
// expect, through Postern and by a real Synapse; and so is what docs/admin-tools.md lists.
func TestAdminTools(t *testing.T) {
	t.Parallel()
	s := newPairWith(t, "background_updates: {sleep_enabled: false}\n", "--expose-admin",
		"--registration-shared-secret-file", registrationSecret(t)) // see updated
	s.Run(t, "", "user", "admin", "alice", "on")
	t.Run("register_new_matrix_user", func(t *testing.T) { registerTool(t, s) })
	t.Run("Synapse Admin", func(t *testing.T) { synapseAdmin(t, s) })
	t.Run("Ketesa", func(t *testing.T) { ketesa(t, s) })
	t.Run("synadm", func(t *testing.T) { synadm(t, s) })
	t.Run("table", func(t *testing.T) { adminTable(t, s) }) // last: it leaves nobody as they were
}

// registerTool runs register_new_matrix_user as people do, and as matrix-docker-ansible-deploy does by its script
// `register-user` and its role matrix-user-creator, which also compare what it prints.
func registerTool(t *testing.T, s *pair) {
	run := func(args ...string) (output string, code int) {
		t.Helper()
		args = append(args, s.Server.URL)
		text, err := exec.Command(s.hs.Program("register_new_matrix_user"), args...).CombinedOutput()
		if failed := new(exec.ExitError); errors.As(err, &failed) {
			return string(text), failed.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		return string(text), 0
	}
	for _, try := range []struct {
		args []string
		says string
		code int
	}{
		{[]string{"-u", "ivan", "-p", password, "-c", s.hs.Config, "--no-admin"}, "Success!", 0},
		{[]string{"-u", "root", "-p", password, "-c", s.hs.Config, "--admin"}, "Success!", 0},
		{[]string{"-u", "bot.x", "-p", password, "-c", s.hs.Config, "--no-admin", "--user_type=bot"}, "Success!", 0},
		{[]string{"-u", "Ivan", "-p", password, "-c", s.hs.Config, "--no-admin"}, "User ID already taken", 1},
		{[]string{"-u", "ivan", "-p", password, "-c", s.hs.Config, "--no-admin", "--exists-ok"}, "Skipping", 0},
		{[]string{"-u", "eve", "-p", password, "-k", "another secret", "--no-admin"}, "HMAC incorrect", 1},
		{[]string{"-u", "eve", "-p", "x", "-c", s.hs.Config, "--no-admin"}, "too short", 1},
	} {
		if output, code := run(try.args...); code != try.code || !strings.Contains(output, try.says) {
			t.Errorf("%q: %d, %s", try.args, code, output)
		}
	}
	for name, admin := range map[string]bool{"ivan": false, "root": true, "bot.x": false} {
		status, _ := s.login(t, name, "DESK").ask(t, "GET", "/_synapse/admin/v1/rooms", nil)
		if (status == 200) != admin {
			t.Errorf("%s gets %d from the admin API", name, status)
		}
	}
	known := s.hs.URL + "/_synapse/mas/query_user?localpart=bot.x"
	if status, answer := synapse.Try(t, "GET", known, secret, nil); status != 200 {
		t.Errorf("Synapse does not know who was registered: %d %v", status, answer)
	}
}

// page is a tool that is a web page.
type page struct {
	*person
	url string
}

// send sends what a page sends: a browser asks before whether it may.
func (p page) send(t *testing.T, method, path string, body any) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "https://admin.example.org")
	r.Header.Set("Access-Control-Request-Method", method)
	r.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if h := answer.Header; answer.StatusCode/100 != 2 || h.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(h.Get("Access-Control-Allow-Methods"), method) ||
		!strings.Contains(strings.ToLower(h.Get("Access-Control-Allow-Headers")), "authorization") {
		t.Errorf("a page may not send %s %s: %d %v", method, path, answer.StatusCode, h)
	}
	return p.ask(t, method, path, body)
}

// want is send for what must be answered with a status.
func (p page) want(t *testing.T, status int, method, path string, body any) map[string]any {
	t.Helper()
	got, answer := p.send(t, method, path, body)
	if got != status {
		t.Fatalf("%s %s: %d %v", method, path, got, answer)
	}
	return answer
}

// record is a user as a page has read it and as it sends it back: all of it, with fields of its own, and without those
// that are null but the type.
func record(user map[string]any, changes map[string]any) map[string]any {
	all := maps.Clone(user)
	maps.Copy(all, map[string]any{"id": user["name"], "creation_ts_ms": 0, "is_guest": false})
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(name string, value any) bool { return value == nil && name != "user_type" })
	return all
}

// synapseAdmin sends what Awesome-Technologies/synapse-admin does (src/synapse/authProvider.ts and dataProvider.ts).
func synapseAdmin(t *testing.T, s *pair) {
	status, login := synapse.Try(t, "POST", s.Server.URL+"/_matrix/client/r0/login", "", map[string]any{
		"device_id": nil, "initial_device_display_name": "Synapse Admin", "type": "m.login.password",
		"identifier": map[string]any{"type": "m.id.user", "user": "alice"}, "password": password})
	if status != 200 || login["home_server"] != synapse.ServerName || login["device_id"] == nil {
		t.Fatalf("login: %d %v", status, login)
	}
	p := page{&person{s, login["access_token"].(string), ""}, s.Server.URL}
	const users = "/_synapse/admin/v2/users"
	list := p.want(t, 200, "GET", users+
		"?deactivated=false&dir=f&from=0&guests=true&limit=10&locked=false&order_by=name", nil)
	marks := make(map[string]any)
	for _, user := range list["users"].([]any) {
		marks[user.(map[string]any)["name"].(string)] = user.(map[string]any)["admin"]
	}
	if marks["@alice:home.test"] != true || marks["@bob:home.test"] != false {
		t.Errorf("administrators: %v", marks)
	}

	// a user is made, shown and changed
	made := p.want(t, 201, "PUT", users+"/@frank:home.test", map[string]any{
		"id": "frank", "displayname": "Frank", "password": password, "admin": false, "user_type": "bot",
		"threepids": []any{map[string]any{"medium": "email", "address": "frank@example.org"}}})
	if made["name"] != "@frank:home.test" || made["displayname"] != "Frank" || made["user_type"] != "bot" ||
		len(made["threepids"].([]any)) != 1 {
		t.Errorf("made: %v", made)
	}
	frank := s.login(t, "frank", "DESK")
	one := users + "/" + url.QueryEscape("@frank:home.test")
	changed := p.want(t, 200, "PUT", one, record(p.want(t, 200, "GET", one, nil),
		map[string]any{"displayname": "F.", "user_type": nil, "admin": true}))
	if changed["displayname"] != "F." || changed["user_type"] != nil || changed["admin"] != true {
		t.Errorf("changed: %v", changed)
	}
	frank.ok(t, "GET", "/_synapse/admin/v1/rooms", nil)

	// whoever saves their own page stays what they are
	self := users + "/" + url.QueryEscape("@alice:home.test")
	kept := p.want(t, 200, "PUT", self, record(p.want(t, 200, "GET", self, nil), map[string]any{"displayname": "A."}))
	if kept["admin"] != true {
		t.Errorf("alice: %v", kept)
	}
	demoted := p.want(t, 400, "PUT", self, record(kept, map[string]any{"admin": false}))
	if demoted["error"] != "You may not demote yourself." {
		t.Errorf("demoted: %v", demoted)
	}

	// devices, and the end
	devices := p.want(t, 200, "GET", one+"/devices?dir=f&from=0&limit=50&order_by=last_seen_ts", nil)
	if devices["total"] != 1. {
		t.Errorf("devices: %v", devices)
	}
	p.want(t, 200, "DELETE", one+"/devices/DESK", nil)
	frank.refused(t, "GET", "/_matrix/client/v3/account/whoami", 401, "M_UNKNOWN_TOKEN", true)
	p.want(t, 200, "POST", "/_synapse/admin/v1/deactivate/"+url.QueryEscape("@frank:home.test"),
		map[string]any{"erase": true})
	if gone := p.want(t, 200, "GET", one, nil); gone["deactivated"] != true || gone["erased"] != true {
		t.Errorf("deactivated: %v", gone)
	}
	if list := s.Run(t, "", "user", "list"); !strings.Contains(list, "@frank:home.test  deactivated") {
		t.Errorf("Postern has:\n%s", list)
	}
	registrationTokens(t, p)
}

// registrationTokens is the page of the registration tokens.
func registrationTokens(t *testing.T, p page) {
	const tokens = "/_synapse/admin/v1/registration_tokens"
	end := time.Now().Add(time.Hour).UnixMilli()
	made := p.want(t, 200, "POST", tokens+"/new", map[string]any{"uses_allowed": 2, "expiry_time": end, "length": 12})
	token := made["token"].(string)
	if len(token) != 12 || made["uses_allowed"] != 2. || made["expiry_time"] != float64(end) {
		t.Errorf("made: %v", made)
	}
	list := p.want(t, 200, "GET", tokens+"?dir=f&from=0&limit=10&order_by=token&valid=true", nil)
	if all := list["registration_tokens"].([]any); len(all) != 1 {
		t.Errorf("list: %v", all)
	}
	made["id"], made["uses_allowed"] = token, 3
	if changed := p.want(t, 200, "PUT", tokens+"/"+token, made); changed["uses_allowed"] != 3. {
		t.Errorf("changed: %v", changed)
	}
	if list := p.Run(t, "", "invite", "list"); !strings.Contains(list, token) {
		t.Errorf("Postern has:\n%s", list)
	}
	p.want(t, 200, "DELETE", tokens+"/"+token, made)
	p.want(t, 404, "GET", tokens+"/"+token, nil)
}

// ketesa sends what etkecc/ketesa does beside that (src/providers/data), where it finds no Matrix Authentication
// Service: it asks for that at /api/admin/v1/site-config.
func ketesa(t *testing.T, s *pair) {
	p := page{s.login(t, "alice", "KETESA"), s.Server.URL}
	if status, text := raw(t, s.Server.Address, "/api/admin/v1/site-config"); status == 200 {
		t.Errorf("Postern is taken for a Matrix Authentication Service: %s", text)
	}
	p.want(t, 200, "GET", "/_synapse/admin/v3/users?from=0&limit=10&dir=f&order_by=name&deactivated=false", nil)
	const free = "/_synapse/admin/v1/username_available?username="
	if answer := p.want(t, 200, "GET", free+"grace", nil); answer["available"] != true {
		t.Errorf("grace: %v", answer)
	}
	if answer := p.want(t, 400, "GET", free+"bob", nil); answer["errcode"] != "M_USER_IN_USE" {
		t.Errorf("bob: %v", answer)
	}
	grace := url.QueryEscape("@grace:home.test")
	p.want(t, 201, "PUT", "/_synapse/admin/v2/users/"+grace,
		map[string]any{"id": "@grace:home.test", "password": password})
	before := s.login(t, "grace", "DESK")
	p.want(t, 200, "POST", "/_synapse/admin/v1/reset_password/"+grace,
		map[string]any{"new_password": "a longer password", "logout_devices": true})
	before.refused(t, "GET", "/_matrix/client/v3/account/whoami", 401, "M_UNKNOWN_TOKEN", false)
	p.want(t, 200, "PUT", "/_synapse/admin/v1/suspend/"+grace, map[string]any{"suspend": true})
	answer := p.want(t, 200, "POST", "/_synapse/admin/v1/users/"+grace+"/login",
		map[string]any{"valid_until_ms": time.Now().Add(time.Hour).UnixMilli()})
	as := &person{s, answer["access_token"].(string), ""}
	if who := as.ok(t, "GET", "/_matrix/client/v3/account/whoami", nil); who["user_id"] != "@grace:home.test" {
		t.Errorf("whoami: %v", who)
	}
	as.ok(t, "GET", syncing+"?timeout=0", nil)
	as.ok(t, "POST", "/_matrix/client/v3/logout", map[string]any{})
}

// synadm sends what JOJ0/synadm does (synadm/api.py), which spells user ids as they are.
func synadm(t *testing.T, s *pair) {
	alice := s.login(t, "alice", "SYNADM")
	ok := func(method, path string, body any) map[string]any {
		t.Helper()
		status, answer := alice.ask(t, method, "/_synapse/admin/"+path, body)
		if status/100 != 2 {
			t.Fatalf("%s %s: %d %v", method, path, status, answer)
		}
		return answer
	}
	ok("GET", "v2/users?from=0&limit=100&guests=false&deactivated=false", nil)
	ok("PUT", "v2/users/@heidi:home.test", map[string]any{"password": password, "displayname": "Heidi",
		"threepids": []any{map[string]any{"medium": "email", "address": "heidi@example.org"}}, "admin": true})
	heidi := s.login(t, "heidi", "DESK")
	ok("POST", "v1/reset_password/@heidi:home.test",
		map[string]any{"new_password": "a longer password", "logout_devices": false})
	heidi.ok(t, "GET", "/_synapse/admin/v1/rooms", nil)
	ok("POST", "v1/users/@heidi:home.test/login", map[string]any{})
	ok("GET", "v1/whois/@heidi:home.test", nil)
	ok("POST", "v2/users/@heidi:home.test/delete_devices", map[string]any{"devices": []any{"DESK"}})
	heidi.refused(t, "GET", "/_matrix/client/v3/account/whoami", 401, "M_UNKNOWN_TOKEN", true)
	ok("POST", "v1/registration_tokens/new", map[string]any{"length": 16, "uses_allowed": nil, "expiry_time": nil})
	ok("PUT", "v2/users/@heidi:home.test", map[string]any{"deactivated": true})
	if text, err := json.Marshal(ok("GET", "v2/users/@heidi:home.test", nil)); err != nil ||
		!strings.Contains(string(text), `"deactivated":true`) {
		t.Errorf("%s, %v", text, err)
	}
}
