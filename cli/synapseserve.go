package cli

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"postern/handlers"
	"postern/homeserver/delegation"
)

// reportServe prints the command that starts Postern in front of this Synapse, and the same for systemd.
func (cmd *synapseSetup) reportServe(w world, c *common, config *delegation.Config, plan *delegation.Plan) error {
	flags, err := cmd.serveFlags(c, config, plan)
	if err != nil {
		return err
	}
	services, unread := config.Services()
	for _, s := range services {
		flags = append(flags, delegation.Flag{Name: "appservice", Value: s.File, File: filepath.Base(s.File)})
	}
	fmt.Fprintf(w.stdout, "\n  %s\n", serveLine(flags))
	if unread != nil {
		fmt.Fprintf(w.stdout, "\nAdd --appservice FILE for the application services whose registration was not read: "+
			"%s\n", handlers.Printable(unread.Error()))
	}
	fmt.Fprintf(w.stdout, "\nFor systemd with docs/postern.service: put this into "+
		"/etc/systemd/system/postern.service.d/synapse.conf\n\n%s", dropIn(flags))
	return nil
}

// serveFlags are the flags of that command, but for the application services.
func (cmd *synapseSetup) serveFlags(c *common, config *delegation.Config, plan *delegation.Plan) ([]delegation.Flag,
	error) {
	flags := []delegation.Flag{{Name: "server-name", Value: config.ServerName()}, {Name: "db", Value: c.path()}}
	if plan.Clients != "127.0.0.1:8008" {
		flags = append(flags, delegation.Flag{Name: "listen", Value: plan.Clients})
	}
	flags = append(flags, delegation.Flag{Name: "homeserver", Value: "http://" + plan.Upstream},
		delegation.Flag{Name: "homeserver-secret-file", Value: plan.SecretFile, File: "secret"})
	if endpoint, err := url.Parse(cmd.Endpoint); err == nil && endpoint.Scheme == "http" && endpoint.Port() != "" {
		if host, err := netip.ParseAddr(endpoint.Hostname()); err == nil && host.IsLoopback() {
			flags = append(flags, delegation.Flag{Name: "internal-listen", Value: endpoint.Host})
		}
	}
	if plan.PepperFile != "" {
		flags = append(flags, delegation.Flag{Name: "synapse-pepper-file", Value: plan.PepperFile, File: "pepper"})
	}
	if u, err := url.Parse(config.PublicURL()); err == nil && u.Host != "" {
		flags = append(flags, delegation.Flag{Name: "public-url", Value: u.String()})
	}
	carried, err := config.Carried()
	return append(append(flags, carried...), delegation.Flag{Name: "trusted-proxy", Value: "127.0.0.1"}), err
}

// serveLine writes the command for a shell.
func serveLine(flags []delegation.Flag) string {
	line := "postern serve"
	for _, f := range flags {
		if line += " --" + f.Name; f.Value != "" {
			line += " " + shellWord(handlers.Printable(f.Value))
		}
	}
	return line
}

// dropIn writes it as a part of a unit. systemd hands over the files that Postern's user may not read.
func dropIn(flags []delegation.Flag) string {
	text, start := "  [Service]\n  LoadCredential=\n", "/usr/local/bin/postern serve"
	given := make(map[string]bool)
	for _, f := range flags {
		start += " --" + f.Name
		switch {
		case f.File != "":
			name := f.File
			for n := 2; given[name]; n++ { // two files of one name in two folders
				name = fmt.Sprintf("%d-%s", n, f.File)
			}
			given[name] = true
			text += "  LoadCredential=" + unitEscape(name+":"+f.Value) + "\n"
			start += " " + unitWord("%d/", name)
		case f.Name == "db" && !strings.Contains(f.Value, "://"):
			path, err := filepath.Abs(f.Value)
			if err != nil {
				path = f.Value
			}
			start += " " + unitWord("", path)
		case f.Value != "":
			start += " " + unitWord("", f.Value)
		}
	}
	return text + "  ExecStart=\n  ExecStart=" + start + "\n"
}

// unitEscape writes text where systemd replaces what begins with a percent sign.
func unitEscape(text string) string { return strings.ReplaceAll(handlers.Printable(text), "%", "%%") }

// unitWord writes a word of ExecStart, after a prefix that systemd replaces (systemd.service, "Command lines").
func unitWord(prefix, text string) string {
	word := prefix + strings.ReplaceAll(unitEscape(text), "$", "$$")
	if strings.ContainsAny(word, " \"'\\") {
		word = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
	}
	return word
}
