package fakesynapse

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"postern/test/rig/synapse"
)

const secret = "a_secret_of_the_tests"

// script is one call after the other: what the fake answers must be what Synapse answers.
var script = []struct{ method, path, secret, body string }{
	{"GET", "is_localpart_available?localpart=alice", secret, ""},
	{"GET", "query_user?localpart=alice", secret, ""},
	{"POST", "upsert_device", secret, `{"localpart":"alice","device_id":"A"}`},
	{"POST", "delete_device", secret, `{"localpart":"alice","device_id":"A"}`},
	{"POST", "sync_devices", secret, `{"localpart":"alice","devices":["A"]}`},
	{"POST", "update_device_display_name", secret, `{"localpart":"alice","device_id":"A","display_name":"x"}`},
	{"POST", "delete_user", secret, `{"localpart":"alice","erase":false}`},
	{"POST", "reactivate_user", secret, `{"localpart":"alice"}`},
	{"POST", "allow_cross_signing_reset", secret, `{"localpart":"alice"}`},
	{"POST", "provision_user", secret, `{"localpart":"alice"}`},
	{"POST", "provision_user", secret, `{"localpart":"alice","locked":false,"unknown":1}`},
	{"POST", "provision_user", secret, `{"localpart":"alice","locked":"no"}`},
	{"POST", "provision_user", secret, `{"localpart":"alice","locked":0}`},
	{"POST", "provision_user", secret, `{"localpart":"alice","locked":null}`},
	{"POST", "provision_user", secret, `{"localpart":"alice","locked":true}`},
	{"POST", "provision_user", secret, `{"localpart":"alice","locked":false}`},
	{"POST", "provision_user", secret, `{"localpart":"alice","set_displayname":"A","unset_displayname":true}`},
	{"POST", "provision_user", secret, `{"localpart":7}`},
	{"POST", "provision_user", secret, `{}`},
	{"POST", "provision_user", secret, `{"localpart":"Not A Name"}`},
	{"POST", "provision_user", secret, `{"localpart":"_bridge"}`},
	{"POST", "provision_user", secret, `{"localpart":"123"}`},
	{"POST", "provision_user", secret, `{"localpart":""}`},
	{"POST", "provision_user", secret, `[]`},
	{"POST", "provision_user", secret, `{`},
	{"POST", "provision_user", secret, ``},
	{"POST", "provision_user", "another", `{"localpart":"alice"}`},
	{"POST", "provision_user", "", `{"localpart":"alice"}`},
	{"GET", "query_user?localpart=alice", "another", ""},
	{"GET", "query_user?localpart=alice", secret, ""},
	{"GET", "query_user", secret, ""},
	{"GET", "is_localpart_available", secret, ""},
	{"GET", "is_localpart_available?localpart=alice", secret, ""},
	{"GET", "is_localpart_available?localpart=Alice", secret, ""},
	{"GET", "is_localpart_available?localpart=_alice", secret, ""},
	{"GET", "is_localpart_available?localpart=1234", secret, ""},
	{"GET", "is_localpart_available?localpart=", secret, ""},
	{"GET", "is_localpart_available?localpart=" + strings.Repeat("a", 250), secret, ""},
	{"GET", "is_localpart_available?localpart=bob", secret, ""},
	{"POST", "upsert_device", secret, `{"localpart":"alice","device_id":"A"}`},
	{"POST", "upsert_device", secret, `{"localpart":"alice","device_id":"A","display_name":null}`},
	{"POST", "upsert_device", secret, `{"localpart":"alice","device_id":"A","display_name":"` + strings.Repeat("ü", 100) + `"}`},
	{"POST", "upsert_device", secret, `{"localpart":"alice","device_id":"A","display_name":"` + strings.Repeat("ü", 101) + `"}`},
	{"POST", "upsert_device", secret, `{"localpart":"alice","device_id":"B","display_name":"` + strings.Repeat("ü", 101) + `"}`},
	{"POST", "upsert_device", secret, `{"localpart":"alice","device_id":"B","display_name":""}`},
	{"POST", "upsert_device", secret, `{"localpart":"alice","device_id":5}`},
	{"POST", "upsert_device", secret, `{"localpart":"alice"}`},
	{"POST", "upsert_device", secret, `{"device_id":"A"}`},
	{"POST", "upsert_device", secret, `{"localpart":1,"device_id":2}`},
	{"POST", "update_device_display_name", secret, `{"localpart":"alice","device_id":"A","display_name":"new"}`},
	{"POST", "update_device_display_name", secret, `{"localpart":"alice","device_id":"A","display_name":""}`},
	{"POST", "update_device_display_name", secret, `{"localpart":"alice","device_id":"A"}`},
	{"POST", "update_device_display_name", secret, `{"localpart":"alice","device_id":"A","display_name":null}`},
	{"POST", "update_device_display_name", secret, `{"localpart":"alice","device_id":"none","display_name":"x"}`},
	{"POST", "update_device_display_name", secret, `{"localpart":"alice","device_id":"A","display_name":"` + strings.Repeat("x", 101) + `"}`},
	{"POST", "sync_devices", secret, `{"localpart":"alice","devices":["B","C"]}`},
	{"POST", "sync_devices", secret, `{"localpart":"alice","devices":null}`},
	{"POST", "sync_devices", secret, `{"localpart":"alice","devices":[1]}`},
	{"POST", "delete_device", secret, `{"localpart":"alice","device_id":"A"}`},
	{"POST", "delete_device", secret, `{"localpart":"alice","device_id":"B"}`},
	{"POST", "delete_device", secret, `{"localpart":"alice","device_id":"B"}`},
	{"POST", "delete_device", secret, `{"localpart":"alice"}`},
	{"POST", "allow_cross_signing_reset", secret, `{"localpart":"alice"}`},
	{"POST", "delete_user", secret, `{"localpart":"alice"}`},
	{"POST", "delete_user", secret, `{"localpart":"alice","erase":"no"}`},
	{"POST", "delete_user", secret, `{"localpart":"alice","erase":false}`},
	{"POST", "delete_user", secret, `{"localpart":"alice","erase":false}`},
	{"GET", "query_user?localpart=alice", secret, ""},
	{"GET", "is_localpart_available?localpart=alice", secret, ""},
	{"POST", "provision_user", secret, `{"localpart":"alice","locked":false}`},
	{"GET", "query_user?localpart=alice", secret, ""},
	{"POST", "upsert_device", secret, `{"localpart":"alice","device_id":"D"}`},
	{"POST", "reactivate_user", secret, `{"localpart":"alice"}`},
	{"GET", "query_user?localpart=alice", secret, ""},
	{"POST", "reactivate_user", secret, `{"localpart":"alice"}`},
	{"GET", "query_user?localpart=alice", secret, ""},
	{"POST", "upsert_device", secret, `{"localpart":"alice","device_id":"D"}`},
	{"GET", "query_user?localpart=%C3%9Cn%C3%AF", secret, ""},
	{"GET", "is_localpart_available?localpart=%C3%9Cn%C3%AF", secret, ""},
	{"POST", "update_device_display_name", secret, `{"localpart":"Ünï","device_id":"","display_name":""}`},
	{"POST", "update_device_display_name", secret, `{"localpart":"bridged","device_id":"","display_name":""}`},
	{"POST", "provision_user", secret, `{"localpart":"Ünï"}`},
	{"POST", "no_such_call", secret, `{"localpart":"alice"}`},
	{"GET", "upsert_device", secret, ""},
	{"POST", "query_user", secret, `{}`},
}

// TestTheFakeIsStrict: every call is answered as Synapse itself answers it.
func TestTheFakeIsStrict(t *testing.T) {
	t.Parallel()
	hs := synapse.Prepare(t, synapse.Options{Extra: "background_updates: {sleep_duration_ms: 600000}\n"})
	hs.Delegate(t, "http://127.0.0.1:1/", secret)
	hs.Run(t)
	fake := New(t, secret)
	for i, c := range script {
		want, got := ask(t, hs.URL, c.method, c.path, c.secret, c.body),
			ask(t, fake.URL, c.method, c.path, c.secret, c.body)
		if got != want {
			t.Errorf("call %d, %s %s %s:\n%s from Synapse, and the fake answers\n%s", i, c.method, c.path, c.body, want,
				got)
		}
	}
}

// ask gives what counts of an answer: its status, its code, and of a success the fields that anybody reads.
func ask(t *testing.T, at, method, path, secret, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, at+"/_synapse/mas/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	_ = json.Unmarshal(text, &answer)
	why := answer["error"] // which tells a device that is not there from such a user
	if answer["errcode"] != "M_NOT_FOUND" {
		why = nil
	}
	return fmt.Sprint(response.StatusCode, " ", answer["errcode"], " ", why, " ", answer["user_id"], " ",
		answer["is_deactivated"])
}
