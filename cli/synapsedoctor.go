package cli

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"postern/db"
	"postern/homeserver/delegation"
)

type synapseDoctor struct {
	synapseFiles
	Listen     string `default:"127.0.0.1:8008" env:"POSTERN_LISTEN" placeholder:"ADDRESS" help:"Where Postern listens, or will."`
	Homeserver string `env:"POSTERN_HOMESERVER" placeholder:"URL" help:"Where Postern reaches Synapse, if that is not where its listener says."`
	SecretFile string `name:"homeserver-secret-file" env:"POSTERN_HOMESERVER_SECRET_FILE" placeholder:"FILE" help:"The secret that Postern is started with, if it is another file than Synapse's secret_path."`
}

// Help is shown by `postern synapse doctor --help`.
func (*synapseDoctor) Help() string {
	return `Reads, asks, and changes nothing; good before the move, in the midst of it, and whenever you wonder. Each line is ok, warn or problem, with what to do
about it. The exit status is 1 if there is a problem. No secret is shown. Run it as a user who may read Synapse's configuration and database.

Examples:
  postern synapse doctor /etc/matrix-synapse/homeserver.yaml
  postern synapse doctor /etc/matrix-synapse/homeserver.yaml /etc/matrix-synapse/conf.d --db /var/lib/postern/postern.db
  PGPASSFILE=/root/.pgpass postern synapse doctor homeserver.yaml`
}

// doctor is one examination.
type doctor struct {
	synapseDoctor
	c      *common
	out    io.Writer
	now    func() time.Time
	config *delegation.Config
	moved  bool   // Synapse's configuration leaves the accounts to Postern
	secret string // that Synapse will have; empty: none can be read

	problems, warnings int
}

// Run examines everything and gives the exit status.
func (cmd *synapseDoctor) Run(ctx context.Context, w world, c *common) error {
	config, err := delegation.Read(cmd.Files)
	if err != nil {
		return err
	}
	d := &doctor{synapseDoctor: *cmd, c: c, out: w.stdout, now: time.Now, config: config,
		moved: config.Delegation().Enabled}
	known, err := c.servedName(ctx)
	if err != nil {
		return err
	}
	d.names(known)
	d.settings()
	d.sharedSecret()
	d.listeners(ctx)
	d.sides(ctx)
	d.accounts(ctx)
	switch {
	case d.problems > 0:
		fmt.Fprintf(w.stdout, "\n%s, %s\n", plural(d.problems, "problem"), plural(d.warnings, "warning"))
		return exitStatus{code: 1}
	case d.moved:
		fmt.Fprintf(w.stdout, "\nno problem, %s: Postern has the accounts\n", plural(d.warnings, "warning"))
	default:
		fmt.Fprintf(w.stdout, "\nno problem, %s: ready for `postern synapse setup`\n", plural(d.warnings, "warning"))
	}
	return nil
}

func (d *doctor) section(title string) { fmt.Fprintf(d.out, "\n%s\n", title) }
func (d *doctor) ok(format string, args ...any) {
	fmt.Fprintf(d.out, "  ok       "+format+"\n", args...)
}

func (d *doctor) warn(what, fix string) {
	d.warnings++
	fmt.Fprintf(d.out, "  warn     %s\n           fix: %s\n", what, fix)
}

func (d *doctor) problem(what, fix string) {
	d.problems++
	fmt.Fprintf(d.out, "  problem  %s\n           fix: %s\n", what, fix)
}

// trouble is a problem once Postern has the accounts, and until then something to know.
func (d *doctor) trouble(what, fix string) {
	if d.moved {
		d.problem(what, fix)
	} else {
		d.warn(what, fix)
	}
}

// servedName is the server name that a command was given, or the one that the database was first served as; empty if
// neither says one.
func (c *common) servedName(ctx context.Context) (name string, err error) {
	if c.ServerName != "localhost" { // which is said of a database that has no name yet, too
		return c.ServerName, nil
	}
	if c.missing() {
		return "", nil
	}
	err = c.open(ctx, func(d *db.DB) error {
		if name, err = d.Setting(ctx, servedAs); errors.Is(err, db.ErrNotFound) {
			err = nil
		}
		return err
	})
	return name, err
}

// names compares the server's name on both sides.
func (d *doctor) names(known string) {
	d.section("settings")
	switch name := d.config.ServerName(); {
	case name == "":
		d.problem("there is no server_name in these files",
			"name all files and folders that Synapse is started with; in Debian /etc/matrix-synapse/conf.d after "+
				"homeserver.yaml")
	case known == "":
		d.ok("server_name %s; Postern is to be started with --server-name %s", printable(name), printable(name))
	case known != name:
		d.problem(fmt.Sprintf("Synapse's server_name is %s and Postern's is %s", printable(name), known),
			"name Postern's database with --db, and its name with --server-name")
	default:
		d.ok("server_name %s on both sides", name)
	}
}

// settings tells what is in the way. What setup takes away is no problem before it has run.
func (d *doctor) settings() {
	for _, text := range d.config.Ignored {
		d.warn(text, "none, if you know it: Synapse passes over it too")
	}
	clashes := 0
	for _, f := range d.config.Findings() {
		what := f.Where() + f.What
		switch {
		case f.Level == delegation.Problem && f.Setup && !d.moved:
			d.warn(what, f.Fix)
		case f.Level == delegation.Problem:
			d.problem(what, f.Fix)
			clashes++
		default:
			d.warn(what, f.Fix)
		}
	}
	at := d.config.Delegation()
	switch {
	case d.moved && clashes == 0:
		d.ok("%s:%d: Synapse leaves the accounts to %s", at.File, at.Line, at.Endpoint)
	case !d.moved:
		d.ok("Synapse has its accounts itself; `postern synapse setup` changes that")
	}
}

// sharedSecret reads the secret, and compares it with what Postern is started with.
func (d *doctor) sharedSecret() {
	at := d.config.Delegation()
	if !d.moved {
		return
	}
	theirs, ours := at.SecretPath, d.SecretFile
	if ours == "" {
		ours = theirs
	}
	switch {
	case at.Secret != "":
		d.secret = at.Secret
		d.warn(fmt.Sprintf("%s:%d: the secret stands in the configuration itself", at.File, at.Line),
			"put it into a file, and name that with secret_path in the place of secret")
	case theirs == "":
		d.problem(fmt.Sprintf("%s:%d: matrix_authentication_service has no secret", at.File, at.Line),
			"postern synapse setup --write")
	default:
		d.secret = d.readSecret(theirs)
	}
	if ours == "" || ours == theirs || d.secret == "" {
		return
	}
	if secret := d.readSecret(ours); secret != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(d.secret)) == 0 {
		d.problem(fmt.Sprintf("the secrets in %s (Postern) and %s (Synapse) differ", ours, at.File),
			"start Postern with --homeserver-secret-file "+theirs)
	}
}

// readSecret reads a file of the secret and looks at who else may.
func (d *doctor) readSecret(path string) string {
	secret, err := homeserverSecret(path)
	if err != nil {
		d.problem(err.Error(), "run this as a user who may read it, or make it anew with `postern synapse setup "+
			"--write`")
		return ""
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		d.problem(path+" can be read by everybody on this machine", "chmod o-rwx "+path)
	} else {
		d.ok("secret in %s", path)
	}
	return secret
}

// dial reports whether somebody listens.
func dial(address string) bool {
	connection, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}
