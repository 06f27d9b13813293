package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"postern/db"
	"postern/homeserver/delegation"
	"postern/homeserver/doctor"
	"postern/tokens"
)

type synapseDoctor struct {
	synapseFiles
	Listen     string `default:"127.0.0.1:8008" env:"POSTERN_LISTEN" placeholder:"ADDRESS" help:"Where Postern listens, or will."`
	Homeserver string `env:"POSTERN_HOMESERVER" placeholder:"URL" help:"Where Postern reaches Synapse, if that is not where its listener says."`
	SecretFile string `name:"homeserver-secret-file" env:"POSTERN_HOMESERVER_SECRET_FILE" placeholder:"FILE" help:"The secret that Postern is started with, if it is another file than Synapse's secret_path."`
}

// Help is shown by `postern synapse doctor --help`.
func (*synapseDoctor) Help() string {
	return `It reads and asks, and changes nothing. Run it before the move, during it, and whenever you
wonder. Each line is ok, warn or problem, with what to do about it. The exit status is 1 if there is
a problem. No secret is shown. Run it as a user who may read Synapse's configuration and database.

Examples:
  postern synapse doctor /etc/matrix-synapse/homeserver.yaml
  postern synapse doctor /etc/matrix-synapse/homeserver.yaml /etc/matrix-synapse/conf.d --db /var/lib/postern/postern.db
  PGPASSFILE=/root/.pgpass postern synapse doctor homeserver.yaml`
}

// Run examines everything and gives the exit status.
func (cmd *synapseDoctor) Run(ctx context.Context, w world, c *common) error {
	config, err := delegation.Read(cmd.Files)
	if err != nil {
		return err
	}
	examine := func(d *db.DB) error {
		sections := doctor.Examine(ctx, doctor.Config{
			Synapse: config, ServerName: c.chosenName(), Listen: cmd.Listen, Homeserver: cmd.Homeserver,
			SecretFile: cmd.SecretFile, DB: d, Master: c.masterKeyIfHere(w), Database: c.path(),
			MovedOut: c.movedOut(ctx, d), Now: time.Now,
		})
		return reportFindings(w.stdout, sections, config.Delegation().Enabled)
	}
	if c.missing() {
		return examine(nil)
	}
	return c.open(ctx, examine)
}

// masterKeyIfHere is the master key, or nil if it cannot be read.
func (c *common) masterKeyIfHere(w world) *tokens.MasterKey {
	master, err := c.masterKey(w, false)
	if err != nil {
		return nil
	}
	return &master
}

// reportFindings prints the findings and gives the exit status.
func reportFindings(out io.Writer, sections []doctor.Section, delegated bool) error {
	count := make(map[doctor.Level]int)
	words := map[doctor.Level]string{doctor.OK: "ok", doctor.Warning: "warn", doctor.Problem: "problem"}
	for _, s := range sections {
		fmt.Fprintf(out, "\n%s\n", s.Title)
		for _, f := range s.Findings {
			count[f.Level]++
			fmt.Fprintf(out, "  %-8s %s\n", words[f.Level], printableLines(f.What))
			if f.Level != doctor.OK {
				fmt.Fprintf(out, "           fix: %s\n", printableLines(f.Fix))
			}
		}
	}
	warnings := plural(count[doctor.Warning], "warning")
	switch problems := count[doctor.Problem]; {
	case problems > 0:
		fmt.Fprintf(out, "\n%s, %s\n", plural(problems, "problem"), warnings)
		return exitStatus{code: 1}
	case delegated:
		fmt.Fprintf(out, "\nno problem, %s: Postern has the accounts\n", warnings)
	default:
		fmt.Fprintf(out, "\nno problem, %s: ready for `postern synapse setup`\n", warnings)
	}
	return nil
}
