package delegation_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/homeserver/delegation"
	"postern/test/rig/synapse"
)

// refusals are the settings of the table, as the real Synapse is given them. needs is a Python package that is not
// installed with it: then it refuses the setting without delegation too, for another reason, and what is seen is that
// setup makes it start.
var refusals = []struct{ setting, yaml, says, needs string }{
	{"password_config.enabled", "password_config:\n  enabled: only_for_reauth\n", "Password auth cannot be enabled", ""},
	{"enable_registration", "enable_registration: 'on'\nenable_registration_without_verification: true\n", "Registration cannot be enabled", ""},
	{"disable_registration", "disable_registration: no\nenable_registration_without_verification: true\n", "Registration cannot be enabled", ""},
	{"user_consent", "user_consent:\n  version: 1\n  template_dir: /\n", "User consent cannot be enabled", ""},
	{"oidc_providers", "oidc_providers:\n- {idp_id: a, idp_name: A, issuer: 'https://a.test/', client_id: x, client_secret: y}\n", "SSO cannot be enabled", "authlib"},
	{"oidc_config.enabled", "oidc_config: {enabled: true, issuer: 'https://a.test/', client_id: x, client_secret: y}\n", "SSO cannot be enabled", "authlib"},
	{"saml2_config", "saml2_config: {sp_config: {metadata: {local: []}}}\n", "SSO cannot be enabled", "pysaml2"},
	{"cas_config", "cas_config:\n  server_url: https://cas.test\n", "SSO cannot be enabled", ""},
	{"jwt_config.enabled", "jwt_config: {enabled: yes, secret: x, algorithm: HS256}\n", "SSO cannot be enabled", "authlib"},
	{"password_providers", "password_providers: [{module: ldap_auth_provider.LdapAuthProvider, config: {}}]\n", "Password auth providers", "ldap_auth_provider"},
	{"ldap_config.enabled", "ldap_config: {enabled: true}\n", "Password auth providers", "ldap_auth_provider"},
	{"enable_registration_captcha", "enable_registration_captcha: true\n", "CAPTCHA cannot be enabled", ""},
	{"login_via_existing_session.enabled", "login_via_existing_session: {enabled: true}\n", "Login via existing session", ""},
	{"refresh_token_lifetime", "refresh_token_lifetime: 24h\n", "refresh_token_lifetime cannot be set", ""},
	{"nonrefreshable_access_token_lifetime", "nonrefreshable_access_token_lifetime: 24h\n", "nonrefreshable_access_token_lifetime cannot be set", ""},
	{"session_lifetime", "session_lifetime: 24h\n", "session_lifetime cannot be set", ""},
	{"enable_3pid_changes", "enable_3pid_changes: true\n", "enable_3pid_changes cannot be enabled", ""},
	{"experimental_features.msc3861", "experimental_features:\n  msc3861: {enabled: true}\n", "msc3861 was removed", ""},
}

// TestRefusalsOfSynapse: what the real Synapse refuses, is found and mended. Each setting is refused with delegation,
// named by Findings, and gone after Setup; with all of them at once, Synapse starts after Setup, and after Restore it
// is as before.
func TestRefusalsOfSynapse(t *testing.T) {
	t.Parallel()
	all := ""
	for _, r := range refusals {
		all += r.yaml
	}
	for _, r := range refusals {
		t.Run(r.setting, func(t *testing.T) {
			t.Parallel()
			s := synapse.Prepare(t, synapse.Options{Extra: r.yaml})
			secret := secretIn(t, s.Dir)
			s.Append(t, "\nmatrix_authentication_service: {enabled: true, endpoint: 'http://127.0.0.1:1/', secret_path: '"+secret+"'}\n")
			c := readFiles(t, s.Config)
			if names := problems(c); len(names) != 1 || !strings.HasPrefix(names[0], r.setting+":") {
				t.Errorf("found %q", names)
			}
			said, err := s.Start(t)
			missing := r.needs != "" && (strings.Contains(said, "No module named '"+r.needs) ||
				strings.Contains(said, "'"+r.needs+"'"))
			if err == nil || !missing && !strings.Contains(said, r.says) {
				t.Errorf("Synapse starts, or says something else: %v\n%s", err, said)
			}
			write(t, planned(c.Setup(delegation.Options{Endpoint: "http://127.0.0.1:1/", SecretPath: secret,
				Now: time.Now()})))
			if names := problems(readFiles(t, s.Config)); len(names) > 0 {
				t.Errorf("after setup: %q", names)
			}
		})
	}
	s := synapse.Prepare(t, synapse.Options{Extra: strings.ReplaceAll(all,
		"disable_registration: no\nenable_registration_without_verification: true\n", "disable_registration: no\n")})
	before := text(t, s.Config)
	secret := secretIn(t, s.Dir)
	write(t, planned(readFiles(t, s.Config).Setup(delegation.Options{Endpoint: "http://127.0.0.1:1/",
		SecretPath: secret, Now: time.Now()})))
	if said, err := s.Start(t); err != nil {
		t.Fatalf("Synapse does not start after setup: %v\n%s\n%s", err, said, text(t, s.Config))
	}
	if status, answer := synapse.Try(t, "GET", s.URL+"/_synapse/mas/query_user?localpart=alice", "the-secret-of-both",
		nil); status != 404 || answer["errcode"] != "M_NOT_FOUND" {
		t.Errorf("%d %v", status, answer)
	}
	back := must(readFiles(t, s.Config).Restore())
	if len(back) != 1 || !back[0].AsCopied() {
		t.Errorf("not as the copy is: %s", back)
	}
	if write(t, back); text(t, s.Config) != before {
		t.Errorf("restored:\n%s", text(t, s.Config))
	}
}

// TestFilesOfSynapse: of several files Synapse believes the last one, and so do we.
func TestFilesOfSynapse(t *testing.T) {
	t.Parallel()
	s := synapse.Prepare(t, synapse.Options{Extra: "session_lifetime: 24h\n"})
	folder := filepath.Join(s.Dir, "conf.d")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"a.yaml": "session_lifetime: 23h\npassword_config: {enabled: true}\n",
		"b.yaml": "password_config: {enabled: false}\n", "c.yml": "session_lifetime: 24h\n",
		"d.yaml": "# nothing\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secret := secretIn(t, s.Dir)
	c := readFiles(t, s.Config, folder)
	if names := problems(c); len(names) != 1 || !strings.HasPrefix(names[0], "session_lifetime:") {
		t.Errorf("found %q", names)
	}
	write(t, planned(c.Setup(delegation.Options{Endpoint: "http://127.0.0.1:1/", SecretPath: secret, Now: time.Now()})))
	if said, err := s.Start(t, folder); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if b := text(t, filepath.Join(folder, "b.yaml")); b != "password_config: {enabled: false}\n" {
		t.Errorf("b.yaml was changed: %s", b)
	}
}

func readFiles(t *testing.T, paths ...string) *delegation.Config {
	t.Helper()
	c, err := delegation.Read(paths)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func problems(c *delegation.Config) (names []string) {
	for _, f := range c.Findings() {
		if f.Level == delegation.Problem {
			names = append(names, f.What)
		}
	}
	return names
}

func planned(plan *delegation.Plan, err error) []delegation.Change {
	if err != nil {
		panic(err)
	}
	return plan.Changes
}

func must(all []delegation.Change, err error) []delegation.Change {
	if err != nil {
		panic(err)
	}
	return all
}

func write(t *testing.T, all []delegation.Change) {
	t.Helper()
	for _, change := range all {
		if _, err := change.Keep(); err != nil {
			t.Fatal(err)
		}
		if err := change.Write(); err != nil {
			t.Fatal(err)
		}
	}
}

func secretIn(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "postern.secret")
	if err := os.WriteFile(path, []byte("the-secret-of-both\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
