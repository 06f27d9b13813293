package homeserver

import (
	"context"
	"encoding/json"
	"net/http"

	"postern/gen"
	"postern/handlers"
	"postern/homeserver/amend"
	"postern/tokens"
)

// signingKeysUpload is the operation by which a user's cross-signing keys are set, behind its version.
const signingKeysUpload = "keys/device_signing/upload"

// uploadSigningKeys is POST /keys/device_signing/upload. The keys are the homeserver's; whether they may replace others
// is proved here. Client-Server API v1.19, "POST /keys/device_signing/upload".
//
// First keys, and those that are there already, need no proof, which only the homeserver can tell. So a request that
// brings none is tried as it is; when the homeserver refuses it, our own challenge takes the place of the homeserver's.
// A client of the OAuth 2.0 API sends its user to the account page, see [Gate.askOnPage]; others ask for the password.
func (g *Gate) uploadSigningKeys(w http.ResponseWriter, r *http.Request, next http.Handler) error {
	if g.isService(handlers.AccessToken(r)) {
		next.ServeHTTP(w, r)
		return nil
	}
	ctx, _, err := g.userOf(r)
	if err != nil {
		return err
	}
	body, err := amend.BodyOf(w, r)
	if err != nil {
		return err
	}
	auth, err := authOf(body)
	if err != nil {
		return err
	}
	keys := amend.WithBody(ctx, r, body.Without([]string{"auth"}))
	onPage := g.server.Config.OAuth != nil && handlers.CallerOf(ctx).Session.ClientID != ""
	if onPage || auth == nil || auth.Type == nil {
		first, err := amend.Ask(next, keys)
		if err != nil {
			return err
		}
		if !wantsProof(first) {
			first.Forward(w)
			return nil
		}
		if onPage {
			g.askOnPage(w)
			return nil
		}
		keys = amend.WithBody(ctx, r, body.Without([]string{"auth"}))
	}
	if err := g.mayReplaceKeys(ctx, body.Without([]string{"auth"}), auth); err != nil {
		return err
	}
	next.ServeHTTP(w, keys)
	return nil
}

// userOf checks the access token like [Gate.Exchange] will, and puts whose it is into the context. Its use is noted
// there.
func (g *Gate) userOf(r *http.Request) (context.Context, tokens.Claims, error) {
	who, text := g.server.Caller(r), handlers.AccessToken(r)
	if text == "" {
		return nil, tokens.Claims{}, amend.Refused(http.StatusUnauthorized, "M_MISSING_TOKEN", "Missing access token.")
	}
	claims, session, err := g.admit(r.Context(), who, text, r.Method, handlers.AsSent(r.URL))
	who.Session = session
	return handlers.WithCaller(r.Context(), who), claims, err
}

// mayReplaceKeys does the stages and lets the homeserver know. While that is away the stages stay done: the client asks
// again.
func (g *Gate) mayReplaceKeys(ctx context.Context, keys json.RawMessage, auth *gen.AuthData) error {
	proof, err := g.server.Prove(ctx, handlers.Sensitive{
		Method: http.MethodPost, Path: signingKeysUpload, Body: keys,
		Deed: handlers.Deed{Text: "deedKeys", Words: "The account's cross-signing keys are replaced by " +
			"others: its devices count as unverified, and the people it talks to are warned that its identity has " +
			"changed."},
	}, auth)
	if err != nil {
		return err
	}
	if err := g.peer.AllowKeyReset(ctx, handlers.CallerOf(ctx).Session.Localpart); err != nil {
		return err
	}
	return proof.Spend(ctx)
}

// askOnPage challenges a client of the OAuth 2.0 API, which has no password to ask for: its user agrees on the account
// page, and it sends the same request again. The homeserver remembers that the user agreed, and there is nothing to
// remember here, so every such session has one name. Client-Server API v1.19, "OAuth authentication"; the second flow
// has the name from before, MSC4312.
//
// The homeserver's own challenge says the same, but with the address that it read when it started.
func (g *Gate) askOnPage(w http.ResponseWriter) {
	page := map[string]string{"url": g.server.PublicURL + handlers.AccountPath + "?action=" + stageReset}
	handlers.OpenToBrowsers(w.Header())
	reply(w, http.StatusUnauthorized, gen.AuthResponse{
		Session: "account-page",
		Flows:   []gen.AuthFlow{{Stages: []string{stageOAuth}}, {Stages: []string{stageReset}}},
		Params:  map[string]any{stageOAuth: page, stageReset: page},
	})
}

const (
	stageOAuth = "m.oauth"
	stageReset = "org.matrix.cross_signing_reset" // and the action of the page
)

// authOf is the step of user-interactive authentication that a body brings, or nil.
func authOf(body amend.Object) (*gen.AuthData, error) {
	text := body.Get("auth")
	if text == nil {
		return nil, nil
	}
	auth := new(gen.AuthData)
	if err := json.Unmarshal(text, auth); err != nil {
		return nil, &handlers.Error{Status: http.StatusBadRequest, Code: "M_BAD_JSON",
			Message: "Wrong type of parameter: auth", Cause: err}
	}
	return auth, nil
}

// wantsProof recognizes the homeserver's own challenge.
func wantsProof(rec *amend.Answer) bool {
	var challenge struct {
		Errcode string            `json:"errcode"`
		Flows   []json.RawMessage `json:"flows"`
	}
	return rec.Status == http.StatusUnauthorized && rec.Read(&challenge) == nil && len(challenge.Flows) > 0
}
