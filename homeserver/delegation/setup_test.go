package delegation

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var options = Options{Endpoint: "http://127.0.0.1:8009/", SecretPath: "/etc/matrix-synapse/postern.secret",
	Now: time.Date(2026, 11, 28, 1, 2, 3, 0, time.UTC)}

// read writes files and reads them; the last ones stand in a folder.
func read(t *testing.T, texts ...string) *Config {
	t.Helper()
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "homeserver.yaml")}
	if len(texts) > 1 {
		paths = append(paths, filepath.Join(dir, "conf.d"))
		if err := os.Mkdir(paths[1], 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i, text := range texts {
		path := paths[0]
		if i > 0 {
			path = filepath.Join(paths[1], fmt.Sprintf("%d.yaml", i))
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Read(paths)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// after reads the files again, with changes made.
func (c *Config) after(t *testing.T, all []Change) *Config {
	t.Helper()
	next := &Config{}
	for _, f := range c.files {
		text := f.text
		for _, change := range all {
			if change.Path == f.path {
				text = change.After
			}
		}
		if err := next.add(f.path, text); err != nil {
			t.Fatal(err)
		}
	}
	next.merge()
	return next
}

const listener = `
listeners:
  # The proxy comes here.
  - port: 8008
    type: http
    bind_addresses: ['::1', '127.0.0.1']
    x_forwarded: true
    resources: [{names: [client, federation]}]
`

// writings are configurations in the many ways in which people write them. Each clashes, and setup leaves none that
// does.
var writings = map[string][]string{
	"nothing but the name":  {"server_name: a.org\n"},
	"comments and order":    {"# first\nserver_name: a.org # mine\n\npassword_config:\n  # why\n  enabled: true # yes\n  pepper: \"x\"\n\n# last\n" + listener},
	"no newline at the end": {"server_name: a.org\nenable_registration: true"},
	"an end":                {"---\nserver_name: a.org\nsession_lifetime: 24h\n# mine\n...\n# nothing counts here\n"},
	"an end without a line": {"server_name: a.org\nenable_registration: true\n..."},
	"an end in DOS":         {"server_name: a.org\r\nsession_lifetime: 24h\r\n... # end\r\n"},
	"the last line goes":    {"server_name: a.org\nsession_lifetime: 24h"},
	"carriage returns":      {"server_name: a.org\r\nenable_registration: true\r\nsession_lifetime: 24h\r\npassword_config:\r\n   enabled: on\r\n"},
	"flow style":            {"server_name: a.org\npassword_config: {pepper: x, enabled: true}\nlisteners: [{port: 8008, type: http, resources: [{names: [client]}]}]\n"},
	"flow over lines":       {"server_name: a.org\npassword_config: {\n  enabled: true,\n  pepper: x}\n"},
	"quotes and umlauts":    {"server_name: a.org\n\"password_config\": {'größe': 'ä''ö', \"enabled\": \"yes\"}\n"},
	"a string is true":      {"server_name: a.org\npassword_config:\n  enabled: 'false'\n"},
	"only for reauth":       {"server_name: a.org\npassword_config:\n  enabled: only_for_reauth\n"},
	"a tag":                 {"server_name: a.org\nenable_registration: !!bool true\n"},
	"a list at the margin":  {"server_name: a.org\noidc_providers:\n- idp_id: a\n  scopes: [openid]\n# next\n- idp_id: b\n\n# of what follows\nreport_stats: false\n"},
	"a block scalar":        {"server_name: a.org\nuser_consent:\n  version: 1\n  server_notice_content:\n    body: |\n      # not a comment\n\n      text\nreport_stats: no\n"},
	"msc3861 among others":  {"server_name: a.org\nexperimental_features:\n  msc3861:\n    enabled: true\n    issuer: x\n  msc3266_enabled: true\n"},
	"msc3861 last of them":  {"server_name: a.org\nexperimental_features:\n  msc3266_enabled: true\n  msc3861:\n    enabled: true\n\n# on\nreport_stats: false\n"},
	"msc3861 alone":         {"server_name: a.org\nexperimental_features:\n  msc3861: {enabled: true}\n"},
	"an alias as a value":   {"server_name: a.org\nreport_stats: &no true\nenable_registration: *no\n"},
	"bound to everything":   {"server_name: a.org\nlisteners:\n- type: http\n  port: 8008\n  bind_addresses:\n    - '::'\n    - 0.0.0.0\n  resources:\n  - names: [client]\n"},
	"bound by default":      {"server_name: a.org\nlisteners:\n- port: 8008 # here\n  type: http\n  resources:\n  - names: [client]\n"},
	"bind_address":          {"server_name: a.org\nlisteners:\n- port: 8008\n  bind_address: ''\n  type: http\n  x_forwarded: false\n  resources:\n  - names: [client]\n"},
	"several files": {"server_name: a.org\nenable_registration: true\nsession_lifetime: 24h\n",
		"session_lifetime: 23h\n", "password_config: {enabled: yes}\nmatrix_authentication_service: {enabled: false}\n"},
	"one brings another into force": {"server_name: a.org\ndisable_registration: false\nenable_registration: true\n"},
	"a block of an earlier file": {"server_name: a.org\ndisable_registration: false\nenable_registration: 'on'\n",
		"disable_registration: true\n", "disable_registration: no\n"},
	"an anchor inside":       {"server_name: a.org\nsaml2_config:\n  enabled: &on true\n  sp_config: {a: 1}\npassword_config:\n  enabled: &off true\n  pepper: x\n"},
	"carriage returns, open": {"server_name: a.org\r\nsession_lifetime: 24h"},
	"delegated half":         {"server_name: a.org\nmatrix_authentication_service:\n  enabled: true\n  endpoint: http://127.0.0.1:8009/\n  secret_path: /elsewhere\n"},
	"all at once":            {"server_name: a.org\n" + clashes + listener},
}

const clashes = `password_config: {enabled: true}
disable_registration: false
user_consent: {version: 1}
oidc_providers: [{idp_id: a}]
oidc_config: {enabled: true}
saml2_config: {sp_config: {a: 1}}
cas_config: {server_url: x}
jwt_config: {enabled: true}
password_providers: [{module: x}]
ldap_config: {enabled: true}
enable_registration_captcha: true
login_via_existing_session: {enabled: true}
refresh_token_lifetime: 1d
nonrefreshable_access_token_lifetime: 1d
session_lifetime: 2d
enable_3pid_changes: true
experimental_features: {msc3861: {x: 1}}
`

// TestSetupAndBack: setup leaves nothing that clashes, a second time it changes nothing, and restore gives every byte
// back.
func TestSetupAndBack(t *testing.T) {
	t.Parallel()
	for name, texts := range writings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := read(t, texts...)
			all, err := c.setupChanges(options)
			if err != nil {
				t.Fatal(err)
			}
			moved := c.after(t, all)
			for _, f := range moved.Findings() {
				if f.Level == Problem {
					t.Errorf("after setup: %+v", f)
				}
			}
			if d := moved.Delegation(); !d.Enabled || d.Endpoint != options.Endpoint ||
				d.SecretPath != options.SecretPath || !moved.Since().Equal(options.Now) {
				t.Errorf("%+v since %v", d, moved.Since())
			}
			if l := moved.Upstream(); l != nil && (!l.Loopback() || !l.XForwarded) {
				t.Errorf("listener %+v", l)
			}
			if again, err := moved.setupChanges(options); err != nil || len(again) > 0 {
				t.Errorf("again: %v %v", again, err)
			}
			back, err := moved.Restore()
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range moved.after(t, back).files {
				if string(f.text) != texts[i] {
					t.Errorf("restored:\n%q\nnot\n%q\nby way of\n%s", f.text, texts[i], moved.files[i].text)
				}
			}
		})
	}
}

// TestRestoreKeepsWhatCameSince: another hand's changes stay.
func TestRestoreKeepsWhatCameSince(t *testing.T) {
	t.Parallel()
	c := read(t, "server_name: a.org\nenable_registration: true\n"+listener)
	all, err := c.setupChanges(options)
	if err != nil {
		t.Fatal(err)
	}
	moved := c.after(t, all)
	again, err := moved.setupChanges(Options{Endpoint: options.Endpoint, SecretPath: options.SecretPath, Port: 8018,
		Now: options.Now})
	if err != nil {
		t.Fatal(err)
	}
	moved = moved.after(t, again)
	if moved.Upstream().Port != 8018 {
		t.Errorf("%+v", moved.Upstream())
	}
	again, err = moved.setupChanges(Options{Endpoint: options.Endpoint, SecretPath: options.SecretPath, Port: 8019,
		Now: options.Now})
	if err != nil {
		t.Fatal(err)
	}
	moved = moved.after(t, again)
	text := strings.Replace(string(moved.files[0].text), "server_name: a.org",
		"server_name: a.org\nforget_rooms_on_leave: true", 1) + "max_upload_size: 2G\n"
	moved = read(t, text)
	back, err := moved.Restore()
	if err != nil {
		t.Fatal(err)
	}
	want := "server_name: a.org\nforget_rooms_on_leave: true\nenable_registration: true\n" + listener +
		"max_upload_size: 2G\n"
	if len(back) != 1 || string(back[0].After) != want {
		t.Errorf("%s", back)
	}
}

// TestRestoreAfterAppending: the configuration that Synapse generates has no ending behind its last line, and `echo …
// >>` goes on there.
func TestRestoreAfterAppending(t *testing.T) {
	t.Parallel()
	c := read(t, "server_name: a.org\nreport_stats: false")
	all, err := c.setupChanges(options)
	if err != nil {
		t.Fatal(err)
	}
	moved := read(t, string(all[0].After)+"max_upload_size: 2G\n")
	back, err := moved.Restore()
	if want := "server_name: a.org\nreport_stats: false\nmax_upload_size: 2G\n"; err != nil || len(back) != 1 ||
		string(back[0].After) != want {
		t.Errorf("%v %s", err, back)
	}
}

// TestRefused: what cannot be written safely is left alone, and told with its place.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, words string }{
		{"server_name: a.org\npassword_config: &p {enabled: true}\nui_auth: *p\nenable_registration: true\nuser_consent: &u {version: 1}\nx: *u\n", "cannot be changed safely"},
		{"server_name: a.org\nsession_lifetime: 23h\nsession_lifetime: 24h\n", "cannot be changed safely"},
		{"{server_name: a.org, session_lifetime: 24h}\n", "does not stand on lines of its own"},
		{"server_name: a.org\nlisteners:\n- &l {port: 8008, type: http, resources: [{names: [client]}]}\n- *l\n", "cannot be changed safely"},
		{"server_name: a.org\nx: &l {port: 8008, type: http}\nlisteners:\n- <<: *l\n  resources: [{names: [client]}]\n", "comes from a merge"},
		{"server_name: a.org\nmatrix_authentication_service: {enabled: true, endpoint: 'http://mas/', secret: x}\n", "Synapse leaves its accounts to http://mas/ already"},
	} {
		c := read(t, test.text)
		all, err := c.setupChanges(options)
		if err == nil || !strings.Contains(err.Error(), test.words) ||
			!strings.Contains(err.Error(), "homeserver.yaml") {
			t.Errorf("%q: %v, %s", test.text, err, all)
		}
	}
}

// TestDelegatedByHand: what a person wrote for this very Postern stays, and restore leaves it to that person.
func TestDelegatedByHand(t *testing.T) {
	t.Parallel()
	const theirs = "matrix_authentication_service: {enabled: true, endpoint: 'http://127.0.0.1:8009', secret: x}\n"
	c := read(t, "server_name: a.org\nsession_lifetime: 1h\n"+theirs)
	all, err := c.setupChanges(options)
	if err != nil || len(all) != 1 || !strings.HasSuffix(string(all[0].After), "\n"+theirs) {
		t.Fatalf("%v %s", err, all)
	}
	if all, err := c.after(t, all).Restore(); err == nil ||
		!strings.Contains(err.Error(), "homeserver.yaml:3: matrix_authentication_service stays on") {
		t.Errorf("%v %s", err, all)
	}
}

// TestMergeAtTheTop: settings that come from elsewhere in the file would be missed.
func TestMergeAtTheTop(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "homeserver.yaml")
	if err := os.WriteFile(path, []byte("a: &a {session_lifetime: 24h}\nserver_name: a.org\n<<: *a\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read([]string{path}); err == nil ||
		!strings.Contains(err.Error(), "homeserver.yaml:3: there is a merge") {
		t.Error(err)
	}
}

// TestFindings: each setting that clashes is named with its line, and what does not clash is not.
func TestFindings(t *testing.T) {
	t.Parallel()
	c := read(t, "server_name: a.org\n"+clashes)
	found := make(map[int]Finding)
	for _, f := range c.Findings() {
		found[f.Line] = f
	}
	for i, line := range strings.Split(strings.TrimSpace(clashes), "\n") {
		key, _, _ := strings.Cut(line, ":")
		if f := found[i+2]; f.Level != Problem || !strings.HasPrefix(f.What, key) || f.Fix == "" {
			t.Errorf("%s: %+v", line, f)
		}
	}
	forced := read(t, "server_name: a.org\nmatrix_authentication_service: {enabled: true, endpoint: 'http://127.0.0.1:8009/', secret: x, force_http2: true}\n")
	if all := forced.Findings(); len(all) != 1 || all[0].Level != Problem || all[0].Line != 2 ||
		!strings.Contains(all[0].What, "force_http2") {
		t.Errorf("%+v", all)
	}
	pruning := read(t, "server_name: a.org\ndelete_stale_devices_after: 1y\n")
	if all := pruning.Findings(); len(all) != 1 || all[0].Level != Warning || all[0].Line != 2 ||
		!strings.Contains(all[0].What, "deletes devices") {
		t.Errorf("%+v", all)
	}
	quiet := read(t, `server_name: a.org
delete_stale_devices_after: 0
password_config: {}
disable_registration: yes
enable_registration: true
user_consent:
oidc_providers: []
oidc_config: {enabled: no}
saml2_config: {enabled: true}
cas_config: {enabled: off, server_url: x}
jwt_config: {secret: x}
refresh_token_lifetime: 0
session_lifetime:
enable_3pid_changes: false
experimental_features: {msc3861: {}}
refreshable_access_token_lifetime: 5m
`)
	if all := quiet.Findings(); len(all) > 0 {
		t.Errorf("%+v", all)
	}
}

// TestDiffHidesSecrets: a diff is pasted into chats.
func TestDiffHidesSecrets(t *testing.T) {
	t.Parallel()
	before := "macaroon_secret_key: hush1\nregistration_shared_secret: \"hush2\"\nsession_lifetime: 24h\n" +
		"jwt_config: {enabled: true, secret: hush3}\npassword_config:\n  pepper: 'hush4'\n  enabled: true\nclient_secret: hush5 # hush\n" +
		"oidc_providers:\n  - client_secret: hush6\n    client_secret_path: /seen\nldap_config:\n  bind_password: hush7\n"
	diff := Change{Path: "x", Before: []byte(before), After: nil}.Diff()
	if strings.Contains(diff, "hush") {
		t.Error(diff)
	}
	for _, seen := range []string{"session_lifetime: 24h", "/seen", "enabled: true"} {
		if !strings.Contains(diff, seen) {
			t.Errorf("no %s in\n%s", seen, diff)
		}
	}
}
