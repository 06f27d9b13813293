package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/delegation"
	"postern/homeserver/doctor"
)

type synapseSetup struct {
	synapseFiles
	Endpoint     string `default:"http://127.0.0.1:8009/" placeholder:"URL" help:"Where Synapse asks Postern about tokens; Postern's --internal-listen."`
	SecretFile   string `placeholder:"FILE" help:"File of the secret that both sides have; made if it is not there. By default postern-secret beside the configuration."`
	SynapsePort  int    `placeholder:"PORT" help:"Move Synapse to this port, so that Postern takes the one it has and your proxy stays as it is. By default Synapse keeps its port."`
	KeepListener bool   `help:"Leave Synapse's listener as it is: do not bind it to loopback, nor set x_forwarded."`
	Write        bool   `help:"Make the change. Without it, it is only shown."`
}

// Help is shown by `postern synapse setup --help`.
func (*synapseSetup) Help() string {
	return `What goes becomes a comment, what comes is marked, and all else stays as it is, byte by byte. With
--write the file as it was is kept beside it, in a name that ends in .before-postern. Synapse itself
is not touched: the change counts from its next start.

Examples:
  postern synapse setup /etc/matrix-synapse/homeserver.yaml --synapse-port 8010
  postern synapse setup /etc/matrix-synapse/homeserver.yaml /etc/matrix-synapse/conf.d --synapse-port 8010 --write
  postern synapse setup homeserver.yaml --secret-file /srv/postern/secret --keep-listener`
}

// Run shows the change, or makes it, and says what comes next.
func (cmd *synapseSetup) Run(ctx context.Context, w world, c *common) error {
	config, err := delegation.Read(cmd.Files)
	if err != nil {
		return err
	}
	if err := cmd.check(c.chosenName(), config); err != nil {
		return err
	}
	release := doctor.ReleaseOf(ctx, config, "")
	if release.TooOld() {
		what, fix := release.Refusal()
		return fmt.Errorf("%s: %s", what, fix)
	}
	plan, err := config.Setup(delegation.Options{Endpoint: cmd.Endpoint, SecretPath: cmd.SecretFile,
		Port: cmd.SynapsePort, KeepListener: cmd.KeepListener, Now: time.Now()})
	if err != nil {
		return err
	}
	for _, change := range plan.Changes {
		fmt.Fprint(w.stdout, change.Diff()+"\n")
	}
	if cmd.Write {
		err = applyPlan(w, plan)
	} else {
		announcePlan(w, plan)
	}
	if err != nil {
		return err
	}
	if release == "" {
		fmt.Fprintf(w.stdout, "\nWhich release Synapse is was not found out, since it does not run: see that it is %s "+
			"or newer.\n", doctor.Oldest)
	}
	reportNext(w, plan)
	if err := cmd.reportServe(w, c, config, plan); err != nil {
		return err
	}
	if c.missing() {
		return nil
	}
	return c.existing(ctx, func(d *db.DB) error {
		// Whether Synapse has had the accounts meanwhile only a person knows.
		if why := c.movedOut(ctx, d); why != nil {
			fmt.Fprintf(w.stdout, "\nBeware: %v.\nOnly if Synapse was not started since then, go on with this one, "+
				"and leave the import out.\n", why)
		}
		return nil
	})
}

// check understands the flags.
func (cmd *synapseSetup) check(chosenName string, config *delegation.Config) error {
	name := config.ServerName()
	if name == "" {
		return errors.New("there is no server_name in these files; name all that Synapse is started with, in Debian " +
			"/etc/matrix-synapse/conf.d after homeserver.yaml")
	}
	if chosenName != "" && chosenName != name {
		return fmt.Errorf("the server_name of Synapse is %s and Postern's is %s; they must be the same: check --db "+
			"and --server-name", handlers.Printable(name), chosenName)
	}
	endpoint := serverURL(cmd.Endpoint)
	if endpoint == nil {
		return fmt.Errorf("--endpoint %q is not the URL of a server; write it like http://127.0.0.1:8009/",
			cmd.Endpoint)
	}
	if endpoint.Path == "" {
		endpoint.Path = "/"
	}
	cmd.Endpoint = endpoint.String()
	if cmd.SynapsePort < 0 || cmd.SynapsePort > 65535 {
		return fmt.Errorf("--synapse-port \"%d\" is not a port; write it like 8010", cmd.SynapsePort)
	}
	if cmd.KeepListener && cmd.SynapsePort != 0 {
		return errors.New("--keep-listener and --synapse-port speak against each other; give one of them")
	}
	return nil
}

// nothingToChange is printed for a configuration that leaves the accounts to Postern already.
const nothingToChange = " nothing to change: Synapse's configuration leaves the accounts to Postern."

// announcePlan says what --write would do.
func announcePlan(w world, plan *delegation.Plan) {
	if len(plan.Changes) == 0 {
		fmt.Fprintln(w.stdout, "There is"+nothingToChange)
		return
	}
	var paths []string
	for _, change := range plan.Changes {
		paths = append(paths, change.Path)
	}
	fmt.Fprintf(w.stdout, "Nothing was changed. The same command with --write keeps a copy of %s, makes the secret "+
		"in\n%s unless it is there, and makes this change.\n", strings.Join(paths, " and "), plan.SecretFile)
	if plan.PepperFile != "" {
		fmt.Fprintf(w.stdout, "It also writes password_config.pepper into %s, for Postern.\n", plan.PepperFile)
	}
}

// applyPlan makes the change, and says what it did even if that was not all.
func applyPlan(w world, plan *delegation.Plan) error {
	steps, err := plan.Apply()
	shared := plan.SecretFile
	for _, step := range steps {
		fmt.Fprintf(w.stdout, "%-6s %s", step.Did, step.Path)
		if step.Path == shared {
			fmt.Fprintf(w.stdout, ", which has the owner of %s: Synapse's user and Postern's must be able to read it, "+
				"and nobody else", plan.OwnerFile)
		}
		fmt.Fprintln(w.stdout)
	}
	if err == nil && len(plan.Changes) == 0 {
		fmt.Fprintln(w.stdout, "There was"+nothingToChange)
	}
	return err
}

// reportNext says what comes now, up to the command that starts Postern.
func reportNext(w world, plan *delegation.Plan) {
	fmt.Fprint(w.stdout, "\nThe change counts from Synapse's next start, and from then on Synapse asks Postern who "+
		"somebody is. For the switch stop Synapse, bring what\n"+
		"came since (postern user import … --sessions --since-last), start Postern, and then Synapse.\n")
	switch was := plan.Listener; {
	case was == nil:
		fmt.Fprintln(w.stdout, "No listener of Synapse answers clients without TLS. Postern needs one on loopback: "+
			"see `postern synapse doctor`.")
	case plan.Port != was.Port:
		fmt.Fprintf(w.stdout, "Synapse moves from port %d to %d, and Postern takes %s: whoever sends requests there, "+
			"your proxy for one, stays as it is.\n", was.Port, plan.Port, plan.Clients)
		if was.Loopback() && slices.Contains(was.Bind, "::1") && len(was.Bind) > 1 {
			fmt.Fprintf(w.stdout, "Synapse answers on [::1]:%d too, and Postern will not: a proxy that sends to "+
				"localhost has to send to %s.\n", was.Port, plan.Clients)
		}
	default:
		fmt.Fprintf(w.stdout, "Synapse keeps port %d. Let your proxy send everything to Postern on %s "+
			"(docs/reverse-proxy.md), or give --synapse-port %d and leave the proxy as it is.\n",
			was.Port, plan.Clients, was.Port+2)
	}
}
