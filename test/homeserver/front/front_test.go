package front

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/test/rig/synapse"
	"postern/tokens"
)

// TestThroughARealSynapse: one conversation after the other through the front.
func TestThroughARealSynapse(t *testing.T) {
	t.Parallel()
	s := newPair(t, "--trusted-proxy", "127.0.0.1", "--expose-admin", "--access-ttl-legacy", "1s")
	alice := s.login(t, "alice", "PHONE")
	t.Run("rooms", func(t *testing.T) { rooms(t, alice) })
	t.Run("media", func(t *testing.T) { media(t, alice) })
	t.Run("form", func(t *testing.T) { strangersForm(t, alice) })
	t.Run("head", func(t *testing.T) { strangersHead(t, alice) })
	t.Run("discovery", func(t *testing.T) { discovery(t, alice) })
	t.Run("address", func(t *testing.T) { address(t, alice) })
	t.Run("restricted", func(t *testing.T) { restricted(t, alice) })
	t.Run("tokens", func(t *testing.T) { ageing(t, alice) })
	t.Run("expiry", func(t *testing.T) { expiry(t, s) })
	t.Run("lock", func(t *testing.T) { lock(t, s.login(t, "bob", "LAPTOP")) })
	t.Run("logout", func(t *testing.T) { logout(t, s.login(t, "alice", "TABLET")) })
	t.Run("admin", func(t *testing.T) { admin(t, s.login(t, "alice", "DESK"), s.login(t, "bob", "SHED")) })
	t.Run("closed", func(t *testing.T) { closed(t, s) })
	t.Run("away", func(t *testing.T) { away(t, s.login(t, "alice", "CAR")) })
}

// rooms has names that stay as they were written, and a poll that wakes up.
func rooms(t *testing.T, p *person) {
	const alias = "#a/b+c%d:" + synapse.ServerName
	room := p.ok(t, "POST", "/_matrix/client/v3/createRoom",
		map[string]any{"preset": "public_chat"})["room_id"].(string)
	directory := "/_matrix/client/v3/directory/room/" + url.PathEscape(alias)
	p.ok(t, "PUT", directory, map[string]any{"room_id": room})
	if got := p.ok(t, "GET", strings.Replace(directory, "/v3/", "/r0/", 1), nil)["room_id"]; got != room {
		t.Errorf("%s is %v, want %s", alias, got, room)
	}
	since := p.ok(t, "GET", syncing+"?timeout=0", nil)["next_batch"].(string)
	woken := make(chan map[string]any, 1)
	go func() {
		_, answer := p.ask(t, "GET", syncing+"?timeout=60000&since="+url.QueryEscape(since), nil)
		woken <- answer
	}()
	p.ok(t, "PUT", "/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/send/m.room.message/t%2F1",
		map[string]any{"msgtype": "m.text", "body": "good morning"})
	if answer := <-woken; answer["rooms"] == nil {
		t.Errorf("the poll answers %v", answer)
	}
}

// strangersForm: Synapse answers a form of this kind and hangs up, without saying so before. That must not meet who
// asks next.
func strangersForm(t *testing.T, p *person) {
	for n := range 10 {
		r, err := http.NewRequestWithContext(t.Context(), "POST", p.Server.URL+"/_matrix/client/v3/createRoom",
			strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer nobody")
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if status, answer := p.ask(t, "POST", "/_matrix/client/v3/createRoom",
			map[string]any{}); status == http.StatusBadGateway {
			t.Fatalf("after %d forms: %d %v", n+1, status, answer)
		}
	}
}

// strangersHead is the same with a target that Twisted refuses: of HEAD the end of the answer does not tell that the
// connection ends.
func strangersHead(t *testing.T, p *person) {
	for n := range 10 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.Server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "HEAD /_matrix/\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
		if status, answer := p.ask(t, "POST", "/_matrix/client/v3/createRoom",
			map[string]any{}); status == http.StatusBadGateway {
			t.Fatalf("after %d: %d %v", n+1, status, answer)
		}
	}
}

func media(t *testing.T, p *person) {
	content := make([]byte, 5<<20)
	if _, err := io.ReadFull(rand.Reader, content); err != nil {
		t.Fatal(err)
	}
	send := func(method, path string, body io.Reader) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, p.Server.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+p.access)
		r.Header.Set("Content-Type", "application/octet-stream")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	res := send("POST", "/_matrix/media/v3/upload", bytes.NewReader(content))
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	uri, _ := object(t, string(text))["content_uri"].(string)
	res = send("GET", "/_matrix/client/v1/media/download/"+strings.TrimPrefix(uri, "mxc://"), nil)
	defer res.Body.Close()
	if back, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(back, content) {
		t.Errorf("%s: %d bytes came back, %d: %v", uri, len(back), res.StatusCode, err)
	}
}

// discovery: nothing leads a client to an OAuth server that is not there.
func discovery(t *testing.T, p *person) {
	if versions := p.ok(t, "GET", "/_matrix/client/versions", nil); versions["unstable_features"] == nil {
		t.Errorf("the versions are not the homeserver's: %v", versions)
	}
	capabilities, _ := p.ok(t, "GET", "/_matrix/client/v3/capabilities", nil)["capabilities"].(map[string]any)
	change, _ := capabilities["m.change_password"].(map[string]any)
	if capabilities["m.room_versions"] == nil || change["enabled"] != true {
		t.Errorf("the capabilities are %v", capabilities)
	}
	if known := p.ok(t, "GET", "/.well-known/matrix/client", nil); known["m.homeserver"] == nil || len(known) != 1 {
		t.Errorf("clients find %v", known)
	}
	if known := p.ok(t, "GET", "/.well-known/matrix/server", nil); known["m.server"] != "home.test:443" {
		t.Errorf("other homeservers find %v", known)
	}
	p.ok(t, "GET", "/_matrix/federation/v1/version", nil)
	for _, path := range []string{"/_matrix/client/v1/auth_metadata",
		"/_matrix/client/unstable/org.matrix.msc2965/auth_metadata",
		"/_matrix/client/unstable/org.matrix.msc2965/auth_issuer"} {
		if status, answer := synapse.Try(t, "GET", p.Server.URL+path, "", nil); status != 404 ||
			answer["errcode"] != "M_UNRECOGNIZED" {
			t.Errorf("%s answers %d %v", path, status, answer)
		}
	}
	for path, code := range map[string]string{"account/password/email/requestToken": "M_UNKNOWN",
		"register/email/requestToken": "M_UNKNOWN", "account/3pid/add": "M_FORBIDDEN",
		"account/3pid/msisdn/requestToken": "M_THREEPID_MEDIUM_NOT_SUPPORTED"} {
		if status, answer := synapse.Try(t, "POST", p.Server.URL+"/_matrix/client/v3/"+path, p.access,
			map[string]any{}); status != 400 || answer["errcode"] != code {
			t.Errorf("%s answers %d %v", path, status, answer)
		}
	}
	p.ok(t, "GET", "/_matrix/client/v3/account/3pid", nil)
}

// address: Synapse believes the leftmost address that it is told.
func address(t *testing.T, p *person) {
	status, body := raw(t, p.Server.Address, syncing+"?timeout=0", "Authorization: Bearer "+p.access,
		"X-Forwarded-For: 203.0.113.66, 203.0.113.5")
	if log := p.hs.Log(t); status != 200 || !strings.Contains(log, "203.0.113.5 - ") ||
		strings.Contains(log, "203.0.113.66") {
		t.Errorf("%d %s: Synapse has the wrong address", status, body)
	}
}

func restricted(t *testing.T, p *person) {
	token, err := tokens.Restrict(p.access, tokens.Caveat{Key: "method", Operator: "in", Value: "GET"},
		tokens.Caveat{Key: "path", Operator: "under", Value: syncing})
	if err != nil {
		t.Fatal(err)
	}
	guest := p.with(token)
	guest.ok(t, "GET", syncing+"?timeout=0", nil)
	guest.ok(t, "GET", "/_matrix/client/r0/sync?timeout=0", nil)
	guest.refused(t, "PUT", "/_matrix/client/v3/rooms/!a:b/send/m.room.message/1", 403, "M_FORBIDDEN", false)
	guest.refused(t, "GET", "/_matrix/client/v3/joined_rooms", 403, "M_FORBIDDEN", false)
	guest.refused(t, "GET", "/_matrix/client/v3/account/whoami", 403, "M_FORBIDDEN", false)
	for _, target := range []string{syncing + "/../joined_rooms", syncing + "/%2e%2e/joined_rooms",
		syncing + "%2F..%2Fjoined_rooms"} {
		if status, body := raw(t, p.Server.Address, target, "Authorization: Bearer "+token); status != 403 {
			t.Errorf("%s answers %d %s", target, status, body)
		}
	}
	// Who goes to Synapse itself gets nothing for it: only the front can judge it.
	if status, answer := synapse.Try(t, "GET", p.hs.URL+syncing, token, nil); status != 401 {
		t.Errorf("Synapse takes a restricted token: %d %v", status, answer)
	}
	p.ok(t, "GET", syncing+"?timeout=0", nil)
}

// ageing: a refresh, the token before it, and a replay.
func ageing(t *testing.T, p *person) {
	first := *p
	answer := synapse.Call(t, "POST", p.Server.URL+"/_matrix/client/v3/refresh", "",
		map[string]any{"refresh_token": p.refresh})
	first.ok(t, "GET", syncing+"?timeout=0", nil) // the answer may have been lost
	second := p.with(answer["access_token"].(string))
	second.ok(t, "GET", syncing+"?timeout=0", nil)
	first.ok(t, "GET", syncing+"?timeout=0", nil) // another process of the client may hold it still
	hidden(t, first)
	if status, answer := synapse.Try(t, "POST", p.Server.URL+"/_matrix/client/v3/refresh", "",
		map[string]any{"refresh_token": p.refresh}); status != 401 || answer["soft_logout"] != true {
		t.Errorf("a replay answers %d %v", status, answer)
	}
	first.refused(t, "GET", syncing, 401, "M_UNKNOWN_TOKEN", true)
	second.refused(t, "GET", syncing, 401, "M_UNKNOWN_TOKEN", true)
}

// expiry: a client that cannot refresh is told to log in again on its device, with its keys.
func expiry(t *testing.T, s *pair) {
	answer := synapse.Call(t, "POST", s.Server.URL+"/_matrix/client/v3/login", "",
		map[string]any{"type": "m.login.password",
			"identifier": map[string]any{"type": "m.id.user", "user": "alice"}, "password": password,
			"device_id": "OLD"})
	p := &person{s, answer["access_token"].(string), ""}
	for range 1200 {
		if status, _ := p.ask(t, "GET", syncing+"?timeout=0", nil); status != http.StatusOK {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.refused(t, "GET", syncing, 401, "M_UNKNOWN_TOKEN", true)
}

// hidden: Synapse still knows the token, and must not find one where the front does not look.
func hidden(t *testing.T, p person) {
	field := "access_token=" + url.QueryEscape(p.access)
	status, body := raw(t, p.Server.Address, syncing+"?timeout=0&"+field, "Authorization: Basic x",
		"Connection: Authorization")
	if status != 401 || !strings.Contains(body, "M_MISSING_TOKEN") {
		t.Errorf("a header that is dropped: %d %s", status, body)
	}
	res, err := http.PostForm(p.Server.URL+"/_matrix/media/v3/upload", url.Values{"access_token": {p.access}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != 401 || !strings.Contains(string(text), "M_MISSING_TOKEN") {
		t.Errorf("a form: %d %s", res.StatusCode, text)
	}
}

func lock(t *testing.T, p *person) {
	p.ok(t, "GET", syncing+"?timeout=0", nil)
	p.Run(t, "", "user", "lock", "bob")
	p.refused(t, "GET", syncing, 401, "M_USER_LOCKED", true)
	p.Run(t, "", "user", "unlock", "bob")
	p.ok(t, "GET", syncing+"?timeout=0", nil)
}

// logout is in force at once, though Synapse remembers the token for two minutes.
func logout(t *testing.T, p *person) {
	p.ok(t, "GET", syncing+"?timeout=0", nil)
	p.ok(t, "POST", "/_matrix/client/v3/logout", nil)
	p.refused(t, "GET", syncing, 401, "M_UNKNOWN_TOKEN", false)
}

func admin(t *testing.T, alice, bob *person) {
	const users = "/_synapse/admin/v2/users?guests=false"
	alice.Run(t, "", "user", "admin", "alice", "on")
	if list, _ := alice.ok(t, "GET", users, nil)["users"].([]any); len(list) != 2 {
		t.Errorf("the homeserver has %v", list)
	}
	bob.refused(t, "GET", users, 403, "M_FORBIDDEN", false)
	// The mark counts with the very next request, in all that the homeserver asks it for.
	const whois = "/_matrix/client/v3/admin/whois/@bob:" + synapse.ServerName
	for range 2 {
		alice.ok(t, "GET", whois, nil)
		alice.Run(t, "", "user", "admin", "alice", "off")
		alice.refused(t, "GET", users, 403, "M_FORBIDDEN", false)
		alice.refused(t, "GET", whois, 403, "M_FORBIDDEN", false)
		alice.ok(t, "GET", syncing+"?timeout=0", nil)
		alice.ok(t, "GET", "/_synapse/admin/v1/server_version", nil)
		alice.Run(t, "", "user", "admin", "alice", "on")
		alice.ok(t, "GET", users, nil)
	}
}

// closed: no spelling leads to the calls that only Postern may make, though Synapse takes several of them.
func closed(t *testing.T, s *pair) {
	reached := 0
	for _, path := range []string{"/_synapse/mas", "//_synapse/mas", "///_synapse/mas", "/%5Fsynapse/mas",
		"/%5fsynapse/%6Das", "/_synapse/./mas", "/_synapse//mas", "/./_synapse/mas",
		"/_matrix/../_synapse/mas", "/_matrix/%2e%2e/_synapse/mas", "/_synapse%2Fmas", "/_synapse/client/../mas",
		"/_synapse/admin/../mas", "/%255Fsynapse/mas", "/_SYNAPSE/mas"} {
		target := path + "/query_user?localpart=alice"
		if status, _ := raw(t, strings.TrimPrefix(s.hs.URL, "http://"), target,
			"Authorization: Bearer "+secret); status == 200 {
			reached++
		}
		if status, body := raw(t, s.Server.Address, target, "Authorization: Bearer "+secret); status != 404 ||
			!strings.Contains(body, "M_UNRECOGNIZED") {
			t.Errorf("%s answers %d %s", target, status, body)
		}
	}
	if reached < 3 {
		t.Errorf("Synapse itself takes only %d of the spellings: this shows too little", reached)
	}
}

// away: Synapse is restarted. Nobody is logged out by it.
func away(t *testing.T, p *person) {
	p.ok(t, "GET", syncing+"?timeout=0", nil)
	p.hs.Stop(t)
	p.refused(t, "GET", syncing, 502, "M_UNKNOWN", false)
	p.ok(t, "GET", "/_matrix/client/v3/account/whoami", nil)
	p.hs.Run(t)
	p.ok(t, "GET", syncing+"?timeout=0", nil)
}
