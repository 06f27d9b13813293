package front

import (
	"net/url"
	"strings"
	"testing"

	"postern/test/rig/synapse"
)

// bot makes a token for a bot of alice's on the command line.
func (p *person) bot(t *testing.T, caveats ...string) *person {
	t.Helper()
	out := p.Run(t, "", append([]string{"token", "issue", "alice"}, caveats...)...)
	token, _, _ := strings.Cut(out, "\n")
	return p.with(token)
}

// room makes a room that has a name.
func (p *person) room(t *testing.T, name string) string {
	t.Helper()
	return p.ok(t, "POST", "/_matrix/client/v3/createRoom", map[string]any{"name": name})["room_id"].(string)
}

const roomsPath = "/_matrix/client/v3/rooms/"

// said are the messages in a room, and its name.
func (p *person) said(t *testing.T, room string) (bodies []string, name any) {
	t.Helper()
	chunk, _ := p.ok(t, "GET", roomsPath+url.PathEscape(room)+"/messages?dir=f&limit=100", nil)["chunk"].([]any)
	for _, e := range chunk {
		content, _ := e.(map[string]any)["content"].(map[string]any)
		if body, found := content["body"].(string); found {
			bodies = append(bodies, body)
		}
	}
	return bodies, p.ok(t, "GET", roomsPath+url.PathEscape(room)+"/state/m.room.name", nil)["name"]
}

// TestBots: through the front a token opens what it says before a real Synapse too, by whichever release a client
// writes, and by no spelling of a path, no header and no way around anything else.
func TestBots(t *testing.T) {
	t.Parallel()
	s := newPair(t, "--expose-admin")
	s.Run(t, "", "user", "admin", "alice", "on")
	alice := s.login(t, "alice", "DESK")
	home, other := alice.room(t, "Home"), alice.room(t, "Other")
	bell := alice.bot(t, "method in PUT", "path under "+roomsPath+home+"/send")
	text := func(body string) map[string]any { return map[string]any{"msgtype": "m.text", "body": body} }
	bell.ok(t, "PUT", roomsPath+home+"/send/m.room.message/1", text("one"))
	bell.ok(t, "PUT", "/_matrix/client/r0/rooms/"+url.PathEscape(home)+"/send/m.room.message/2", text("two"))
	for _, path := range []string{"/_matrix/client/v3/account/whoami", syncing, "/_synapse/admin/v2/users?guests=false",
		roomsPath + home + "/send"} {
		bell.refused(t, "GET", path, 403, "M_FORBIDDEN", false)
	}
	if status, answer := synapse.Try(t, "PUT", s.hs.URL+roomsPath+home+"/send/m.room.message/3", bell.access,
		text("past the front")); status != 401 {
		t.Errorf("at Synapse itself it is answered %d %v", status, answer)
	}
	bell.tricks(t, home, other)
	alice.bot(t, "method in GET,HEAD", "path under /_matrix").reads(t, home)
	tool := alice.bot(t, "path under /_synapse/admin", "--expires", "1h")
	tool.ok(t, "GET", "/_synapse/admin/v2/users?guests=false", nil)
	tool.refused(t, "GET", "/_matrix/client/v3/account/whoami", 403, "M_FORBIDDEN", false)
	all := alice.bot(t, "method in PUT", "path under "+roomsPath+"*/send")
	all.ok(t, "PUT", roomsPath+other+"/send/m.room.message/1", text("three"))
	all.refused(t, "PUT", roomsPath+home+"/state/m.room.name", 403, "M_FORBIDDEN", false)
	all.tricks(t, home, home)

	bodies, name := alice.said(t, home)
	if strings.Join(bodies, " ") != "one two" || name != "Home" {
		t.Errorf("home has %q and the name %v", bodies, name)
	}
	if bodies, name = alice.said(t, other); strings.Join(bodies, " ") != "three" || name != "Other" {
		t.Errorf("the other room has %q and the name %v", bodies, name)
	}
}

// tricks tries to do more than to send to a room: to send to another, to change its state.
func (p *person) tricks(t *testing.T, home, other string) {
	t.Helper()
	address := strings.TrimPrefix(p.Server.URL, "http://")
	token := "Authorization: Bearer " + p.access
	const state, body = "state/m.room.name/", `{"name":"Taken","msgtype":"m.text","body":"taken"}`
	in, elsewhere := roomsPath+home+"/", roomsPath+other+"/"
	targets := []string{in + state, in + "send/../" + state, in + "send/%2e%2e/" + state, in + "send/..%2F" + state,
		in + "send%2F..%2F" + state, in + "send/%252e%252e/" + state, in + "send/..;/" + state,
		in + "send/.%00./" + state, in + "send\\..\\" + state, in + "./" + state, in + "/" + state, "/" + in + state,
		"//" + in + "send/../" + state, in + "State/m.room.name/", in + state + "?/send/",
		in + state + "?x=" + in + "send", in + state + "#/send/", in + state + ";/send/", in + "send%3F/../" + state,
		in + "%73tate/m.room.name/", in + "send/../../" + other + "/" + state,
		"/_matrix/client/unstable/rooms/" + home + "/" + state, "/_matrix/client/api/v1/rooms/" + home + "/" + state,
		"/_matrix/client/v3/rooms/" + home + "%2Fsend%2F..%2Fstate%2Fm.room.name/",
		"/%5Fmatrix/client/v3/rooms/" + home + "/" + state, roomsPath + "x%2F..%2F" + home + "/" + state,
		roomsPath + home + "%2F" + state + "/send/m.room.name/"}
	if other != home {
		targets = append(targets, elsewhere+"send/m.room.message/7", in+"../"+other+"/send/m.room.message/8",
			in+"send/../../"+other+"/send/m.room.message/9", elsewhere+"send/m.room.message/10?"+in+"send",
			in+"send/../../../rooms/"+url.PathEscape(other)+"/send/m.room.message/11")
	}
	for _, target := range targets {
		status, answer := rawly(t, "PUT", address, target, body, token)
		if status < 400 || status == 401 || status >= 500 {
			t.Errorf("PUT %s is answered %d %s", target, status, answer)
		}
	}
	for _, header := range []string{"X-HTTP-Method-Override: PUT", "X-HTTP-Method: PUT", "X-Method-Override: PUT",
		"X-Original-URL: " + in + "send/m.room.message/1", "X-Rewrite-URL: " + in + "send/m.room.message/1"} {
		for _, method := range []string{"POST", "GET", "PUT"} {
			if status, answer := rawly(t, method, address, in+state, body, token, header); status != 403 {
				t.Errorf("%s with %s is answered %d %s", method, header, status, answer)
			}
		}
	}
}

// reads holds that a token which may only read reads, changes nothing by a header, and is no administrator's, although
// its account is one.
func (p *person) reads(t *testing.T, home string) {
	t.Helper()
	p.ok(t, "GET", syncing+"?timeout=0", nil)
	p.ok(t, "GET", "/_matrix/client/v3/account/whoami", nil)
	p.refused(t, "PUT", roomsPath+home+"/state/m.room.name", 403, "M_FORBIDDEN", false)
	p.refused(t, "POST", "/_matrix/client/v3/logout", 403, "M_FORBIDDEN", false)
	p.refused(t, "POST", "/_matrix/client/v3/keys/device_signing/upload", 403, "M_FORBIDDEN", false)
	p.refused(t, "GET", "/_synapse/admin/v2/users?guests=false", 403, "M_FORBIDDEN", false)
	address := strings.TrimPrefix(p.Server.URL, "http://")
	for _, header := range []string{"X-HTTP-Method-Override: PUT", "X-HTTP-Method: PUT", "X-Method-Override: PUT"} {
		rawly(t, "GET", address, roomsPath+home+"/state/m.room.name", `{"name":"Taken"}`,
			"Authorization: Bearer "+p.access, header)
	}
}
