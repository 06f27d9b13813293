// Postern is a small login server for Matrix whose HTTP contract is an OpenAPI file, api/login.yaml.
//
// The command line is in cli, what the server does in handlers, what a token is in tokens, what is kept in db, how new
// passwords are judged in passwords; gen is made from the contract by `go generate`. Wings stand beside this core:
// homeserver, which is what there is because a homeserver stands behind; oauth, the OAuth 2.0 API, with web, pages for
// people; admin, an API for who looks after accounts; and speclab, which is for people who change the contract.
package main

import (
	"embed"

	"postern/cli"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen -config oapi-config.yaml api/login.yaml
//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen -config gen/introspection/oapi-config.yaml api/introspection.yaml
//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen -config gen/admin/oapi-config.yaml api/admin.yaml

// version is set by `make release`.
var version = "dev"

// source is what `postern spec check` compiles where this source is not at hand. The patterns leave the tests out; a
// test holds that they leave out nothing else.
//
//go:embed api/login.yaml oapi-config.yaml go.mod go.sum gen/*.go gen/introspection/*.go tokens/*[^t].go tokens/*[^s]t.go db/migrations
//go:embed db/*[^t].go db/*[^s]t.go handlers/*[^t].go handlers/*[^s]t.go passwords/*[^t].go passwords/words.txt.gz
//go:embed oauth/*[^t].go oauth/*[^s]t.go oauth/protocol/*[^t].go oauth/protocol/*[^s]t.go
//go:embed oauth/passkey/*[^t].go oauth/rendezvous/*[^t].go
//go:embed web/*[^t].go web/*[^s]t.go web/pages web/texts
//go:embed homeserver/*[^t].go homeserver/*[^s]t.go homeserver/amend/*[^t].go homeserver/amend/*[^s]t.go
//go:embed homeserver/adminapi/*[^t].go homeserver/appservice/*[^t].go
//go:embed homeserver/front/*[^t].go homeserver/front/*[^s]t.go homeserver/outbox/*[^t].go
//go:embed homeserver/synapse/*[^t].go homeserver/synapse/*[^s]t.go
var source embed.FS

func main() { cli.Main(cli.Program{Version: version, Source: source}) }
