package cli

import (
	"bytes"
	"context"
	"net/http"

	"postern/homeserver/delegation"
)

// bridges asks Postern about each application service that Synapse has: it must have been started with all of them.
func (d *doctor) bridges(ctx context.Context) {
	services, err := d.config.Services()
	if err != nil {
		d.warn("not every application service's registration can be read: "+err.Error(),
			"look whether Postern is started with --appservice for each")
	}
	if len(services) == 0 {
		return
	}
	here := d.moved && d.atPostern(ctx)
	names, unknown := make([]string, 0, len(services)), []string(nil)
	for _, s := range services {
		names = append(names, s.ID)
		if here && !d.knows(ctx, s) {
			unknown = append(unknown, s.File)
		}
	}
	switch {
	case !d.moved:
		d.warn("Synapse has "+d.some(names, "application service")+", which Postern must know",
			"start it with --appservice FILE for each of app_service_config_files")
	case len(unknown) > 0:
		d.problem("Postern does not know every application service: it was started without "+d.some(unknown, "file"),
			"start it with --appservice FILE for each; they cannot log in as their users, nor register them")
	case here:
		d.ok("%s known to both", d.some(names, "application service"))
	}
}

// atPostern reports whether it is Postern that listens on --listen; Synapse has a page of that name too, which is not
// JSON.
func (d *doctor) atPostern(ctx context.Context) bool {
	r := ask(ctx, http.MethodGet, "http://"+d.Listen+"/health", "", "")
	return bytes.HasPrefix(r.body, []byte("{"))
}

// knows reports whether Postern knows a service's token. What is asked is a login as a user that no service can have.
func (d *doctor) knows(ctx context.Context, s delegation.Service) bool {
	const nobody = `{"type":"m.login.application_service","identifier":{"type":"m.id.user","user":"@postern-doctor:invalid"}}`
	return ask(ctx, http.MethodPost, "http://"+d.Listen+"/_matrix/client/v3/login", s.Token,
		nobody).code == "M_EXCLUSIVE"
}
