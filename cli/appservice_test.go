package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAppserviceProblems: what is wrong with registration files is told with everything else that is, by file and line,
// and without a token.
func TestAppserviceProblems(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	const text = "id: irc\nurl: null\nas_token: hush\nhs_token: hush too\nsender_localpart: irc\nnamespaces: {users: [{exclusive: true, regex: '@_irc_.*'}]}\n"
	for name, text := range map[string]string{
		good: text, bad: strings.NewReplacer("@_irc_.*", "@(?!bob)", "url: null\n", "").Replace(text),
		filepath.Join(dir, "secret"): "the secret of both",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := i.command("", "serve", "--homeserver", "http://127.0.0.1:1", "--homeserver-secret-file",
		filepath.Join(dir, "secret"), "--listen", "nowhere",
		"--appservice", good, "--appservice", bad, "--appservice", filepath.Join(dir, "none.yaml"))
	if err == nil {
		t.Fatal("it serves")
	}
	for _, want := range []string{"--listen", bad + ": url is missing", bad + `:5: the regex "@(?!bob)"`, "none.yaml"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("a token is told: %v", err)
	}
	i.refused("need --homeserver", "serve", "--appservice", good)
}
