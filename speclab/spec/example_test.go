package spec_test

import (
	"fmt"
	"testing/fstest"

	"postern/speclab/spec"
)

// A file of Swagger 2.0 and one that it refers to become one document of OpenAPI 3.1.
func ExampleLoad() {
	folder := fstest.MapFS{
		"login.yaml": {Data: []byte(`
swagger: '2.0'
info: {title: Login, version: '1'}
basePath: /_matrix/client/%CLIENT_MAJOR_VERSION%
paths:
  /login:
    post:
      responses:
        200: {description: Logged in., schema: {$ref: definitions/session.yaml}}
`)},
		"definitions/session.yaml": {Data: []byte(`
type: object
properties:
  user_id: {type: string}
`)},
	}
	api, err := spec.Load(folder, "login.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	const path = "/_matrix/client/v3/login"
	fmt.Println(api.Doc.OpenAPI, api.Doc.Paths.Value(path).Post.OperationID)
	fmt.Println(api.At("paths", path, "post", "responses", "200", "content", "application/json", "schema", "properties",
		"user_id"))
	// Output:
	// 3.1.0 PostLogin
	// definitions/session.yaml:4:3
}

// What is wrong is told with its place and what to write instead; what is merely missing is a gap.
func ExampleProblems() {
	_, err := spec.Load(fstest.MapFS{"login.yaml": {Data: []byte("openapi: 3.1.0\npaths:\n\t/login: {}\n")}},
		"login.yaml")
	fmt.Println(err)
	// Output:
	// login.yaml:3:1: a tab in the indentation; use spaces: YAML allows no tabs there
}
