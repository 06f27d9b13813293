package delegation

import (
	"crypto/subtle"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Level is how bad a finding is.
type Level int

// The levels.
const (
	Warning Level = iota
	Problem
)

// Finding is something in the settings that the operator should know.
type Finding struct {
	Level Level
	File  string // empty: of none
	Line  int
	What  string
	Fix   string
	Setup bool // setup takes it away
}

// Where is the finding's place, with a colon, or nothing.
func (f Finding) Where() string {
	if f.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", f.File, f.Line)
}

// Findings lists what in the settings is in the way of delegation, and what loses its meaning by it.
func (c *Config) Findings() (all []Finding) {
	for e, s := range c.inForce(clashing) {
		all = append(all, Finding{Problem, e.file.path, c.lineOf(e, s),
			s.name(understand(e.value)) + ": Synapse does not start with it once Postern has the accounts",
			"`postern synapse setup` takes it away; " + s.why, true})
	}
	for e, s := range c.inForce(pointless) {
		all = append(all, Finding{Warning, e.file.path, c.lineOf(e, s),
			s.name(understand(e.value)) + " means nothing once Postern has the accounts", s.why, false})
	}
	for e, s := range c.inForce(felt) {
		all = append(all, Finding{Warning, e.file.path, e.key.Line,
			s.key + ": Synapse deletes devices that were not used for so long, and their encryption keys", s.why,
			false})
	}
	return slices.Concat(all, c.moduleFindings(), c.pepperFindings(), c.protocolFindings(), c.workerFindings())
}

// authModules are modules that are known to check passwords, by the beginning of their name.
var authModules = []string{"ldap_auth_provider", "rest_auth_provider", "shared_secret_authenticator",
	"synapse_token_authenticator", "pam_auth_provider", "http_auth_provider"}

// moduleFindings: whether a module refuses is known only when Synapse starts
// (ModuleApi.register_password_auth_provider_callbacks).
func (c *Config) moduleFindings() (all []Finding) {
	e, there := c.top["modules"]
	if !there {
		return nil
	}
	for _, m := range list(understand(e.value)) {
		name, _ := mapping(m)["module"].(string)
		f := Finding{Level: Warning, File: e.file.path, Line: e.key.Line,
			What: "the module " + name + " may check passwords itself; then Synapse does not start with delegation " +
				"and says so",
			Fix: "if it does, put a # before each of its lines"}
		for _, known := range authModules {
			if strings.HasPrefix(name, known) {
				f.Level, f.What = Problem, "the module "+name+
					" checks passwords, and Synapse does not start with it once Postern has the accounts"
				f.Fix = "put a # before each of its lines; who has a password there needs a new one: postern user " +
					"passwd NAME"
			}
		}
		all = append(all, f)
	}
	return all
}

func (c *Config) pepperFindings() []Finding {
	beside := filepath.Join(filepath.Dir(c.Delegation().SecretPath), pepperName)
	if handled, err := ReadPepper(beside); c.Pepper() == "" || err == nil &&
		subtle.ConstantTimeCompare([]byte(handled), []byte(c.Pepper())) == 1 {
		return nil // setup has put it where Postern reads it
	}
	e := c.top["password_config"]
	return []Finding{{Level: Warning, File: e.file.path, Line: e.key.Line,
		What: "password_config.pepper: without it no password that came from Synapse is right",
		Fix:  "`postern synapse setup` puts it into a file for --synapse-pepper-file"}}
}

// protocolFindings: Synapse would get no answer at all.
func (c *Config) protocolFindings() []Finding {
	d := c.Delegation()
	if forced := c.value("matrix_authentication_service", "force_http2"); !d.Enabled || !truthy(forced) {
		return nil
	}
	return []Finding{{Level: Problem, File: d.File, Line: d.Line,
		What: "matrix_authentication_service.force_http2: Postern answers Synapse by HTTP/1.1",
		Fix:  "take force_http2 out"}}
}

// workerFindings: the configuration of a worker is in another file.
func (c *Config) workerFindings() (all []Finding) {
	for _, key := range []string{"stream_writers", "instance_map"} {
		if e, there := c.top[key]; there && c.has(key) {
			all = append(all, Finding{Level: Warning, File: e.file.path, Line: e.key.Line,
				What: key + ": there are workers; each reads the shared settings and asks Postern about tokens itself",
				Fix: "restart all of them together, and send clients to Postern, which sends all to one address: " +
					"the main process, or your own router of workers"})
		}
	}
	return all
}
