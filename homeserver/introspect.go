package homeserver

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern/db"
	"postern/gen/introspection"
	"postern/handlers"
	"postern/tokens"
)

// What the homeserver asks has a contract of its own, api/introspection.yaml, since it is no part of the client-server
// API. Its types are generated. It is routed by hand: where it is answered is the operator's choice. Synapse's
// api/auth/mas.py says what is read of it.

// Paths of what the homeserver asks.
const (
	IntrospectPath = "/oauth2/introspect"
	DiscoveryPath  = "/.well-known/openid-configuration"
)

// maxQuestion bounds a question: a token is at most 8 KiB.
const maxQuestion = 32 << 10

// Internal answers what the homeserver asks, and nothing else.
func (g *Gate) Internal() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+IntrospectPath, g.introspect)
	if g.server.Config.OAuth != nil {
		mux.Handle(DiscoveryPath, g.server.Handler()) // clients' metadata say the same and more
	} else {
		mux.HandleFunc("GET "+DiscoveryPath, g.discover)
	}
	return mux
}

// introspect tells the homeserver whom an access token belongs to. RFC 7662, section 2. Whatever is wrong with the
// token, the answer is 200 and inactive; whatever is wrong here, it is not: Synapse answers 503 then, and nobody
// forgets a session.
func (g *Gate) introspect(w http.ResponseWriter, r *http.Request) {
	if !g.fromHomeserver(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, http.StatusUnauthorized, "invalid_client", "the secret is not the one in --homeserver-secret-file")
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuestion))
	form, wrong := url.ParseQuery(string(raw))
	if err != nil || wrong != nil || !form.Has("token") {
		refuse(w, http.StatusBadRequest, "invalid_request", "send a form with the field token")
		return
	}
	found, err := g.inspect(r.Context(), introspection.Question{Token: form.Get("token")})
	if err != nil {
		g.server.Refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, found)
}

func refuse(w http.ResponseWriter, status int, code, description string) {
	reply(w, status, introspection.Refusal{Error: code, ErrorDescription: &description})
}

// fromHomeserver reports whether it is the homeserver that asks.
func (g *Gate) fromHomeserver(r *http.Request) bool {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") &&
		subtle.ConstantTimeCompare([]byte(secret), []byte(g.peer.Secret)) == 1
}

// inspect judges a token of which nothing is known but its text. A caveat about the request (method, path, addr) does
// not hold then, so a restricted token is inactive: only who sees the request can judge it. That it was seen is not
// noted: it is the homeserver who shows it.
func (g *Gate) inspect(ctx context.Context, q introspection.Question) (introspection.Answer, error) {
	now := g.server.Now()
	claims, session, err := g.server.Admit(ctx, q.Token, tokens.Request{Now: now})
	switch {
	case handlers.IsStatus(err, http.StatusUnauthorized), handlers.IsStatus(err, http.StatusForbidden):
		return introspection.Answer{}, nil
	case err != nil:
		return introspection.Answer{}, err
	}
	user, scope := string(handlers.NewUserID(session.Localpart, g.server.ServerName)), scope(session)
	return introspection.Answer{
		Active: true, Scope: &scope, Username: &session.Localpart, Sub: &user, DeviceID: &session.DeviceID,
		ExpiresIn: secondsTo(claims.Expires, now),
	}, nil
}

// scope is what a session may do, as words between spaces. A device id that is no such word is told by device_id alone,
// which Synapse reads first. MSC2967; RFC 6749, section 3.3. The API has its unstable name too: Synapse 1.136 and 1.137
// know no other, and answer 503 without it.
func scope(session db.Session) string {
	scope := "urn:matrix:client:api:* urn:matrix:org.matrix.msc2967.client:api:*"
	if !strings.ContainsFunc(session.DeviceID,
		func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		scope += " urn:matrix:client:device:" + session.DeviceID
	}
	if session.Admin {
		scope += " urn:synapse:admin:*"
	}
	return scope
}

// secondsTo rounds up: what is good for less than a second is good, and Synapse would take a zero for the past.
func secondsTo(end, now time.Time) *int64 {
	if end.IsZero() {
		return nil
	}
	seconds := int64((end.Sub(now) + time.Second - 1) / time.Second)
	return &seconds
}

// discover tells the homeserver the two things that it insists on knowing. It shows them to clients too, in places that
// the front answers itself or takes them out of.
func (g *Gate) discover(w http.ResponseWriter, r *http.Request) {
	base := g.server.PublicURL
	if base == "" {
		base = "http://" + r.Host
	}
	reply(w, http.StatusOK, struct { // in the order that it always had
		Issuer        string `json:"issuer"`
		Account       string `json:"account_management_uri"`
		Introspection string `json:"introspection_endpoint"`
	}{base + "/", base + "/", "http://" + r.Host + IntrospectPath})
}

// reply writes JSON that no cache keeps.
func reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // unreachable: strings and numbers
		status = http.StatusInternalServerError
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the homeserver asks again if it did not hear
}
