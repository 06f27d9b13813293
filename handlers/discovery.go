package handlers

import (
	"context"

	"postern/gen"
)

var _ = struct{}(gen.GetVersionsRequestObject{}) // reads nothing; see logout.go

// versions are the releases of the specification whose login chapter is served. r0 is there because old
// clients look for it; refresh tokens came with v1.3.
var versions = []string{
	"r0.5.0", "r0.6.0", "r0.6.1",
	"v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10",
	"v1.11", "v1.12", "v1.13", "v1.14", "v1.15", "v1.16", "v1.17", "v1.18", "v1.19",
}

// GetVersions implements GET /versions. Client-Server API v1.19, "API versions".
func (s *Server) GetVersions(context.Context, gen.GetVersionsRequestObject) (gen.GetVersionsResponseObject, error) {
	return gen.GetVersions200JSONResponse{Versions: versions}, nil
}
