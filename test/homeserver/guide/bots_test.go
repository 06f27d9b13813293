package guide

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/test/rig/console"
	"postern/test/rig/delegated"
	"postern/test/rig/process"
	"postern/test/rig/synapse"
)

const botsGuide = "../../../docs/bots.md"

// program is a program that a document shows, by the name in its first line.
var program = regexp.MustCompile("(?s)```python\n# (\\w+\\.py)\n.*?```")

// TestBots types every command of docs/bots.md before a real Synapse, and runs its programs: the door bell rings in the
// room and opens nothing else, the backup has what was said and changes nothing.
func TestBots(t *testing.T) {
	if os.Getenv("TEST_HOME") == "" {
		t.Skip("a real Synapse and matrix-nio: test/homeserver/guide/run")
	}
	const python = "/usr/bin/python3" // Debian's, which has python3-matrix-nio
	if err := exec.CommandContext(t.Context(), python, "-c", "import nio").Run(); err != nil {
		missing(t, "NO MATRIX-NIO: install it with apt-get install python3-matrix-nio")
	}
	hs := synapse.Prepare(t, synapse.Options{})
	p := delegated.New(t, hs.URL, synapse.ServerName, "alice")
	p.Start(t)
	hs.Delegate(t, p.Server.URL, delegated.Secret)
	hs.Run(t)
	alice := loggedIn(t, p.Server.URL)
	const v3 = "/_matrix/client/v3/"
	room, _ := synapse.Call(t, "POST", p.Server.URL+v3+"createRoom", alice, values{"name": "Home"})["room_id"].(string)

	folder, bin := t.TempDir(), t.TempDir()
	for name, target := range map[string]string{"postern": process.Binary(t), "python3": python} {
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	places := strings.NewReplacer("https://matrix.example.org", p.Server.URL, "!room:example.org", room,
		"@alice:example.org", "@alice:"+synapse.ServerName)
	back := strings.NewReplacer(p.Server.URL, "https://matrix.example.org", room, "!room:example.org")
	text, err := os.ReadFile(botsGuide)
	if err != nil {
		t.Fatal(err)
	}
	shown := program.FindAllStringSubmatch(string(text), -1)
	for _, found := range shown {
		code := strings.TrimSuffix(strings.TrimPrefix(found[0], "```python\n"), "```")
		write(t, filepath.Join(folder, found[1]), places.Replace(code), 0o600)
	}
	env := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "POSTERN_DB="+p.Database,
		"PYTHONDONTWRITEBYTECODE=1")
	steps, exports := console.Read(t, botsGuide), ""
	if len(steps) < 8 || len(shown) != 2 {
		t.Fatalf("%d commands and %d programs", len(steps), len(shown))
	}
	for _, s := range steps {
		if s.Stays() {
			exports += places.Replace(s.Command) + "\n"
		}
		printed := types(t, folder, env, exports+places.Replace(s.Command))
		if !s.Fits(back.Replace(printed)) {
			t.Fatalf("docs/bots.md:%d: $ %s\nshould print\n%s\nand printed\n%s", s.Line, s.Command, s.Want, printed)
		}
	}

	history := p.Server.URL + v3 + "rooms/" + url.PathEscape(room) + "/messages?dir=b&limit=100"
	said := bodies(synapse.Call(t, "GET", history, alice, nil))
	if want := "The parcel is here|Somebody is at the door"; strings.Join(said, "|") != want {
		t.Errorf("the room heard %q, want %q", said, want)
	}
	kept, err := os.ReadFile(filepath.Join(folder, "messages.json"))
	var page map[string]any
	if err != nil || json.Unmarshal(kept, &page) != nil || len(bodies(page)) != 2 {
		t.Errorf("messages.json: %s, %v", kept, err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "messages", "*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	lines, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(lines), "The parcel is here") ||
		!strings.Contains(string(lines), "m.room.create") {
		t.Errorf("the backup is %s, %v", lines, err)
	}
}

// loggedIn logs alice in.
func loggedIn(t *testing.T, base string) string {
	t.Helper()
	token, _ := synapse.Call(t, "POST", base+"/_matrix/client/v3/login", "", values{"type": "m.login.password",
		"identifier": values{"type": "m.id.user", "user": "alice"}, "password": delegated.Password})["access_token"].(string)
	return token
}

// types types a command and gives what it prints on both streams. It may fail: what it prints tells.
func types(t *testing.T, folder string, env []string, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Dir, cmd.Env = folder, env
	out, _ := cmd.CombinedOutput()
	if text := string(out); text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return string(out) + "\n" // as the next prompt begins a line
}

// bodies are the messages of a page of a room's history, the newest first.
func bodies(page map[string]any) (all []string) {
	events, _ := page["chunk"].([]any)
	for _, e := range events {
		event, _ := e.(map[string]any)
		content, _ := event["content"].(map[string]any)
		if body, found := content["body"].(string); found {
			all = append(all, body)
		}
	}
	return all
}
