package delegation

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPointless: what Synapse did and nobody does afterwards is not passed over in silence.
func TestPointless(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"registration_requires_token: true":                                "registration_requires_token",
		"registration_requires_token: false":                               "",
		"ui_auth: {session_timeout: 15s}":                                  "ui_auth.session_timeout",
		"ui_auth: {session_timeout: 0}":                                    "",
		"ui_auth: {}":                                                      "",
		"password_config: {policy: {enabled: true, minimum_length: 12}}":   "password_config.policy",
		"password_config: {policy: {enabled: false, minimum_length: 12}}":  "",
		"email: {smtp_host: mail.a.org, notif_from: x}":                    "email",
		"account_threepid_delegates: {msisdn: http://localhost:8090}":      "account_threepid_delegates",
		"email:\npassword_config:\nui_auth:\naccount_threepid_delegates: ": "",
	} {
		var got []string
		for _, f := range read(t, "server_name: a.org\n"+text+"\n").Findings() {
			if name, pointless := strings.CutSuffix(f.What, " means nothing once Postern has the accounts"); pointless {
				got = append(got, name)
				if f.Line != 2 || f.Fix == "" || f.Level != Warning {
					t.Errorf("%q: %+v", text, f)
				}
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestHandled: of what setup has done itself nobody is warned: its copies, its secrets in a folder that Synapse reads,
// and a pepper that Postern has.
func TestHandled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "homeserver.yaml")
	if err := os.WriteFile(path, []byte("server_name: a.org\npassword_config: {pepper: hush}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pepper := func(c *Config) bool {
		return slices.ContainsFunc(c.Findings(), func(f Finding) bool { return strings.Contains(f.What, "pepper") })
	}
	c := readAll(t, dir)
	if !pepper(c) {
		t.Error("before setup nobody is told of the pepper")
	}
	plan, err := c.Setup(Options{Endpoint: options.Endpoint, Now: options.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Apply(); err != nil {
		t.Fatal(err)
	}
	if c = readAll(t, dir); pepper(c) || len(c.Ignored) > 0 {
		t.Errorf("after setup: %+v, ignored %v", c.Findings(), c.Ignored)
	}
	if err := os.WriteFile(filepath.Join(dir, pepperName), []byte("other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !pepper(readAll(t, dir)) {
		t.Error("nobody is told that Postern has another pepper")
	}
	if err := os.WriteFile(filepath.Join(dir, "mine.yml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c = readAll(t, dir); len(c.Ignored) != 1 {
		t.Errorf("ignored: %v", c.Ignored)
	}
}

func readAll(t *testing.T, path string) *Config {
	t.Helper()
	c, err := Read([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
