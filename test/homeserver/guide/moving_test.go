// Package guide is the proof of what the README promises to who runs a small homeserver: a real Synapse with people
// logged in, Postern moved in front of it by the README's own commands, and out again. test/homeserver/guide/run
// installs what it needs and runs it.
package guide

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"postern/test/rig/process"
	"postern/test/rig/synapse"
)

func TestMain(m *testing.M) { process.Main(m) }

// TestMoving types every command of the README's section, with friends waiting.
func TestMoving(t *testing.T) {
	if os.Getenv("TEST_HOME") == "" {
		t.Skip("real clients and minutes: test/homeserver/guide/run")
	}
	m := newMachine(t)
	f := gather(t, m)
	_, commands := readme(t)
	away := false // in the midst of a switch nobody answers
	for i, command := range commands {
		if strings.HasPrefix(command, "postern serve ") {
			m.serve = command // which is what the unit runs
			continue
		}
		if strings.HasSuffix(command, " --now postern") && m.serve == "" {
			m.serve = serveLine(t, commands[i:])
		}
		out, status := m.types(t, command)
		if status != 0 {
			t.Fatalf("%s: exit status %d\n%s", command, status, out)
		}
		if strings.Contains(out, synapseSecret) {
			t.Fatalf("%s shows a secret:\n%s", command, out)
		}
		switch command {
		case "systemctl stop matrix-synapse", "systemctl disable --now postern":
			away = true
		case "systemctl start matrix-synapse":
			away = false
			f.moved(t, m)
		case "systemctl restart matrix-synapse":
			away = false
			f.back(t, m)
		}
		if !away {
			f.goOn(t, "after: "+command)
		}
	}
	if f.stage != "back" {
		t.Fatalf("the README's commands end %q", f.stage)
	}
}

// synapseSecret stands in Synapse's configuration; nothing shows it.
const synapseSecret = "the secret of the tests"

// serveLine is the command that the README shows for the unit.
func serveLine(t *testing.T, commands []string) string {
	t.Helper()
	for _, command := range commands {
		if strings.HasPrefix(command, "postern serve ") {
			return command
		}
	}
	t.Fatal("the README does not show how Postern is started")
	return ""
}

// friends are who is logged in when the move begins.
type friends struct {
	alice, bob, carol *person
	room, carols      string
	first             map[string]string // access tokens that Synapse gave before
	stage             string
}

// gather logs everybody in at plain Synapse.
func gather(t *testing.T, m *machine) *friends {
	t.Helper()
	f := &friends{alice: newPerson(t, "alice"), bob: newPerson(t, "bob"), carol: newNio(t, "carol"),
		first: make(map[string]string)}
	for _, p := range []*person{f.alice, f.bob, f.carol} {
		m.hs.Register(t, p.name, password, false)
		p.do(t, "login", values{"base": m.public, "user": p.name, "password": password})
		f.first[p.name], _ = m.hs.Login(t, p.name, password, "FIRST", false)["access_token"].(string)
	}
	f.meet(t)
	bridge(t, m.public, "_irc_old")
	f.bob.do(t, "reset", nil) // his first keys, for which nobody asks a password
	f.goOn(t, "before the move")
	return f
}

// meet makes the rooms in which they talk.
func (f *friends) meet(t *testing.T) {
	t.Helper()
	f.room = f.alice.do(t, "room", values{"invite": []string{"@bob:" + synapse.ServerName}})["room_id"].(string)
	f.bob.do(t, "join", values{"room": f.room})
	for _, p := range []*person{f.alice, f.bob} {
		p.do(t, "knows", values{"room": f.room, "members": 2})
	}
	f.carols = f.carol.do(t, "room", nil)["room_id"].(string)
}

// goOn holds that everybody goes on, with no login.
func (f *friends) goOn(t *testing.T, about string) {
	t.Helper()
	talk(t, f.alice, f.bob, f.room, about)
	f.carol.do(t, "talk", values{"room": f.carols, "text": about})
	f.alice.stays(t)
	f.bob.stays(t)
}

// moved is all that must hold when Postern stands in front.
func (f *friends) moved(t *testing.T, m *machine) {
	f.stage = "moved"
	f.goOn(t, "Postern is in front")
	for name, token := range f.first {
		if who := synapse.Call(t, "GET", m.public+whoami, token, nil); who["user_id"] != "@"+name+":"+
			synapse.ServerName {
			t.Errorf("%s's first token: %v", name, who)
		}
	}
	bridge(t, m.public, "_irc_new")
	keys := f.alice.do(t, "keys", nil)
	if keys["own"] != keys["server"] {
		t.Errorf("alice's keys: %v", keys)
	}

	f.alice.do(t, "refresh", nil) // Synapse's refresh token for Postern's
	if twice := f.bob.do(t, "refreshTwice", nil); twice["pairs"] != 1.0 {
		t.Errorf("bob refreshed twice with one token: %v", twice)
	}
	f.goOn(t, "after a refresh")
	f.alice.do(t, "refresh", nil) // Postern's for Postern's
	f.goOn(t, "after the next")

	m.must(t, m.systemctl(t, "restart", "postern"))
	f.goOn(t, "after a restart of Postern")
	m.must(t, m.systemctl(t, "restart", "matrix-synapse"))
	f.goOn(t, "after a restart of Synapse")
	m.killPostern(t)
	m.must(t, m.startPostern())
	f.goOn(t, "after Postern was killed")

	f.again(t, m, keys)
	f.reset(t)
}

const whoami = "/_matrix/client/v3/account/whoami"

// again is a soft logout and a login on the same device, whose keys stay.
func (f *friends) again(t *testing.T, m *machine, keys values) {
	t.Helper()
	f.alice.do(t, "replay", nil)
	if story := f.alice.do(t, "told", nil); story["soft"] != true {
		t.Fatalf("alice's session was replayed, and she was told %v", story)
	}
	before := f.alice.do(t, "device", nil)["device_id"]
	if device := f.alice.do(t, "again", nil)["device_id"]; device != before {
		t.Errorf("alice was given the device %v, not %v", device, before)
	}
	f.carol.do(t, "again", values{"password": password})
	talk(t, f.alice, f.bob, f.room, "after a soft logout and a login")
	f.carol.do(t, "talk", values{"room": f.carols, "text": "after a login"})
	if now := f.alice.do(t, "keys", nil); now["own"] != keys["own"] || now["server"] != keys["own"] {
		t.Errorf("alice's keys were %v and are %v", keys, now)
	}
}

// reset is what somebody does who has lost the cross-signing keys: new ones, proved with the password.
func (f *friends) reset(t *testing.T) {
	t.Helper()
	before := f.bob.do(t, "signing", nil)["master"]
	if reset := f.bob.do(t, "reset", nil); reset["asked"] != 401.0 {
		t.Errorf("bob was not asked for his password: %v", reset)
	}
	if now := f.bob.do(t, "signing", nil)["master"]; now == before || now == "" {
		t.Errorf("bob's master key was %v and is %v", before, now)
	}
	talk(t, f.alice, f.bob, f.room, "after new cross-signing keys")
}

// bridge makes, or has, a user of the bridge, speaks as it with the bridge's own token, and logs in as it.
func bridge(t *testing.T, public, user string) {
	t.Helper()
	const v3 = "/_matrix/client/v3/"
	synapse.Try(t, "POST", public+v3+"register", bridgeToken,
		values{"type": "m.login.application_service", "username": user, "inhibit_login": true})
	as := "?user_id=" + url.QueryEscape("@"+user+":"+synapse.ServerName)
	room, _ := synapse.Call(t, "POST", public+v3+"createRoom"+as, bridgeToken, values{})["room_id"].(string)
	synapse.Call(t, "PUT", public+v3+"rooms/"+url.PathEscape(room)+"/send/m.room.message/1"+as, bridgeToken,
		values{"msgtype": "m.text", "body": "from elsewhere"})
	session := synapse.Call(t, "POST", public+v3+"login", bridgeToken,
		values{"type": "m.login.application_service", "identifier": values{"type": "m.id.user", "user": user}})
	token, _ := session["access_token"].(string)
	if who := synapse.Call(t, "GET", public+whoami, token, nil); who["user_id"] != "@"+user+":"+synapse.ServerName {
		t.Errorf("the bridge's user is %v", who)
	}
	synapse.Call(t, "GET", public+v3+"sync?timeout=0", token, nil)
}

// back is all that must hold when Synapse does its own authentication again.
func (f *friends) back(t *testing.T, m *machine) {
	f.stage = "back"
	for name, token := range f.first {
		if who := synapse.Call(t, "GET", m.public+whoami, token, nil); who["user_id"] != "@"+name+":"+
			synapse.ServerName {
			t.Errorf("%s's first token: %v", name, who)
		}
	}
	again := f.alice.do(t, "again", nil)
	if device := f.alice.do(t, "device", nil)["device_id"]; again["device_id"] != device {
		t.Errorf("alice was given the device %v, not %v", again, device)
	}
	f.bob.do(t, "again", nil)
	f.carol.do(t, "again", values{"password": password})
	talk(t, f.alice, f.bob, f.room, "at plain Synapse again")
	bridge(t, m.public, "_irc_new")
}

func (m *machine) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
