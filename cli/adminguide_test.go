package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/test/rig/console"
)

// TestAdminGuide types every command of docs/admin-api.md.
func TestAdminGuide(t *testing.T) {
	t.Parallel()
	const guide = "docs/admin-api.md"
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	i := newInstallation(t)
	s := i.serve("--server-name", "example.org", "--admin-api", "--public-url", "https://matrix.example.org")
	i.must("secret", "user", "add", "ops", "--password-stdin")
	folder, bin := t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(bin, "postern"))
	}
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "POSTERN_TEST_MAIN="+module(t),
		"POSTERN_DB="+i.db)
	steps, lasting := console.Read(t, guide), ""
	if len(steps) < 15 {
		t.Fatalf("only %d commands", len(steps))
	}
	for _, step := range steps {
		command := strings.ReplaceAll(step.Command, "https://matrix.example.org", s.url)
		if step.Stays() {
			lasting += command + "\n"
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, "bash", "-c", lasting+command)
		cmd.Dir, cmd.Env = folder, env
		out, _ := cmd.CombinedOutput() // what it prints tells whether it has failed
		cancel()
		printed := string(out)
		if printed != "" && !strings.HasSuffix(printed, "\n") {
			printed += "\n" // as the next prompt begins a line
		}
		if !step.Fits(printed) {
			t.Fatalf("%s:%d: $ %s\nshould print\n%s\nand printed\n%s", guide, step.Line, step.Command, step.Want,
				printed)
		}
	}
	secrets, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(secrets) != 4 {
		t.Fatalf("the commands wrote %q, %v", secrets, err)
	}
	for _, secret := range secrets {
		if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is open to others: %v, %v", secret, info.Mode(), err)
		}
	}
}
