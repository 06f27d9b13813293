package cli

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"postern/homeserver"
	"postern/homeserver/appservice"
	"postern/homeserver/delegation"
)

// homeserverFlags say which homeserver stands behind, as they were written.
type homeserverFlags struct {
	Homeserver       string   `env:"POSTERN_HOMESERVER" placeholder:"URL" help:"Stand in front of this Synapse: what is not Postern's streams through to it."`
	HomeserverSecret string   `name:"homeserver-secret-file" env:"POSTERN_HOMESERVER_SECRET_FILE" placeholder:"FILE" help:"File with the secret that stands in Synapse's matrix_authentication_service."`
	InternalListen   string   `env:"POSTERN_INTERNAL_LISTEN" placeholder:"ADDRESS" help:"Answer Synapse's questions about tokens on an address of their own, and not on --listen."`
	ExposeAdmin      bool     `env:"POSTERN_EXPOSE_ADMIN" help:"Serve Synapse's admin API, /_synapse/admin: Postern answers what is about accounts, the rest passes to the homeserver."`
	SharedSecret     string   `name:"registration-shared-secret-file" env:"POSTERN_REGISTRATION_SHARED_SECRET_FILE" placeholder:"FILE" help:"File with the secret by which register_new_matrix_user makes accounts, Synapse's registration_shared_secret; needs --expose-admin."`
	Appservice       []string `name:"appservice" env:"POSTERN_APPSERVICE" placeholder:"FILE" help:"Registration file of an application service that Synapse has too; may be repeated."`
}

// homeserverSettings are where the homeserver is, and how Postern stands before it.
type homeserverSettings struct {
	url         *url.URL // without a path
	secret      string
	internal    string // where the homeserver's questions are answered; empty: where everything is
	exposeAdmin bool
	registering string // the secret by which the admin API makes accounts; empty: it makes none so
	bridges     *appservice.Services
}

// options are those of the peer; without a homeserver they are empty.
func (h *homeserverSettings) options() homeserver.Options {
	if h == nil {
		return homeserver.Options{}
	}
	return homeserver.Options{URL: h.url.String(), Secret: h.secret, RegistrationSecret: h.registering,
		Services: h.bridges}
}

// settings understands the flags, or tells everything that is wrong with them. It gives nil when Postern stands alone.
func (f *homeserverFlags) settings(serverName string) (*homeserverSettings, []error) {
	if f.Homeserver == "" {
		if f.HomeserverSecret != "" || f.InternalListen != "" || f.ExposeAdmin || f.SharedSecret != "" ||
			len(f.Appservice) > 0 {
			return nil, []error{errors.New(
				"--homeserver-secret-file, --internal-listen, --expose-admin, --registration-shared-secret-file and " +
					"--appservice need --homeserver, the URL of your Synapse")}
		}
		return nil, nil
	}
	var problems []error
	h := &homeserverSettings{internal: f.InternalListen, exposeAdmin: f.ExposeAdmin}
	at := serverURL(f.Homeserver)
	if at == nil || strings.Trim(at.Path, "/") != "" {
		problems = append(problems, fmt.Errorf(
			"--homeserver %q is not the URL of a server; write it like http://127.0.0.1:8008", f.Homeserver))
	} else {
		h.url = &url.URL{Scheme: at.Scheme, Host: at.Host}
	}
	var err error
	if h.secret, err = homeserverSecret(f.HomeserverSecret); err != nil {
		problems = append(problems, err)
	}
	if f.InternalListen != "" {
		if err := address("--internal-listen", f.InternalListen, "127.0.0.1:8009"); err != nil {
			problems = append(problems, err)
		}
	}
	if h.registering, err = f.registrationSecret(); err != nil {
		problems = append(problems, fmt.Errorf("--registration-shared-secret-file: %w", err))
	}
	services, wrong := appservice.Read(serverName, f.Appservice)
	for _, problem := range wrong {
		problems = append(problems, fmt.Errorf("--appservice: %w", problem))
	}
	h.bridges = services
	return h, problems
}

// registrationSecret reads the secret by which the admin API makes accounts; empty: it makes none so.
func (f *homeserverFlags) registrationSecret() (string, error) {
	switch {
	case f.SharedSecret == "":
		return "", nil
	case !f.ExposeAdmin:
		return "", errors.New("it is for the admin API; add --expose-admin")
	}
	return delegation.ReadRegistrationSecret(f.SharedSecret)
}

// serverURL reads where a server is: a host, and perhaps a port and a path; nil if the text says anything else.
func serverURL(text string) *url.URL {
	at, err := url.Parse(text)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || at.User != nil ||
		at.RawQuery != "" || at.Fragment != "" {
		return nil
	}
	return at
}

// homeserverSecret reads the shared secret.
func homeserverSecret(file string) (string, error) {
	if file == "" {
		return "", errors.New("--homeserver needs --homeserver-secret-file: a file with the secret of Synapse's " +
			"matrix_authentication_service; `postern synapse setup` makes both")
	}
	secret, err := delegation.ReadSecret(file)
	if err != nil {
		return "", fmt.Errorf("--homeserver-secret-file: %w", err)
	}
	return secret, nil
}
