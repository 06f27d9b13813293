package home

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

// person is somebody with an encrypting client: a process of Node that runs matrix-js-sdk, see test/clients/js/home/client.js.
type person struct {
	name string
	in   io.WriteCloser
	out  *bufio.Scanner
}

const password = "a password that is long"

// js is where the real clients are installed.
const js = "../clients/js"

// node is the Node that the clients are locked to, or the machine's; the test is skipped when they are not installed.
func node(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(js + "/node_modules/node-*/bin/node")
	if _, missing := os.Stat(js + "/node_modules/matrix-js-sdk"); err != nil || missing != nil {
		const why = "NO CLIENTS: install them with npm ci --prefix test/clients/js"
		if os.Getenv("TEST_HOME") == "required" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	if len(found) > 0 {
		return found[0]
	}
	return "node"
}

// newPerson starts a client that is not logged in yet.
func newPerson(t *testing.T, name string) *person {
	t.Helper()
	binary, err := filepath.Abs(node(t))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "home/client.js")
	cmd.Dir, cmd.Stderr = js, os.Stderr
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
		_ = cmd.Wait()
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
	answer := p.try(t, what, with)
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
