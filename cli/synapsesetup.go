package cli

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/db"
	"postern/homeserver/delegation"
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
	return `What goes becomes a comment, what comes is marked, and all else stays as it is, byte by byte. With --write the file as it was is kept beside it, in a name
that ends in .before-postern. Synapse itself is not touched: the change counts from its next start.

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
	if err := cmd.check(ctx, c, config); err != nil {
		return err
	}
	options := delegation.Options{Endpoint: cmd.Endpoint, SecretPath: cmd.SecretFile, Port: cmd.SynapsePort,
		KeepListener: cmd.KeepListener, Now: time.Now()}
	all, err := config.Setup(options)
	if err != nil {
		return err
	}
	for _, change := range all {
		fmt.Fprint(w.stdout, change.Diff()+"\n")
	}
	if cmd.Write {
		err = cmd.write(w, config, all)
	} else {
		cmd.announce(w, config, all)
	}
	if err != nil {
		return err
	}
	return cmd.next(ctx, w, c, config)
}

// check understands the flags, and makes paths such that Synapse, which runs in another folder, finds them.
func (cmd *synapseSetup) check(ctx context.Context, c *common, config *delegation.Config) error {
	known, err := c.servedName(ctx)
	if err != nil {
		return err
	}
	name := config.ServerName()
	if name == "" {
		return errors.New("there is no server_name in these files; name all that Synapse is started with, in Debian " +
			"/etc/matrix-synapse/conf.d after homeserver.yaml")
	}
	if known != "" && known != name {
		return fmt.Errorf("the server_name of Synapse is %s and Postern's is %s; they must be the same: check --db "+
			"and --server-name", printable(name), known)
	}
	at := serverURL(cmd.Endpoint)
	if at == nil {
		return fmt.Errorf("--endpoint %q is not the URL of a server; write it like http://127.0.0.1:8009/",
			cmd.Endpoint)
	}
	if at.Path == "" {
		at.Path = "/"
	}
	cmd.Endpoint = at.String()
	if cmd.SynapsePort < 0 || cmd.SynapsePort > 65535 {
		return fmt.Errorf("--synapse-port \"%d\" is not a port; write it like 8010", cmd.SynapsePort)
	}
	if cmd.KeepListener && cmd.SynapsePort != 0 {
		return errors.New("--keep-listener and --synapse-port speak against each other; give one of them")
	}
	if cmd.SecretFile == "" {
		if cmd.SecretFile = config.Delegation().SecretPath; cmd.SecretFile == "" {
			cmd.SecretFile = filepath.Join(filepath.Dir(config.Paths()[0]), "postern-secret")
		}
	}
	cmd.SecretFile, err = filepath.Abs(cmd.SecretFile)
	return err
}

// announce says what --write would do.
func (cmd *synapseSetup) announce(w world, config *delegation.Config, all []delegation.Change) {
	if len(all) == 0 {
		fmt.Fprintln(w.stdout, "There is nothing to change: Synapse's configuration leaves the accounts to Postern.")
		return
	}
	fmt.Fprintf(w.stdout, "Nothing was changed. The same command with --write keeps a copy of %s, makes the secret "+
		"in\n%s unless it is there, and makes this change.\n",
		strings.Join(paths(all), " and "), cmd.SecretFile)
	if config.Pepper() != "" {
		fmt.Fprintf(w.stdout, "It also writes password_config.pepper into %s, for Postern.\n", cmd.pepperFile())
	}
}

func paths(all []delegation.Change) (names []string) {
	for _, change := range all {
		names = append(names, change.Path)
	}
	return names
}

func (cmd *synapseSetup) pepperFile() string {
	return filepath.Join(filepath.Dir(cmd.SecretFile), "postern-pepper")
}

// write makes the secrets, keeps copies and writes the files, in this order: whatever breaks off in between, Synapse
// still starts.
func (cmd *synapseSetup) write(w world, config *delegation.Config, all []delegation.Change) error {
	if err := cmd.secrets(w, config); err != nil {
		return err
	}
	for _, change := range all {
		name, err := change.Keep()
		if err != nil {
			return fmt.Errorf("the copy could not be made, and nothing was changed: %w", err)
		}
		fmt.Fprintln(w.stdout, "kept   "+name)
	}
	for _, change := range all {
		if err := change.Write(); err != nil {
			return err
		}
		fmt.Fprintln(w.stdout, "wrote  "+change.Path)
	}
	if len(all) == 0 {
		fmt.Fprintln(w.stdout, "There was nothing to change: Synapse's configuration leaves the accounts to Postern.")
	}
	return nil
}

// secrets makes the files that both sides read.
func (cmd *synapseSetup) secrets(w world, config *delegation.Config) error {
	secret := config.Delegation().Secret // written into the configuration by hand: Postern reads it from a file
	if secret == "" {
		secret = randomSecret()
	}
	beside := config.Private()
	made, err := delegation.Secret(cmd.SecretFile, []byte(secret+"\n"), beside)
	if err != nil {
		return fmt.Errorf("the secret could not be made, and nothing was changed: %w", err)
	}
	there, err := homeserverSecret(cmd.SecretFile)
	if err != nil {
		return err
	}
	if err := same(cmd.SecretFile, there, config.Delegation().Secret); err != nil {
		return err
	}
	if made {
		fmt.Fprintf(w.stdout, "made   %s, which belongs to whom %s belongs to: Synapse's user and Postern's must be "+
			"able to read it, and nobody else\n", cmd.SecretFile, beside)
	}
	if config.Pepper() == "" {
		return nil
	}
	if made, err = delegation.Secret(cmd.pepperFile(), []byte(config.Pepper()+"\n"), beside); err != nil {
		return err
	}
	if made {
		fmt.Fprintf(w.stdout, "made   %s\n", cmd.pepperFile())
	}
	if there, err = pepper(cmd.pepperFile()); err != nil {
		return err
	}
	return same(cmd.pepperFile(), there, config.Pepper())
}

// same refuses a file that an earlier setup has left, if it is not what Synapse's configuration says, should that say
// anything: with it Postern would be refused by Synapse, or refuse everybody's password.
func same(file, there, configured string) error {
	if configured == "" || subtle.ConstantTimeCompare([]byte(there), []byte(configured)) == 1 {
		return nil
	}
	return fmt.Errorf("%s is there, and is not what stands in Synapse's configuration; nothing was changed; remove "+
		"it, and run this again", file)
}

// randomSecret is 256 random bits in letters that a header can carry.
func randomSecret() string {
	var bytes [32]byte
	_, _ = rand.Read(bytes[:]) // crypto/rand never fails
	return hex.EncodeToString(bytes[:])
}

// next says what comes now, down to the command that starts Postern.
func (cmd *synapseSetup) next(ctx context.Context, w world, c *common, before *delegation.Config) error {
	original, err := before.Original()
	if err != nil {
		return err
	}
	clients, behind := cmd.places(original, before)
	fmt.Fprint(w.stdout, "\nThe change counts from Synapse's next start, and from then on Synapse asks Postern who "+
		"somebody is. For the switch stop Synapse, bring what\n"+
		"came since (postern user import … --sessions --since-last), start Postern, and then Synapse.\n")
	switch was := original.Behind(); {
	case was == nil:
		fmt.Fprintln(w.stdout, "No listener of Synapse answers clients without TLS. Postern needs one on loopback: "+
			"see `postern synapse doctor`.")
	case cmd.port(before) != was.Port:
		fmt.Fprintf(w.stdout, "Synapse moves from port %d to %d, and Postern takes %s: whoever sends requests there, "+
			"your proxy for one, stays as it is.\n", was.Port, cmd.port(before), clients)
		if was.Loopback() && slices.Contains(was.Bind, "::1") && len(was.Bind) > 1 {
			fmt.Fprintf(w.stdout, "Synapse answers on [::1]:%d too, and Postern will not: a proxy that sends to "+
				"localhost has to send to %s.\n", was.Port, clients)
		}
	default:
		fmt.Fprintf(w.stdout, "Synapse keeps port %d. Let your proxy send everything to Postern on %s "+
			"(docs/reverse-proxy.md), or give --synapse-port %d and leave the proxy as it is.\n",
			was.Port, clients, was.Port+2)
	}
	fmt.Fprintf(w.stdout, "\n  %s\n", strings.Join(cmd.serveLine(c, before, clients, behind), " "))
	return cmd.warn(ctx, w, c)
}

// warn tells of a database that was moved out of. Whether Synapse has had the accounts meanwhile only a person knows.
func (cmd *synapseSetup) warn(ctx context.Context, w world, c *common) error {
	if c.missing() {
		return nil
	}
	return c.existing(ctx, func(d *db.DB) error {
		if why := c.left(ctx, d); why != nil {
			fmt.Fprintf(w.stdout, "\nBeware: %v.\nOnly if Synapse was not started since then, go on with this one, "+
				"and leave the import out.\n", why)
		}
		return nil
	})
}

// port is where Synapse will be.
func (cmd *synapseSetup) port(now *delegation.Config) int {
	if l := now.Behind(); cmd.SynapsePort == 0 && l != nil {
		return l.Port
	}
	return cmd.SynapsePort
}

// places says where Postern is to listen for clients, and where it finds Synapse behind it.
func (cmd *synapseSetup) places(original, now *delegation.Config) (clients, behind string) {
	was, is := original.Behind(), now.Behind()
	if was == nil || is == nil {
		return "127.0.0.1:8008", "127.0.0.1:8010"
	}
	host := "127.0.0.1"
	if is.Loopback() || cmd.KeepListener {
		host, _, _ = net.SplitHostPort(is.Address())
	}
	behind = net.JoinHostPort(host, strconv.Itoa(cmd.port(now)))
	if cmd.port(now) == was.Port {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(was.Port+2)), behind
	}
	host = "127.0.0.1"
	if !was.Loopback() {
		host = "" // it was open to others, so a proxy on another machine may need it
	}
	return net.JoinHostPort(host, strconv.Itoa(was.Port)), behind
}

// serveLine is the command that starts Postern in front of this Synapse.
func (cmd *synapseSetup) serveLine(c *common, config *delegation.Config, clients, behind string) []string {
	line := []string{"postern serve --server-name " + printable(config.ServerName()), "--db " + shellWord(c.path())}
	if clients != "127.0.0.1:8008" {
		line = append(line, "--listen "+clients)
	}
	line = append(line, "--homeserver http://"+behind, "--homeserver-secret-file "+shellWord(cmd.SecretFile))
	if at, err := url.Parse(cmd.Endpoint); err == nil && at.Scheme == "http" && at.Port() != "" {
		if host, err := netip.ParseAddr(at.Hostname()); err == nil && host.IsLoopback() {
			line = append(line, "--internal-listen "+at.Host)
		}
	}
	if config.Pepper() != "" {
		line = append(line, "--synapse-pepper-file "+shellWord(cmd.pepperFile()))
	}
	if u, err := url.Parse(config.PublicURL()); err == nil && u.Host != "" {
		line = append(line, "--public-url "+shellWord(u.String()))
	}
	return append(line, "--trusted-proxy 127.0.0.1")
}

// shellWord quotes what a shell would take apart.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' ||
			strings.ContainsRune("/._-:@%+,=?&", r)
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) &&
		!strings.ContainsAny(text, "?&") {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
