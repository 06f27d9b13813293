package doctor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"postern/db"
)

// TestReleases: which releases can leave their accounts to another server, as each writes its version.
func TestReleases(t *testing.T) {
	t.Parallel()
	for text, old := range map[string]bool{"1.135.0": true, "1.99": true, "0.99.3.2": true, "1.135.2 (b=main,c1)": true,
		"1.136.0": false, "1.136.0rc1": false, "1.163.2": false, "2.0.0": false, "nightly": false, "": false} {
		if r := release(text); r.TooOld() != old {
			t.Errorf("%q is %q, too old: %t", text, r, r.TooOld())
		}
	}
}

// TestReleaseOf: the Synapse that runs is asked, also at a listener without federation, and else its package is looked
// for.
func TestReleaseOf(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, name := range []string{"env/lib/python3.11/site-packages/matrix_synapse-1.120.0.dist-info",
		"env/lib/python3.11/site-packages/matrix_synapse_ldap3-0.3.0.dist-info"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if r := installedBeside(folder); r != "1.120.0" {
		t.Errorf("beside the configuration: %q", r)
	}
	if r := installedBeside(filepath.Join(folder, "etc")); r != "1.120.0" {
		t.Errorf("in the folder above: %q", r)
	}
	if err := os.MkdirAll(filepath.Join(folder, "other/lib/python3.9/site-packages/matrix_synapse-1.98.0.dist-info"),
		0o700); err != nil {
		t.Fatal(err)
	}
	if r := installedBeside(folder); r != "" {
		t.Errorf("of two: %q", r)
	}
	for _, test := range []struct{ header, body, want string }{
		{"Synapse/1.137.0", `{"server": {"name": "Synapse", "version": "1.136.0 (b=x)"}}`, "1.136.0"},
		{"Synapse/1.137.0", `{"errcode": "M_UNRECOGNIZED"}`, "1.137.0"},
		{"nginx", `{"server": {"name": "Dendrite", "version": "0.13.8"}}`, ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Server", test.header)
			fmt.Fprint(w, test.body)
		}))
		x := examined(t, "server_name: a.org\n")
		if r := ReleaseOf(t.Context(), x.Synapse, server.URL); r != Release(test.want) {
			t.Errorf("%+v: %q", test, r)
		}
		server.Close()
	}
}

// TestCameBack: what each answer of Synapse's to a good token means.
func TestCameBack(t *testing.T) {
	t.Parallel()
	s := db.Session{Localpart: "alice", DeviceID: "PHONE"}
	const shown = "problem a good token of @alice:a.org, device PHONE, shown to Synapse, came back with "
	for body, test := range map[string]struct {
		status int
		want   string
	}{
		`{"user_id": "@alice:a.org", "device_id": "PHONE"}`: {200, "ok a real token went through both sides: Synapse knows it for @alice:a.org, device PHONE"},
		`{"user_id": "@bob:a.org", "device_id": "PHONE"}`:   {200, shown + "another user or device: @bob:a.org PHONE"},
		`{"errcode": "M_UNKNOWN_TOKEN"}`:                    {401, shown + "401 M_UNKNOWN_TOKEN"},
		`{"errcode": "M_UNKNOWN"}`:                          {503, shown + "503: Synapse cannot use Postern's answers"},
		`{"errcode": "M_UNKNOWN_ERROR"}`:                    {500, shown + "500 M_UNKNOWN_ERROR"},
		``:                                                  {0, shown + "0 -"},
	} {
		x := examined(t, "server_name: a.org\n")
		var code string
		_, _ = fmt.Sscanf(body, `{"errcode": %q}`, &code)
		if x.cameBack(s, answer{status: test.status, body: []byte(body), code: code}); x.found() != test.want+"\n" {
			t.Errorf("%s: %s", body, x.found())
		}
	}
}
