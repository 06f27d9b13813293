// Package synapse gives tests a real Synapse, from PyPI, with a SQLite of its own in a temporary folder, on loopback.
// It runs as its own process and is stopped when the test ends.
//
// Where it is not installed the test is skipped, loudly; with TEST_SYNAPSE=required it fails, so that a gate cannot
// miss it. To install it: test/rig/synapse/install.
//
//	hs := synapse.New(t, synapse.Options{})          // with its own authentication
//	hs.Register(t, "alice", "a long password", false)
//	hs.Stop(t)
//	hs.Delegate(t, "http://127.0.0.1:8009/", secret) // now Postern has it
//	hs.Run(t)
package synapse

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"postern/test/rig/process"
)

// ServerName is the name of every Synapse here.
const ServerName = "home.test"

// RegistrationSecret is the registration_shared_secret of every Synapse here.
const RegistrationSecret = "the secret of the tests"

// Options say what is not as usual.
type Options struct {
	Dir   string // the folder of all files; a temporary one if empty
	Extra string // YAML at the end of homeserver.yaml

	Release string // empty: the one that requirements.txt pins; another has to be installed by `install RELEASE`
}

// Server is one Synapse, running or not.
type Server struct {
	URL    string
	Port   int
	Dir    string
	Config string // homeserver.yaml
	DB     string // homeserver.db

	python string
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process has ended; nil while none runs
}

// Program is where a program is that is installed with Synapse.
func (s *Server) Program(name string) string { return filepath.Join(filepath.Dir(s.python), name) }

// New configures a Synapse with its own authentication, and runs it until the test ends.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	s := Prepare(t, o)
	s.Run(t)
	return s
}

// Prepare configures a Synapse and does not run it.
func Prepare(t testing.TB, o Options) *Server {
	t.Helper()
	python := installed(t, o.Release)
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s := &Server{
		Dir: o.Dir, Port: process.FreePort(t), python: python,
		Config: filepath.Join(o.Dir, "homeserver.yaml"), DB: filepath.Join(o.Dir, "homeserver.db"),
	}
	s.URL = fmt.Sprintf("http://127.0.0.1:%d", s.Port)
	for name, text := range map[string]string{
		"homeserver.yaml": fmt.Sprintf(configuration, ServerName, s.Port, s.DB, o.Dir, o.Extra),
		"log.yaml":        fmt.Sprintf(logging, filepath.Join(o.Dir, "homeserver.log")),
		"signing.key":     "ed25519 a_test Wjg4KLvmbLlUW4z1hjFSkAyK8Lgs7bF4KDIZ7v9rzmw\n",
	} {
		if err := os.WriteFile(filepath.Join(o.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// configuration is a homeserver.yaml as its owner would have it, with the limits off that would slow a test down.
const configuration = `# The configuration of a small homeserver.
server_name: %s
report_stats: false

listeners:
  - port: %d
    type: http
    x_forwarded: true
    bind_addresses: ["127.0.0.1"]
    resources:
      - names: [client, federation]
        compress: false

database:
  name: sqlite3
  args:
    database: %s

trusted_key_servers: []
suppress_key_server_warning: true
registration_shared_secret: "the secret of the tests"
macaroon_secret_key: "another secret of the tests"
form_secret: "a third secret of the tests"
signing_key_path: %[4]s/signing.key
log_config: %[4]s/log.yaml
media_store_path: %[4]s/media
pid_file: %[4]s/homeserver.pid
max_upload_size: 2G
bcrypt_rounds: 4

rc_message: {per_second: 1000, burst_count: 1000}
rc_registration: {per_second: 1000, burst_count: 1000}
rc_login:
  address: {per_second: 1000, burst_count: 1000}
  account: {per_second: 1000, burst_count: 1000}
  failed_attempts: {per_second: 1000, burst_count: 1000}
rc_joins:
  local: {per_second: 1000, burst_count: 1000}
%s
`

const logging = `version: 1
formatters:
  plain: {format: '%%(asctime)s %%(levelname)s %%(name)s %%(message)s'}
handlers:
  file: {class: logging.FileHandler, formatter: plain, filename: %s}
root: {level: INFO, handlers: [file]}
disable_existing_loggers: false
`

// installed is the Python that has Synapse.
func installed(t testing.TB, release string) string {
	t.Helper()
	if os.Getenv("TEST_SYNAPSE") == "off" {
		t.Skip("TEST_SYNAPSE=off")
	}
	if python := program(release); python != "" {
		return python
	}
	if release != "" {
		t.Skip("Synapse " + release + " is not installed: test/rig/synapse/install " + release)
	}
	const missing = "NO SYNAPSE: install it with test/rig/synapse/install"
	if os.Getenv("TEST_SYNAPSE") == "required" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// Installed tells whether there is a Synapse to run.
func Installed() bool { return program("") != "" }

// program is the Python of a release, or of the one that requirements.txt pins; empty if it is not installed.
func program(release string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(requirements) {
		if version, found := bytes.CutPrefix(line, []byte("matrix-synapse==")); found && release == "" {
			release = string(bytes.TrimSpace(version))
		}
	}
	python := filepath.Join(cache, "postern-test", "synapse-"+release, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return ""
	}
	return python
}
