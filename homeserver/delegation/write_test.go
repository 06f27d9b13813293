package delegation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWriteKeepsWhatThereIs: links, modes, older copies, and a file that somebody else wrote to meanwhile.
func TestWriteKeepsWhatThereIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "homeserver.yaml")
	put(t, real, "server_name: a.org\nmacaroon_secret_key: hush\n", 0o644)
	if err := os.Symlink("real.yaml", link); err != nil {
		t.Fatal(err)
	}
	put(t, real+kept, "older\n", 0o600)
	put(t, real+".postern-new", "of a run that was killed", 0o600)
	c, err := Read([]string{link})
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.setupChanges(options)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	for range 2 { // the second time the copy is there
		if name, err := all[0].Keep(); err != nil || name != real+kept+"-2" {
			t.Errorf("kept as %s: %v", name, err)
		}
	}
	if err := all[0].Write(); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{real: 0o644, real + kept + "-2": 0o640, real + kept: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v %v", info.Mode(), err)
	}
	if text, err := os.ReadFile(real + kept); err != nil || string(text) != "older\n" {
		t.Errorf("the older copy is %q %v", text, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 4 {
		t.Errorf("%v %v", entries, err)
	}
	if err := all[0].Write(); err == nil || !strings.Contains(err.Error(), "was changed meanwhile") {
		t.Errorf("written over another's change: %v", err)
	}
}

// TestSecretIsForFew: nobody but the owner, and the group if it reads the configuration where strangers do not, reads a
// secret; and one that is there stays.
func TestSecretIsForFew(t *testing.T) {
	t.Parallel()
	for mode, want := range map[os.FileMode]os.FileMode{0o644: 0o600, 0o600: 0o600, 0o660: 0o640, 0o640: 0o640,
		0o400: 0o600} {
		dir := t.TempDir()
		config, secret := filepath.Join(dir, "homeserver.yaml"), filepath.Join(dir, "secret")
		put(t, config, "a: b\n", mode)
		if made, err := makeSecret(secret, []byte("one"), config); !made || err != nil {
			t.Fatal(made, err)
		}
		if made, err := makeSecret(secret, []byte("two"), config); made || err != nil {
			t.Error(made, err)
		}
		info, err := os.Stat(secret)
		text, _ := os.ReadFile(secret)
		if err != nil || info.Mode() != want || string(text) != "one" {
			t.Errorf("beside %v it is %v %q: %v", mode, info.Mode(), text, err)
		}
	}
}

// TestPrivate: in Debian everybody may read the configuration, which is root's, and Synapse's own is the key.
func TestPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, key, database := filepath.Join(dir, "homeserver.yaml"), filepath.Join(dir, "signing.key"),
		filepath.Join(dir, "homeserver.db")
	put(t, config, "signing_key_path: "+key+"\ndatabase: {name: sqlite3, args: {database: "+database+"}}\n", 0o644)
	c, err := Read([]string{config})
	if err != nil {
		t.Fatal(err)
	}
	is := func(want string) {
		t.Helper()
		if got := c.ownerFile(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	is(config)
	put(t, database, "", 0o644)
	is(database)
	put(t, key, "", 0o600)
	is(key)
	put(t, key, "", 0o644)
	is(database)
	put(t, config, "", 0o640)
	is(config)
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
