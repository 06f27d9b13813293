package guide

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/process"
	"postern/test/rig/synapse"
)

// machine is the computer of who runs a small homeserver: a Synapse, a folder for Postern, and a systemctl that starts
// and stops both.
type machine struct {
	hs      *synapse.Server
	public  string            // host and port that clients know
	places  *strings.Replacer // from the README's paths, ports and names to those of the test
	path    string            // PATH
	ported  string            // port of Synapse behind Postern
	binary  string
	folder  string // of Postern
	serve   string // the command that the README starts Postern with
	exports string // what has been exported in this terminal
	bridge  string // its registration file
	postern *exec.Cmd
	ended   chan struct{}
	log     bytes.Buffer
}

// What the README calls the things that the test has elsewhere.
const (
	theirConfig = "/etc/matrix-synapse/homeserver.yaml"
	theirConfD  = "/etc/matrix-synapse/conf.d"
	theirDB     = "/var/lib/matrix-synapse/homeserver.db"
	theirFolder = "/var/lib/postern"
	theirSecret = "/etc/matrix-synapse/postern-secret"
	theirName   = "example.org"
)

// A bridge that Synapse has.
const (
	bridgeToken = "the-bridges-own-token"
	bridgeFile  = `id: irc
url: null
as_token: %s
hs_token: the-homeservers-token
sender_localpart: ircbot
rate_limited: false
namespaces:
  users:
    - {exclusive: true, regex: '@_irc_.*'}
`
)

func newMachine(t *testing.T) *machine {
	t.Helper()
	registration := filepath.Join(t.TempDir(), "irc.yaml")
	write(t, registration, fmt.Sprintf(bridgeFile, bridgeToken), 0o600)
	hs := synapse.New(t, synapse.Options{Extra: fmt.Sprintf("app_service_config_files: [%q]\n", registration)})
	m := &machine{hs: hs, bridge: registration, public: hs.URL, ported: fmt.Sprint(process.FreePort(t)),
		binary: process.Binary(t), folder: t.TempDir()}
	internal, confD := fmt.Sprint(process.FreePort(t)), t.TempDir()
	write(t, filepath.Join(confD, "report_stats.yaml"), "report_stats: false\n", 0o644)
	// which the README leaves as it is
	m.places = strings.NewReplacer("--synapse-port 8010",
		"--synapse-port "+m.ported+" --endpoint http://127.0.0.1:"+internal+"/",
		theirConfig, hs.Config, theirConfD, confD, theirDB, hs.DB, theirFolder, m.folder, theirSecret,
		filepath.Join(hs.Dir, "postern-secret"), theirName, synapse.ServerName,
		"8008", fmt.Sprint(hs.Port), "8009", internal, "8010", m.ported)
	control := http.NewServeMux()
	control.HandleFunc("POST /{verb}/{unit}", func(w http.ResponseWriter, r *http.Request) {
		if err := m.systemctl(t, r.PathValue("verb"), r.PathValue("unit")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: control}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	bin := t.TempDir()
	write(t, filepath.Join(bin, "systemctl"),
		fmt.Sprintf("#!/bin/sh\ncase $1 in enable) set -- start $3;; disable) set -- stop $3;; esac\nexec curl -sS --fail-with-body -X POST http://%s/$1/$2\n", listener.Addr()), 0o755)
	if err := os.Symlink(m.binary, filepath.Join(bin, "postern")); err != nil {
		t.Fatal(err)
	}
	m.path = bin + ":" + os.Getenv("PATH")
	t.Cleanup(func() { _ = m.stopPostern() })
	return m
}

// systemctl is what the service manager does.
func (m *machine) systemctl(t *testing.T, verb, unit string) error {
	stop, start := verb == "stop" || verb == "restart", verb == "start" || verb == "restart"
	switch {
	case !stop && !start:
		return fmt.Errorf("systemctl: there is no %s here", verb)
	case unit == "matrix-synapse":
		if stop {
			m.hs.Stop(t)
		}
		if start {
			return m.startSynapse(t)
		}
	case unit == "postern":
		if stop {
			if err := m.stopPostern(); err != nil {
				return err
			}
		}
		if start {
			return m.startPostern()
		}
	default:
		return fmt.Errorf("systemctl: there is no unit %s here", unit)
	}
	return nil
}

var portOf = regexp.MustCompile(`(?m)^\s*-? *port: (\d+)`)

// startSynapse starts it on the port that its configuration has by now.
func (m *machine) startSynapse(t *testing.T) error {
	text, err := os.ReadFile(m.hs.Config)
	if err != nil {
		return err
	}
	found := portOf.FindSubmatch(text)
	if found == nil {
		return fmt.Errorf("no port in %s", m.hs.Config)
	}
	m.hs.URL = "http://127.0.0.1:" + string(found[1])
	if said, err := m.hs.Start(t); err != nil {
		return fmt.Errorf("synapse: %w\n%s", err, said)
	}
	return nil
}

// startPostern runs the README's own command and waits until it serves.
func (m *machine) startPostern() error {
	m.postern = exec.Command("bash", "-c", m.places.Replace(m.exports+"exec "+m.serve))
	m.postern.Env = m.env()
	m.postern.Stderr = &m.log
	m.postern.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.postern.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = m.postern.Wait() // the log says why
		close(ended)
	}()
	m.ended = ended
	for range 600 {
		if response, err := http.Get(m.public + "/health"); err == nil {
			response.Body.Close()
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("postern ended: %s", m.log.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("postern does not answer: %s", m.log.String())
}

func (m *machine) stopPostern() error {
	if m.ended == nil {
		return nil
	}
	err := m.postern.Process.Signal(syscall.SIGTERM)
	<-m.ended
	m.ended = nil
	return err
}

// killPostern ends it in the middle of whatever it does.
func (m *machine) killPostern(t *testing.T) {
	t.Helper()
	if err := m.postern.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-m.ended
	m.ended = nil
}

func (m *machine) env() []string {
	env := []string{"PATH=" + m.path}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "POSTERN_") && !strings.HasPrefix(entry, "PATH=") {
			env = append(env, entry)
		}
	}
	env = append(env, "POSTERN_APPSERVICE="+m.bridge) // as the README says in a word
	// the default is what the README counts on
	return append(env, "POSTERN_LISTEN="+strings.TrimPrefix(m.public, "http://"))
}

// types types a command of the README, and gives what it printed and its exit status.
func (m *machine) types(t *testing.T, command string) (string, int) {
	t.Helper()
	if strings.HasPrefix(command, "export ") {
		m.exports += command + "\n"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", m.places.Replace(m.exports+command))
	cmd.Env, cmd.Dir = m.env(), m.folder
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", command, err)
	}
	t.Logf("$ %s\n%s", command, out)
	return string(out), cmd.ProcessState.ExitCode()
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
