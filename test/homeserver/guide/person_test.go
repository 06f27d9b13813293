package guide

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// person is somebody with an encrypting client: a process of Node that runs matrix-js-sdk, see
// test/clients/js/home/client.js.
type person struct {
	name string
	in   io.WriteCloser
	out  *bufio.Scanner
}

const password = "a password that is long"

// js is where the real clients are installed.
const js = "../../clients/js"

// missing skips the test, loudly; a gate must not pass without it.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("TEST_HOME") == "required" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// node is the Node that the clients are locked to, or the machine's; the test is skipped when they are not installed.
func node(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(js + "/node_modules/node-*/bin/node")
	if _, absent := os.Stat(js + "/node_modules/matrix-js-sdk"); err != nil || absent != nil {
		missing(t, "NO CLIENTS: install them with npm ci --prefix test/clients/js")
	}
	if len(found) > 0 {
		return found[0]
	}
	return "node"
}

// newPerson starts an encrypting client that is not logged in yet.
func newPerson(t *testing.T, name string) *person {
	t.Helper()
	binary := node(t)
	if abs, err := filepath.Abs(binary); err == nil && binary != "node" {
		binary = abs // it runs in another folder
	}
	return start(t, name, js, binary, "home/client.js")
}

// newNio starts a client of matrix-nio, which knows neither encryption here nor refresh tokens.
func newNio(t *testing.T, name string) *person {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's, which has python3-matrix-nio
	if err := exec.CommandContext(t.Context(), python, "-c", "import nio").Run(); err != nil {
		missing(t, "NO MATRIX-NIO: install it with apt-get install python3-matrix-nio")
	}
	return start(t, name, "../../clients/python", python, "-B", "home.py")
}

func start(t *testing.T, name, dir string, args ...string) *person {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		kill := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_ = cmd.Wait() // it may have been killed
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	return &person{name: name, in: in, out: lines}
}

type values map[string]any

// try has the client do something and gives its answer, whatever it is.
func (p *person) try(t *testing.T, what string, with values) values {
	t.Helper()
	command := values{"do": what}
	for key, value := range with {
		command[key] = value
	}
	text, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(text, '\n')); err != nil {
		t.Fatalf("%s cannot %s: %v", p.name, what, err)
	}
	if !p.out.Scan() {
		t.Fatalf("%s is gone at %s: %v", p.name, what, p.out.Err())
	}
	var answer values
	if err := json.Unmarshal(p.out.Bytes(), &answer); err != nil {
		t.Fatalf("%s, %s: %s: %v", p.name, what, p.out.Bytes(), err)
	}
	return answer
}

// do has the client do something that has to succeed.
func (p *person) do(t *testing.T, what string, with values) values {
	t.Helper()
	began := time.Now()
	answer := p.try(t, what, with)
	if took := time.Since(began); took > 3*time.Second {
		t.Logf("%s took %s to %s", p.name, took.Round(time.Second), what)
	}
	if failed, ok := answer["failed"]; ok {
		t.Fatalf("%s: %v", p.name, failed)
	}
	return answer
}

// stays holds that the client was never told that its session has ended.
func (p *person) stays(t *testing.T) {
	t.Helper()
	if story := p.do(t, "story", nil); len(story["loggedOut"].([]any)) > 0 {
		t.Fatalf("%s was logged out: %v", p.name, story)
	}
}

// talk has one say something that the other reads, both ways.
func talk(t *testing.T, one, two *person, room, about string) {
	t.Helper()
	for _, pair := range [][2]*person{{one, two}, {two, one}} {
		text := pair[0].name + ": " + about
		if sent := pair[0].do(t, "send", values{"room": room, "text": text}); sent["encrypted"] != true {
			t.Fatalf("sent in the clear: %v", sent)
		}
		pair[1].do(t, "reads", values{"room": room, "text": text})
	}
}
