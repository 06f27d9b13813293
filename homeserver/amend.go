package homeserver

import (
	"encoding/json"
	"net/http"
)

// Some requests are answered by the homeserver, and yet this server has a part in them: it does the stages that the
// homeserver leaves to it, or makes the login that the homeserver may not make. They are read, changed and sent on; all
// that is not changed stays byte for byte as it came, since it may be signed.

// Amendment answers a request by way of next, which takes the request it is given to whoever answers it otherwise.
type Amendment = func(w http.ResponseWriter, r *http.Request, next http.Handler)

// newAmendments lists what this server does with requests before the homeserver has them.
func (g *Gate) newAmendments() map[string]Amendment {
	all := make(map[string]Amendment)
	for _, version := range []string{"v3", "r0", "unstable"} {
		all["POST "+clientAPI+version+"/"+signingKeysUpload] = g.amendment(g.uploadSigningKeys)
	}
	if g.peer.Services.Any() {
		all["POST "+registerPath] = g.amendment(g.registerForService)
		all["DELETE "+devicesBelow] = g.amendment(g.deleteForService)
	}
	return all
}

// passes reports whether a request is the homeserver's to answer although this server has the operation: it asks for
// what needs a token, and brings an application service's own, which says nothing to us. What needs none, such as a
// login and the list of ways to log in, is answered here, whoever asks; but for a registration, which comes back from
// registerForService, and a password, which may be changed without a token.
func (g *Gate) passes(method, path, token string) bool {
	if !g.isService(token) {
		return false
	}
	id, secured, found := g.server.Operation(method, path)
	return !found || secured || id == "register" || id == "changePassword"
}

// amendment answers errors like those of any operation.
func (g *Gate) amendment(f func(http.ResponseWriter, *http.Request, http.Handler) error) Amendment {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		g.server.Answer(w, r, "amended", func(w http.ResponseWriter, r *http.Request) error { return f(w, r, next) })
	}
}

// editCapabilities overwrites the fields that this server is responsible for in the homeserver's answer to GET
// /capabilities. Client-Server API v1.19, "Capabilities negotiation".
func (g *Gate) editCapabilities(object map[string]json.RawMessage) {
	merge(object, "capabilities", g.server.Capabilities())
}

// merge overwrites what an object's field, an object too, has under the names that this server has.
func merge(object map[string]json.RawMessage, field string, own any) {
	all := make(map[string]json.RawMessage)
	if json.Unmarshal(object[field], &all) != nil || all == nil {
		all = make(map[string]json.RawMessage)
	}
	text, err := json.Marshal(own)
	if err != nil || json.Unmarshal(text, &all) != nil { // unreachable
		return
	}
	if text, err := json.Marshal(all); err == nil {
		object[field] = text
	}
}

// editVersions adds to the homeserver's answer to GET /versions the drafts that this server serves; nil if there are
// none. Client-Server API v1.19, "API versions".
func (g *Gate) editVersions() func(map[string]json.RawMessage) {
	own := g.server.UnstableFeatures()
	if own == nil {
		return nil
	}
	return func(object map[string]json.RawMessage) { merge(object, "unstable_features", own) }
}

// editWellKnown takes out of the homeserver's /.well-known/matrix/client what it says of an OAuth server, which would
// lead clients there.
func editWellKnown(object map[string]json.RawMessage) {
	delete(object, "org.matrix.msc2965.authentication")
	delete(object, "m.authentication")
}
