package handlers

import (
	"context"

	"postern/gen"
)

// These read nothing of a request; see logout.go.
var (
	_ = struct{}(gen.GetVersionsRequestObject{})
	_ = struct{}(gen.GetWellknownRequestObject{})
	_ = struct{}(gen.GetCapabilitiesRequestObject{})
)

// versions are the releases of the specification whose login chapter is served. r0 is there because old
// clients look for it; refresh tokens came with v1.3. The OAuth 2.0 API came with v1.15 to v1.18, and a server may be
// without it ("Client Authentication"): clients find that out by its metadata. In front of a homeserver they are the
// homeserver's, since clients take a release for all of its chapters. Where that ends before v1.15, they look for the
// metadata by an older name; whatever came later they find in the metadata, in GET /login and in challenges.
var versions = []string{
	"r0.5.0", "r0.6.0", "r0.6.1",
	"v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10",
	"v1.11", "v1.12", "v1.13", "v1.14", "v1.15", "v1.16", "v1.17", "v1.18", "v1.19",
}

// GetVersions implements GET /versions. Client-Server API v1.19, "API versions".
func (s *Server) GetVersions(context.Context, gen.GetVersionsRequestObject) (gen.GetVersionsResponseObject, error) {
	return gen.GetVersions200JSONResponse{Versions: versions, UnstableFeatures: s.UnstableFeatures()}, nil
}

// UnstableFeatures are the drafts that GET /versions says are served; nil if there are none. Web clients look for the
// rendezvous of MSC4108 there, and nowhere else.
func (s *Server) UnstableFeatures() *map[string]bool {
	if s.Config.OAuth == nil {
		return nil
	}
	return &map[string]bool{"org.matrix.msc4108": true, "io.element.msc4388": true}
}

// GetWellknown implements GET /.well-known/matrix/client, when the operator said where the server is.
// Client-Server API v1.19, "Well-known URIs".
func (s *Server) GetWellknown(context.Context, gen.GetWellknownRequestObject) (gen.GetWellknownResponseObject, error) {
	known := s.wellKnown()
	if known == nil {
		return nil, notFound("The base URL of this server is not set.")
	}
	return gen.GetWellknown200JSONResponse(*known), nil
}

// wellKnown is nil when the operator did not say where the server is.
func (s *Server) wellKnown() *gen.WellKnown {
	if s.PublicURL == "" {
		return nil
	}
	return &gen.WellKnown{MHomeserver: gen.HomeserverInformation{BaseURL: s.PublicURL}}
}

// GetCapabilities implements GET /capabilities. What is not named here is the homeserver's to say.
// Client-Server API v1.19, "Capabilities negotiation".
func (s *Server) GetCapabilities(context.Context, gen.GetCapabilitiesRequestObject) (gen.GetCapabilitiesResponseObject,
	error) {
	return gen.GetCapabilities200JSONResponse{Capabilities: s.Capabilities()}, nil
}

// Capabilities are what this server says of itself in GET /capabilities.
func (s *Server) Capabilities() gen.Capabilities {
	yes, no := &gen.BooleanCapability{Enabled: true}, &gen.BooleanCapability{Enabled: false}
	c := gen.Capabilities{MChangePassword: yes, M3PidChanges: no, MGetLoginToken: no}
	if s.LoginTokenTTL > 0 {
		c.MGetLoginToken = yes
	}
	if s.linksByMail() {
		c.M3PidChanges = yes
	}
	return c
}
