package handlers

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"postern/gen"
	"postern/tokens"
)

// signingKeysUpload is the operation by which a user's cross-signing keys are set, behind its version.
const signingKeysUpload = "keys/device_signing/upload"

// uploadSigningKeys is POST /keys/device_signing/upload. The keys are the homeserver's; whether they may replace others
// is proved here. Client-Server API v1.19, "POST /keys/device_signing/upload".
//
// First keys, and those that are there already, need no proof, which only the homeserver can tell. So a request that
// brings none is tried as it is; when the homeserver refuses it, our own challenge takes the place of the homeserver's,
// which would send the user to a web page.
func (s *Server) uploadSigningKeys(c echo.Context, next http.Handler) error {
	if s.isService(accessToken(c)) {
		next.ServeHTTP(c.Response(), c.Request())
		return nil
	}
	ctx, err := s.userOf(c)
	if err != nil {
		return err
	}
	body, err := bodyOf(c)
	if err != nil {
		return err
	}
	auth, err := authOf(body)
	if err != nil {
		return err
	}
	keys := sent(ctx, c.Request(), body.without("auth"))
	if auth == nil || auth.Type == nil {
		first, err := ask(next, keys)
		if err != nil {
			return err
		}
		if !first.wantsProof() {
			first.forward(c.Response())
			return nil
		}
		keys = sent(ctx, c.Request(), body.without("auth"))
	}
	if err := s.mayReplaceKeys(ctx, auth); err != nil {
		return err
	}
	next.ServeHTTP(c.Response(), keys)
	return nil
}

// userOf checks the access token like [Server.Exchange] will, and puts whose it is into the context. Its use is noted
// there.
func (s *Server) userOf(c echo.Context) (context.Context, error) {
	r, who, text := c.Request(), s.callerFrom(c), accessToken(c)
	if text == "" {
		return nil, missingToken("Missing access token.")
	}
	path := asSent(r.URL)
	_, session, err := s.admitAs(r.Context(), text, tokens.Request{Now: who.now, Method: r.Method, Addr: who.addr},
		s.names.today(path), path)
	who.session = session
	return context.WithValue(r.Context(), callerKey{}, who), err
}

// mayReplaceKeys does the stages and lets the homeserver know. While that is away the stages stay done: the client asks
// again.
func (s *Server) mayReplaceKeys(ctx context.Context, auth *gen.AuthData) error {
	i, err := s.prove(ctx, http.MethodPost, signingKeysUpload, auth)
	if err != nil {
		return err
	}
	if err := s.homeserver.AllowReset(ctx, callerOf(ctx).session.Localpart); err != nil {
		return homeserverAway(err)
	}
	return s.spend(ctx, i)
}

// authOf is the step of user-interactive authentication that a body brings, or nil.
func authOf(body object) (*gen.AuthData, error) {
	text := body.get("auth")
	if text == nil {
		return nil, nil
	}
	auth := new(gen.AuthData)
	if err := json.Unmarshal(text, auth); err != nil {
		return nil, badRequest("M_BAD_JSON", "Wrong type of parameter: auth").because(err)
	}
	return auth, nil
}

// wantsProof recognizes the homeserver's own challenge.
func (k *held) wantsProof() bool {
	var challenge struct {
		Errcode string            `json:"errcode"`
		Flows   []json.RawMessage `json:"flows"`
	}
	return k.status == http.StatusUnauthorized && k.read(&challenge) == nil && len(challenge.Flows) > 0
}
