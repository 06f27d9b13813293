package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRegistrationSecret: what is wrong with the secret by which accounts are made is said together with the rest, and
// the secret is not.
func TestRegistrationSecret(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	short, good := file("short", "  hush, hush  \n"), file("good", "hush, this is a long one\n")
	before := []string{"serve", "--homeserver", "http://127.0.0.1:1", "--homeserver-secret-file", good,
		"--listen", "nowhere"}
	for _, try := range []struct {
		want  string
		flags []string
	}{
		{"fewer than 16 bytes", []string{"--expose-admin", "--registration-shared-secret-file", short}},
		{"no such file", []string{"--expose-admin", "--registration-shared-secret-file", filepath.Join(dir, "none")}},
		{"add --expose-admin", []string{"--registration-shared-secret-file", good}},
	} {
		_, err := i.command("", append(before, try.flags...)...)
		if err == nil || !strings.Contains(err.Error(), try.want) || !strings.Contains(err.Error(), "--listen") ||
			strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v, want %q", try.flags, err, try.want)
		}
	}
	i.refused("need --homeserver", "serve", "--registration-shared-secret-file", good)
}
