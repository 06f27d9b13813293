package bridges

import (
	"net/http"
	"strings"
	"testing"

	"postern/test/rig/synapse"
)

const (
	login    = "v3/login"
	register = "v3/register"
	whoami   = "v3/account/whoami"
)

func loginAs(user, device string) map[string]any {
	return map[string]any{"type": "m.login.application_service", "device_id": device,
		"identifier": map[string]any{"type": "m.id.user", "user": user}}
}

// TestBridge is a day of a bridge: it acts as its users by its own token, makes new ones, and logs in as them.
func TestBridge(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	t.Run("its own token passes", func(t *testing.T) { p.in(t).passes(t) })
	t.Run("it logs in", func(t *testing.T) { p.in(t).logsIn(t) })
	t.Run("it registers", func(t *testing.T) { p.in(t).registers(t) })
	t.Run("it deletes a device", func(t *testing.T) { p.in(t).deletes(t) })
	t.Run("people are kept out", func(t *testing.T) {
		p := p.in(t)
		p.want(400, "M_EXCLUSIVE", "POST", register, "", map[string]any{"username": "_irc_carol", "password": password})
		p.want(400, "M_EXCLUSIVE", "GET", "v3/register/available?username=_irc_carol", "", nil)
		if status, answer := synapse.Try(t, "POST", p.url+"/_matrix/client/v3/register", "",
			map[string]any{"username": "carol", "password": password}); status != http.StatusUnauthorized ||
			answer["flows"] == nil {
			t.Errorf("a person registers: %d %v", status, answer)
		}
	})
	if strings.Contains(p.hs.Log(t), "Traceback") {
		t.Error("something went wrong in Synapse")
	}
}

func (p *pair) passes(t *testing.T) {
	for _, path := range []string{"v3/account/whoami", "r0/account/whoami"} { // which Postern answers everybody else
		if who := p.ok("GET", path+as("_irc_old"), bridgeToken, nil); text(who, "user_id") != "@_irc_old:home.test" {
			t.Fatalf("it is %v", who)
		}
	}
	room := text(p.ok("POST", "v3/createRoom"+as("_irc_old"), bridgeToken, map[string]any{}), "room_id")
	sent := p.ok("PUT", "v3/rooms/"+room+"/send/m.room.message/1"+as("_irc_old"), bridgeToken,
		map[string]any{"msgtype": "m.text", "body": "from irc"})
	if event := p.ok("GET", "v3/rooms/"+room+"/event/"+text(sent, "event_id")+as("_irc_old"), bridgeToken,
		nil); text(event, "sender") != "@_irc_old:home.test" {
		t.Errorf("the message is %v", event)
	}
	p.want(403, "M_FORBIDDEN", "GET", whoami+as("alice"), bridgeToken, nil) // by Synapse
	p.want(401, "M_UNKNOWN_TOKEN", "GET", whoami+as("_irc_old"), "some-other-token", nil)
}

func (p *pair) logsIn(t *testing.T) {
	flows := p.ok("GET", login, bridgeToken, nil)["flows"].([]any) // which Synapse would not tell any more
	if last := flows[len(flows)-1].(map[string]any); last["type"] != "m.login.application_service" {
		t.Errorf("the flows are %v", flows)
	}
	in := p.ok("POST", login, bridgeToken, loginAs("_irc_old", "BRIDGE"))
	p.works(t, in, "_irc_old", "BRIDGE")
	p.want(401, "M_MISSING_TOKEN", "POST", login, "", loginAs("_irc_old", ""))
	p.want(401, "M_UNKNOWN_TOKEN", "POST", login, "some-other-token", loginAs("_irc_old", ""))
	p.want(400, "M_EXCLUSIVE", "POST", login, bridgeToken, loginAs("alice", ""))
	p.want(403, "M_FORBIDDEN", "POST", login, bridgeToken, loginAs("_irc_nobody", ""))
	p.want(403, "M_FORBIDDEN", "POST", login, bridgeToken, loginAs("ircbot", "")) // not yet
}

// works sees that a login is one at Postern and at Synapse.
func (p *pair) works(t *testing.T, in map[string]any, user, device string) {
	t.Helper()
	token := text(in, "access_token")
	if who := p.ok("GET", whoami, token, nil); text(who, "user_id") != "@"+user+":home.test" ||
		text(who, "device_id") != device {
		t.Errorf("Postern has %v", who)
	}
	p.ok("GET", "v3/joined_rooms", token, nil) // Synapse has no /sync for the user that a bridge sends as
	if who := synapse.Call(t, "GET", p.hs.URL+"/_matrix/client/v3/account/whoami", token, nil); text(who,
		"user_id") != "@"+user+":home.test" || text(who, "device_id") != device {
		t.Errorf("Synapse has %v", who)
	}
}

func (p *pair) registers(t *testing.T) {
	// With a login, as bridges of all ages ask for it.
	in := p.ok("POST", "r0/register", bridgeToken,
		map[string]any{"type": "m.login.application_service", "username": "_irc_new", "device_id": "FIRST",
			"initial_device_display_name": "Bridge"})
	p.works(t, in, "_irc_new", "FIRST")
	if who := p.ok("GET", whoami+as("_irc_new"), bridgeToken, nil); text(who, "user_id") != "@_irc_new:home.test" {
		t.Errorf("it is %v", who)
	}
	// Without one; letters as they are.
	for _, user := range []string{"_irc_Quiet[m]", "ircbot"} {
		out := p.ok("POST", register, bridgeToken,
			map[string]any{"type": "m.login.application_service", "username": user, "inhibit_login": true})
		if text(out, "user_id") != "@"+user+":home.test" || out["access_token"] != nil {
			t.Errorf("it made %v", out)
		}
		p.works(t, p.ok("POST", login, bridgeToken, loginAs(user, "LATER")), user, "LATER")
	}
	p.want(400, "M_USER_IN_USE", "POST", register, bridgeToken,
		map[string]any{"type": "m.login.application_service", "username": "_irc_new"})
	p.want(400, "M_USER_IN_USE", "POST", register, bridgeToken,
		map[string]any{"type": "m.login.application_service", "username": "_irc_old"})
	p.want(400, "M_EXCLUSIVE", "POST", register, bridgeToken,
		map[string]any{"type": "m.login.application_service", "username": "dave"})
	p.want(401, "M_UNKNOWN_TOKEN", "POST", register, "some-other-token",
		map[string]any{"type": "m.login.application_service", "username": "_irc_x"})
}

// deletes: a device that the bridge deletes by its own token is gone at both, and its session with it.
func (p *pair) deletes(t *testing.T) {
	const device = "v3/devices/GONE%2F1"
	token := text(p.ok("POST", login, bridgeToken, loginAs("_irc_old", "GONE/1")), "access_token")
	p.ok("GET", "v3/joined_rooms", token, nil)
	p.ok("DELETE", device+as("_irc_old"), bridgeToken, map[string]any{})
	p.want(401, "M_UNKNOWN_TOKEN", "GET", whoami, token, nil)
	p.ok("DELETE", device+as("_irc_old"), bridgeToken, map[string]any{}) // the answer may have been lost
	p.want(401, "M_UNKNOWN_TOKEN", "GET", "v3/joined_rooms", token, nil)
}
