package oauth

import (
	"context"
	"encoding/json"
	"errors"

	"postern/db"
	"postern/gen"
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
	text, err := json.Marshal(client)
	if err != nil {
		return nil, err // unreachable: strings
	}
	if err := a.server.DB.KeepClient(ctx, client.ID(), string(text), a.server.Now()); err != nil {
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

// client finds a registered client; nil if there is none.
func (a *API) client(ctx context.Context, id string) (*protocol.Client, error) {
	row, err := a.server.DB.Client(ctx, id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	client := new(protocol.Client)
	return client, json.Unmarshal([]byte(row.Metadata), client)
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
