package doctor

import (
	"bytes"
	"context"
	"net/http"

	"postern/homeserver/delegation"
)

// services asks Postern about each application service that Synapse has: it must have been started with all of them.
func (x *examination) services(ctx context.Context) {
	services, err := x.Synapse.Services()
	if err != nil {
		x.warn("not every application service's registration can be read: "+err.Error(),
			"look whether Postern is started with --appservice for each")
	}
	if len(services) == 0 {
		return
	}
	running := x.delegated && x.posternListens(ctx)
	names, unknown := make([]string, 0, len(services)), []string(nil)
	for _, s := range services {
		names = append(names, s.ID)
		if running && !x.posternHas(ctx, s) {
			unknown = append(unknown, s.File)
		}
	}
	switch {
	case !x.delegated:
		x.warn("Synapse has "+some(names, "application service")+", which Postern must know",
			"start it with --appservice FILE for each; `postern synapse setup` prints the command")
	case len(unknown) > 0:
		x.problem("Postern does not know every application service: it was started without "+some(unknown, "file"),
			"start it with --appservice FILE for each; they cannot log in as their users, nor register them")
	case running:
		x.ok("%s known to both", some(names, "application service"))
	}
}

// posternListens reports whether it is Postern that listens on --listen; Synapse has a page of that name too, which is
// not JSON.
func (x *examination) posternListens(ctx context.Context) bool {
	a := ask(ctx, http.MethodGet, "http://"+x.Listen+"/health", "", "")
	return bytes.HasPrefix(a.body, []byte("{"))
}

// posternHas reports whether Postern was started with a service. It tries to log in as a user that no service can have:
// whoever has no service of that token refuses the token before that.
func (x *examination) posternHas(ctx context.Context, s delegation.Service) bool {
	const body = `{"type":"m.login.application_service",` +
		`"identifier":{"type":"m.id.user","user":"@postern-doctor:invalid"}}`
	return ask(ctx, http.MethodPost, "http://"+x.Listen+"/_matrix/client/v3/login", s.Token, body).code == "M_EXCLUSIVE"
}
