package homeserver

import (
	"encoding/json"
	"testing"
)

// TestRendezvous: the mailboxes of devices that link each other are this server's, if it has the OAuth 2.0 API, and
// else the homeserver's.
func TestRendezvous(t *testing.T) {
	t.Parallel()
	with, without := newSiteBefore(t, withOAuth), newSiteBefore(t)
	for _, path := range []string{
		"/_matrix/client/unstable/org.matrix.msc4108/rendezvous",
		"/_matrix/client/unstable/org.matrix.msc4108/rendezvous/X",
		"/_matrix/client/unstable/io.element.msc4388/rendezvous",
		"/_matrix/client/unstable/io.element.msc4388/rendezvous/X",
		"/_matrix/client/unstable/io.element.msc4388/rendezvous/X/txn",
		"/oauth2/device_authorization", "/oauth2/device",
	} {
		if !with.gate.answers(with.gate.name(path)) || without.gate.answers(without.gate.name(path)) {
			t.Errorf("%s is answered by the wrong one", path)
		}
	}
}

// TestVersions: what this server serves of drafts is added to what the homeserver does.
func TestVersions(t *testing.T) {
	t.Parallel()
	if newSiteBefore(t).gate.editVersions() != nil {
		t.Error("the versions become others without the OAuth 2.0 API")
	}
	edit := newSiteBefore(t, withOAuth).gate.editVersions()
	var object map[string]json.RawMessage
	const there = `{"unstable_features":{"org.matrix.msc4108":false,"x":true},"versions":["v1.1"]}`
	if err := json.Unmarshal([]byte(there), &object); err != nil {
		t.Fatal(err)
	}
	edit(object)
	const want = `{"unstable_features":{"io.element.msc4388":true,"org.matrix.msc4108":true,"x":true},"versions":["v1.1"]}`
	if got, err := json.Marshal(object); err != nil || string(got) != want {
		t.Errorf("the versions become %s, %v", got, err)
	}
}
