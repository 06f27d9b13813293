package home

import (
	"testing"

	"postern/test/synapse"
)

// TestPlain: the two friends with plain Synapse.
func TestPlain(t *testing.T) {
	hs := synapse.New(t, synapse.Options{})
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	for _, p := range []*person{alice, bob} {
		hs.Register(t, p.name, password, false)
		p.do(t, "login", values{"base": hs.URL, "user": p.name, "password": password})
	}
	room := alice.do(t, "room", values{"invite": []string{"@bob:" + synapse.ServerName}})["room_id"].(string)
	bob.do(t, "join", values{"room": room})
	for _, p := range []*person{alice, bob} {
		p.do(t, "knows", values{"room": room, "members": 2})
	}
	talk(t, alice, bob, room, "before")
	alice.do(t, "refresh", nil)
	hs.Stop(t)
	hs.Run(t)
	talk(t, alice, bob, room, "after a restart")
	alice.stays(t)
	t.Log(alice.do(t, "keys", nil), alice.do(t, "reset", nil), alice.do(t, "signing", nil), alice.do(t, "story", nil))
	t.Log(alice.do(t, "again", nil))
	talk(t, alice, bob, room, "after a login")
}
