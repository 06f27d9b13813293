package oauth

import (
	"context"
	"encoding/json"
	"errors"

	"postern/db"
	"postern/gen"
	"postern/handlers"
	"postern/oauth/protocol"
)

// RegisterClient implements POST /oauth2/registration. Client-Server API v1.19, "Client registration"; RFC 7591.
func (a *API) RegisterClient(ctx context.Context, request gen.RegisterClientRequestObject) (
	gen.RegisterClientResponseObject, error) {
	if err := a.server.CountRegistration(ctx); err != nil {
		return nil, err
	}
	m := request.Body
	client, refused := protocol.Register(protocol.Client{
		Name: value(m.ClientName), URI: value(m.ClientURI), LogoURI: value(m.LogoURI), TermsURI: value(m.TosURI),
		PolicyURI: value(m.PolicyURI), ApplicationType: protocol.ApplicationType(value(m.ApplicationType)),
		RedirectURIs: value(m.RedirectUris), GrantTypes: value(m.GrantTypes), ResponseTypes: value(m.ResponseTypes),
		AuthMethod: value(m.TokenEndpointAuthMethod),
	}, a.rules)
	if refused != nil {
		return nil, refusal(refused)
	}
	if err := a.admitted(ctx, client); err != nil {
		return nil, err
	}
	if err := a.keepClient(ctx, client); err != nil {
		return nil, err
	}
	kind := string(client.ApplicationType)
	return gen.RegisterClient201JSONResponse{
		ClientID: client.ID(), ClientName: some(client.Name), ClientURI: &client.URI, LogoURI: some(client.LogoURI),
		TosURI: some(client.TermsURI), PolicyURI: some(client.PolicyURI), ApplicationType: &kind,
		RedirectUris: optional(client.RedirectURIs), GrantTypes: &client.GrantTypes,
		ResponseTypes: optional(client.ResponseTypes), TokenEndpointAuthMethod: &client.AuthMethod,
	}, nil
}

// admitted refuses to register a client that the operator does not want.
func (a *API) admitted(ctx context.Context, client *protocol.Client) error {
	barred := a.rules.Admits(client, false)
	if barred == nil {
		return nil
	}
	row, err := a.server.DB.Client(ctx, client.ID())
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	if row.Added {
		return nil
	}
	a.server.Log.Info("client refused", "addr", handlers.CallerOf(ctx).Addr.String(), "why", barred.Description,
		"metadata", client.Metadata())
	barred.Code = protocol.InvalidClientMetadata // RFC 7591, section 3.2.2, knows no other
	return refusal(barred)
}

// keepClient keeps a client that was used.
func (a *API) keepClient(ctx context.Context, client *protocol.Client) error {
	return a.server.DB.KeepClient(ctx, client.ID(), client.Metadata(), a.server.Now())
}

// client finds a client that somebody may let in; nil if there is none. A [*handlers.OAuthError] if the operator does
// not want it.
func (a *API) client(ctx context.Context, id string) (*protocol.Client, error) {
	client, added, err := a.registered(ctx, id)
	if client == nil || err != nil {
		return nil, err
	}
	if barred := a.rules.Admits(client, added); barred != nil {
		return nil, refusal(barred)
	}
	return client, nil
}

// registered finds a client, whether or not anybody may let it in still; nil if there is none.
func (a *API) registered(ctx context.Context, id string) (client *protocol.Client, added bool, err error) {
	row, err := a.server.DB.Client(ctx, id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(row.Metadata), &client)
	}
	return client, row.Added, err
}

// value is what an optional field has, or nothing.
func value[T any](field *T) (v T) {
	if field != nil {
		v = *field
	}
	return v
}

// some is nil for an empty string: the field is left out.
func some(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
