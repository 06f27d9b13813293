// This program is where the lesson starts: a login server of one operation, made from login.yaml. See docs/lesson.md.
package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/labstack/echo/v4"

	"postern/speclab/mock"
	"postern/speclab/spec"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen -config oapi-config.yaml login.yaml

// contract is login.yaml as it was when this program was built, and not what the file says now.
//
//go:embed login.yaml
var contract embed.FS

const address = "127.0.0.1:8118"

func main() {
	edited := flag.String("spec", "", "an edited login.yaml to serve: what this program lacks is answered from it")
	flag.Parse()
	log.SetFlags(0)
	if err := serve(*edited); err != nil {
		log.Fatal(err)
	}
}

func serve(edited string) error {
	s, err := newServer()
	if err != nil {
		return err
	}
	handler := routes(s)
	if edited != "" {
		if handler, err = withMock(handler, edited); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%w. Does the server of another step still run? `jobs` shows it, `kill %%1` ends it", err)
	}
	fmt.Println("listening on http://" + address)
	return http.Serve(listener, handler)
}

// routes is the program without the mock server.
func routes(s *server) http.Handler {
	e := echo.New()
	RegisterHandlersWithBaseURL(e, NewStrictHandler(s, nil), "/_matrix/client/api/v1")
	return e
}

// withMock puts a mock server in front of the program, which answers what only the edited spec has.
func withMock(real http.Handler, edited string) (http.Handler, error) {
	built, err := spec.Load(contract, "login.yaml")
	if err != nil {
		return nil, err
	}
	return mock.New(context.Background(), mock.Config{
		Real: real, Contract: built, Dir: filepath.Dir(edited), Files: []string{filepath.Base(edited)}, Out: os.Stdout,
	})
}
