//go:build tools

// This file pins the generator: its version is the one that go.mod requires, so `go generate` makes the
// same bytes on every machine.
package main

import _ "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen"
