package homeserver

import (
	"slices"
	"strings"

	"postern/handlers"
	"postern/homeserver/front"
)

// Synapse serves most of its operations under several releases, and clients of all ages have kept the one that they
// were written with. So in front of it the contract's operations are found whatever release a client writes.

// clientAPI is what all operations of the client-server API lie below.
const clientAPI = "/_matrix/client/"

// releases are what a path may have after that, in the order in which they are tried.
var releases = []string{"v3/", "v1/", "api/v1/", "r0/", "unstable/"}

const tokenValidity = "register/m.login.registration_token/validity"

// earlier are names that an operation had before it was in the specification, below a release.
var earlier = map[string]string{
	"org.matrix.msc2965/auth_metadata": "auth_metadata",
	"org.matrix.msc2965/auth_issuer":   "auth_metadata", // its predecessor, of which the metadata have all that it had
	"auth_issuer":                      "auth_metadata",
	"org.matrix.msc2918/refresh":       "refresh",

	"org.matrix.msc3231/register/org.matrix.msc3231.login.registration_token/validity": tokenValidity,

	"register/org.matrix.msc3231.login.registration_token/validity": tokenValidity,
}

// Operation says what a request means and who answers it. An application service's own token takes what needs a token
// to the homeserver.
func (g *Gate) Operation(method, path, token string) front.Operation {
	if g.internal != nil && (path == IntrospectPath || path == DiscoveryPath) {
		return front.Operation{Path: path, Handler: g.internal}
	}
	if op, found := g.admin.Operation(method, path); found {
		return op
	}
	op := front.Operation{Path: g.name(path), Open: needsNoToken(method, path)}
	if g.answers(op.Path) && !g.passes(method, op.Path, token) {
		op.Handler = g.server.Handler()
	}
	if op.Amend = g.amendments[method+" "+op.Path]; op.Amend == nil {
		op.Amend = g.amendments[method+" "+op.Path[:strings.LastIndexByte(op.Path, '/')+1]]
	}
	switch method + " " + op.Path {
	case "GET " + clientAPI + "versions":
		op.Edit = g.editVersions()
	case "GET " + clientAPI + "v3/capabilities":
		op.Edit = g.editCapabilities
	case "GET /.well-known/matrix/client":
		op.Edit = editWellKnown
	}
	return op
}

// name is the contract's name of a path as it came, escaped, or else [handlers.Alias]'s.
func (g *Gate) name(path string) string {
	if g.server.HasPath(path) {
		return path
	}
	rest, found := strings.CutPrefix(path, clientAPI)
	if !found {
		return handlers.Alias(path)
	}
	for _, release := range releases {
		if below, found := strings.CutPrefix(rest, release); found {
			if name := earlier[below]; name != "" {
				below = name
			}
			for _, release := range releases[:3] {
				if name := clientAPI + release + below; g.server.HasPath(name) {
					return name
				}
			}
		}
	}
	return handlers.Alias(path)
}

// leftToHomeserver are the contract's paths that the homeserver answers when there is one: what it can do is more.
var leftToHomeserver = []string{clientAPI + "versions", clientAPI + "v3/capabilities"}

// answers reports whether this server answers a path, and not the homeserver. The path is the contract's name.
func (g *Gate) answers(name string) bool {
	switch {
	case name == "/health":
		return true
	case name == "/.well-known/matrix/client":
		return g.server.PublicURL != ""
	}
	return g.server.HasPath(name) && !slices.Contains(leftToHomeserver, name)
}
