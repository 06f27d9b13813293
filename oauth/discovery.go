package oauth

import (
	"context"
	"maps"
	"net/http"
	"sync"

	"postern/gen"
)

// metadataLife is how long clients may keep the metadata: a change of the operator's is seen within minutes.
var metadataLife = "public, max-age=300"

// discovery are the answers of the three operations that give the metadata. They are the same each time, and every
// client asks for one before it does anything else, so each is made once.
type discovery struct{ auth, openID, oauth func() (*recorded, error) }

func (a *API) discovery() discovery {
	return discovery{
		auth: record(func(w http.ResponseWriter) error {
			return gen.GetAuthMetadata200JSONResponse{Body: a.Metadata(),
				Headers: gen.GetAuthMetadata200ResponseHeaders{CacheControl: &metadataLife},
			}.VisitGetAuthMetadataResponse(w)
		}),
		openID: record(func(w http.ResponseWriter) error {
			return gen.GetOpenIDConfiguration200JSONResponse{Body: a.Metadata(),
				Headers: gen.GetOpenIDConfiguration200ResponseHeaders{CacheControl: &metadataLife},
			}.VisitGetOpenIDConfigurationResponse(w)
		}),
		oauth: record(func(w http.ResponseWriter) error {
			return gen.GetAuthorizationServerMetadata200JSONResponse{Body: a.Metadata(),
				Headers: gen.GetAuthorizationServerMetadata200ResponseHeaders{CacheControl: &metadataLife},
			}.VisitGetAuthorizationServerMetadataResponse(w)
		}),
	}
}

// GetAuthMetadata implements GET /auth_metadata. Client-Server API v1.19, "Server metadata discovery".
func (a *API) GetAuthMetadata(context.Context, gen.GetAuthMetadataRequestObject) (gen.GetAuthMetadataResponseObject,
	error) {
	return a.found.auth()
}

// GetAuthIssuer implements GET /auth_issuer for clients that know MSC2965 in an earlier form: they look for the
// metadata below the issuer.
func (a *API) GetAuthIssuer(context.Context, gen.GetAuthIssuerRequestObject) (gen.GetAuthIssuerResponseObject,
	error) {
	return gen.GetAuthIssuer200JSONResponse{Issuer: a.issuer()}, nil
}

// GetOpenIDConfiguration implements GET /.well-known/openid-configuration.
func (a *API) GetOpenIDConfiguration(context.Context, gen.GetOpenIDConfigurationRequestObject) (
	gen.GetOpenIDConfigurationResponseObject, error) {
	return a.found.openID()
}

// GetAuthorizationServerMetadata implements GET /.well-known/oauth-authorization-server. RFC 8414, section 3.
func (a *API) GetAuthorizationServerMetadata(context.Context, gen.GetAuthorizationServerMetadataRequestObject) (
	gen.GetAuthorizationServerMetadataResponseObject, error) {
	return a.found.oauth()
}

// recorded is what the generated code wrote of an answer.
type recorded struct {
	header http.Header
	status int
	body   []byte
}

// record makes an answer when it is asked for first.
func record(write func(http.ResponseWriter) error) func() (*recorded, error) {
	return sync.OnceValues(func() (*recorded, error) {
		r := &recorded{header: make(http.Header)}
		return r, write(r)
	})
}

// Header implements [http.ResponseWriter].
func (r *recorded) Header() http.Header { return r.header }

// WriteHeader implements [http.ResponseWriter].
func (r *recorded) WriteHeader(status int) { r.status = status }

// Write implements [http.ResponseWriter].
func (r *recorded) Write(text []byte) (int, error) {
	r.body = append(r.body, text...)
	return len(text), nil
}

// answer gives it to a client.
func (r *recorded) answer(w http.ResponseWriter) error {
	maps.Copy(w.Header(), r.header)
	w.WriteHeader(r.status)
	_, err := w.Write(r.body)
	return err
}

// VisitGetAuthMetadataResponse implements [gen.GetAuthMetadataResponseObject].
func (r *recorded) VisitGetAuthMetadataResponse(w http.ResponseWriter) error { return r.answer(w) }

// VisitGetOpenIDConfigurationResponse implements [gen.GetOpenIDConfigurationResponseObject].
func (r *recorded) VisitGetOpenIDConfigurationResponse(w http.ResponseWriter) error {
	return r.answer(w)
}

// VisitGetAuthorizationServerMetadataResponse implements [gen.GetAuthorizationServerMetadataResponseObject].
func (r *recorded) VisitGetAuthorizationServerMetadataResponse(w http.ResponseWriter) error {
	return r.answer(w)
}
