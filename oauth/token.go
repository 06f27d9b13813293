package oauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"postern/db"
	"postern/gen"
	"postern/handlers"
	"postern/oauth/protocol"
)

// refusal is an error of package protocol on its way to the client.
func refusal(e *protocol.Error) *handlers.OAuthError {
	return &handlers.OAuthError{Status: http.StatusBadRequest, Code: e.Code, Description: e.Description}
}

func refused(code, description string) *handlers.OAuthError {
	return refusal(&protocol.Error{Code: code, Description: description})
}

// over refuses a code or a refresh token for good: the client ends the session for it.
func over(description string, cause error) *handlers.OAuthError {
	e := refused(protocol.InvalidGrant, description)
	e.Cause = cause
	return e
}

// grants are how each kind of grant is exchanged for a pair.
var grants = map[string]func(*API, context.Context, *gen.TokenRequest) (gen.TokenResponseObject, error){
	protocol.GrantCode: (*API).redeem, protocol.GrantRefresh: (*API).refresh, protocol.GrantDevice: (*API).poll,
}

// Token implements POST /oauth2/token. RFC 6749, sections 4.1.3 and 6; RFC 8628, section 3.4.
func (a *API) Token(ctx context.Context, request gen.TokenRequestObject) (gen.TokenResponseObject, error) {
	form := request.Body
	grant, served := grants[form.GrantType]
	switch {
	case form.GrantType == "":
		return nil, refused(protocol.InvalidRequest, "grant_type is missing; send a form")
	case !served:
		return nil, refused(protocol.UnsupportedGrantType,
			"authorization_code, refresh_token and "+protocol.GrantDevice+" are served")
	case value(form.ClientID) == "":
		return nil, refused(protocol.InvalidRequest, "client_id is missing")
	}
	return grant(a, ctx, form)
}

// refresh exchanges a refresh token for the pair in force. Client-Server API v1.19, "Refresh token grant".
func (a *API) refresh(ctx context.Context, form *gen.TokenRequest) (gen.TokenResponseObject, error) {
	token := value(form.RefreshToken)
	if token == "" {
		return nil, refused(protocol.InvalidRequest, "refresh_token is missing")
	}
	pair, err := a.server.RefreshGranted(ctx, *form.ClientID, token)
	switch {
	case errors.Is(err, handlers.ErrGrantOver):
		return nil, over("the refresh token is not good, or no longer, or not this client's", err)
	case err != nil:
		return nil, err
	}
	return a.answer(ctx, pair), nil
}

// redeem starts the session of a code. Client-Server API v1.19, "Authorization code grant".
func (a *API) redeem(ctx context.Context, form *gen.TokenRequest) (gen.TokenResponseObject, error) {
	c, ok := a.openCode(fromBrowser, value(form.Code))
	if !ok {
		return nil, over("the code is none of this server's", nil)
	}
	if c.ClientID != *form.ClientID || c.RedirectURI != value(form.RedirectURI) ||
		!c.Challenge.Fits(value(form.CodeVerifier)) {
		return nil, a.deny(ctx, c, "client_id, redirect_uri or code_verifier is not the one that the code was made for")
	}
	return a.exchange(ctx, c)
}

// exchange gives the pair of the session that somebody has agreed to.
func (a *API) exchange(ctx context.Context, c code) (gen.TokenResponseObject, error) {
	pair, err := a.start(ctx, c)
	switch {
	case errors.Is(err, db.ErrTokenSpent), errors.Is(err, db.ErrConflict), errors.Is(err, db.ErrNotFound):
		return a.redeemAgain(ctx, c)
	case err != nil:
		return nil, err
	}
	return a.answer(ctx, pair), nil
}

// start starts the session, once, and if the account is what it was.
func (a *API) start(ctx context.Context, c code) (handlers.Pair, error) {
	account, err := a.server.DB.User(ctx, c.Localpart)
	if err != nil {
		return handlers.Pair{}, err
	}
	if !c.of(account) {
		return handlers.Pair{}, db.ErrConflict
	}
	return a.server.StartGranted(ctx, handlers.Grant{
		Account: account, ClientID: c.ClientID, DeviceID: c.DeviceID,
		Name: deviceName(c.Name, handlers.CallerOf(ctx).Agent),
		ID:   c.session(), Code: c.spent(), CodeEnds: c.expires,
	})
}

// againDevice is the same for a device, which may wait so long before it asks again (RFC 8628, section 3.5).
const againDevice = 2 * maxPollEvery

// again is how long after the first redemption of a code the same client gets the same pair: as long as it may take to
// notice that the answer was lost.
const again = 20 * time.Second

// redeemAgain answers a code that was redeemed before, whose time is over, or whose account is not what it was when the
// code was made. A lock passes, so it refuses nothing for good.
func (a *API) redeemAgain(ctx context.Context, c code) (gen.TokenResponseObject, error) {
	session, _, err := a.server.DB.Session(ctx, c.session())
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return nil, err
	}
	fresh := err == nil && session.Generation == 1 && session.Used.IsZero() && session.State == db.Live &&
		a.server.Now().Sub(session.Created) <= c.again()
	switch {
	case !fresh:
		return nil, a.deny(ctx, c, "the code was redeemed before, is too old, or its account has changed since")
	case session.Locked:
		return nil, db.ErrLocked
	}
	pair, err := a.server.PairAgain(ctx, session)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, pair), nil
}

// again is how long the code's pair is given again.
func (c code) again() time.Duration {
	if c.UserCode != "" {
		return againDevice
	}
	return again
}

// suspicion is how long after a code's end a second use is taken for a theft.
const suspicion = 10 * time.Minute

// deny refuses a code. If it was redeemed, one of the two who have it is a thief, and its session is logged out softly.
// RFC 6749, section 4.1.2; RFC 9700, section 4.5.
func (a *API) deny(ctx context.Context, c code, why string) error {
	if a.server.Now().After(c.expires.Add(suspicion)) {
		return over(why, nil) // an old one may lie in a browser's history
	}
	if err := a.soften(ctx, c); err != nil {
		return err
	}
	return over(why, nil)
}

// soften logs the session of a code out softly, if there is one, and writes down why. Whoever has a code can ask for it
// again and again, so nothing is written unless there is something to end.
func (a *API) soften(ctx context.Context, c code) error {
	session, _, err := a.server.DB.Session(ctx, c.session())
	if errors.Is(err, db.ErrNotFound) || err == nil && session.State != db.Live {
		return nil
	}
	if err != nil {
		return err
	}
	who := handlers.CallerOf(ctx)
	return a.server.DB.WriteFor(ctx, session.Localpart, func(t *db.Tx) error {
		_, err := t.Soften(db.Event{At: who.Now, Kind: db.EventCodeReplay, Session: session.ID, Addr: who.Addr.String(),
			Agent: who.Agent})
		return err
	})
}

// answer is the pair as RFC 6749, section 5.1, has it. The scope is always there, since older clients take its absence
// for OpenID Connect's.
func (a *API) answer(ctx context.Context, p handlers.Pair) gen.Token200JSONResponse {
	answer := gen.Token200JSONResponse{AccessToken: p.Access, TokenType: "Bearer", RefreshToken: some(p.Refresh),
		Scope: protocol.ScopeOf(p.Session.DeviceID)}
	if !p.Expires.IsZero() {
		left := int64(p.Expires.Sub(handlers.CallerOf(ctx).Now) / time.Second)
		answer.ExpiresIn = &left
	}
	return answer
}

// Revoke implements POST /oauth2/revoke. Whoever holds a token may end its session, for another client's too, so that
// what was leaked can be revoked by who finds it. Client-Server API v1.19, "Token revocation"; RFC 7009.
func (a *API) Revoke(ctx context.Context, request gen.RevokeRequestObject) (gen.RevokeResponseObject, error) {
	if request.Body.Token == "" {
		return nil, refused(protocol.InvalidRequest, "token is missing; send a form")
	}
	return gen.Revoke200JSONResponse{}, a.server.RevokeToken(ctx, request.Body.Token)
}
