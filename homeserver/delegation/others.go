package delegation

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

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
	if c.Pepper() == "" {
		return nil
	}
	e := c.top["password_config"]
	return []Finding{{Level: Warning, File: e.file.path, Line: e.key.Line,
		What: "password_config.pepper: without it no password that came from Synapse is right",
		Fix:  "`postern synapse setup` puts it into a file for --synapse-pepper-file"}}
}

// protocolFindings: Synapse would get no answer at all.
func (c *Config) protocolFindings() []Finding {
	d := c.Delegation()
	if forced := c.at("matrix_authentication_service", "force_http2"); !d.Enabled || !truthy(forced) {
		return nil
	}
	return []Finding{{Level: Problem, File: d.File, Line: d.Line,
		What: "matrix_authentication_service.force_http2: Postern answers Synapse by HTTP/1.1",
		Fix:  "take force_http2 out"}}
}

// workerFindings: the configuration of a worker is in another file.
func (c *Config) workerFindings() (all []Finding) {
	for _, key := range []string{"stream_writers", "instance_map"} {
		if e, there := c.top[key]; there && c.Has(key) {
			all = append(all, Finding{Level: Warning, File: e.file.path, Line: e.key.Line,
				What: key + ": there are workers; each reads the shared settings and asks Postern about tokens itself",
				Fix: "restart all of them together, and send clients to Postern, which sends all to one address: " +
					"the main process, or your own router of workers"})
		}
	}
	return all
}

// Delegation is what matrix_authentication_service says.
type Delegation struct {
	Enabled            bool
	Endpoint           string
	SecretPath, Secret string
	File               string
	Line               int
}

// Delegation reads matrix_authentication_service.
func (c *Config) Delegation() Delegation {
	e, there := c.top["matrix_authentication_service"]
	if !there {
		return Delegation{}
	}
	m := mapping(understand(e.value))
	d := Delegation{Enabled: m["enabled"] == true, File: e.file.path, Line: e.key.Line}
	d.Endpoint, _ = m["endpoint"].(string)
	d.SecretPath, _ = m["secret_path"].(string)
	d.Secret, _ = m["secret"].(string)
	if d.Endpoint == "" {
		d.Endpoint = "http://localhost:8080/" // Synapse's default
	}
	return d
}

// Database is where Synapse keeps its data.
type Database struct {
	Engine string // sqlite3 or psycopg2
	Args   map[string]string
}

// Database reads which database Synapse has.
func (c *Config) Database() (Database, error) {
	if path := c.text("database_path"); path != "" && c.at("database") == nil {
		return Database{"sqlite3", map[string]string{"database": path}}, nil
	}
	if c.at("databases") != nil {
		return Database{}, errors.New("there are several databases, which are not looked into")
	}
	d := Database{Engine: c.text("database", "name"), Args: make(map[string]string)}
	for key, value := range mapping(c.at("database", "args")) {
		d.Args[key] = fmt.Sprint(value)
	}
	if d.Engine != "sqlite3" && d.Engine != "psycopg2" {
		return Database{}, fmt.Errorf("database.name %q is neither sqlite3 nor psycopg2", d.Engine)
	}
	return d, nil
}

// URL is the same database for a PostgreSQL client that is not Python's.
func (d Database) URL() string {
	options := make(url.Values)
	for key, value := range d.Args {
		switch key {
		case "host", "port", "user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey", "passfile":
			options.Set(key, value)
		case "dbname", "database":
			options.Set("dbname", value)
		}
	}
	return "postgres:///?" + options.Encode()
}

// Private is a file that belongs to Synapse's user, or that this user reads and strangers do not: a secret of both
// sides gets its owner. That is the configuration; but not where everybody may read that, as in Debian, whose
// configuration is root's. There it is the signing key, or the database.
func (c *Config) Private() string {
	files := c.Paths()
	// else it is seen from Synapse's folder, which is not known
	if key := c.text("signing_key_path"); filepath.IsAbs(key) {
		files = append(files, key)
	}
	for _, path := range files {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o004 == 0 {
			return path
		}
	}
	if d, err := c.Database(); err == nil && filepath.IsAbs(d.Args["database"]) {
		if _, err := os.Stat(d.Args["database"]); err == nil {
			return d.Args["database"]
		}
	}
	return c.Paths()[0]
}
