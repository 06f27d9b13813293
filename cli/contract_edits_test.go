package cli

import (
	"strings"
	"sync"
)

// contractEdit is something that a person does to the contract, and what the person then sees.
type contractEdit struct {
	name     string
	before   []change          // what the contract must have first, for an edit that today's gives no occasion for …
	handlers map[string]string // … and the handlers of that
	edit     []change
	want     []debt
	exercise string // Go sees nothing wrong; the tests of this package, which exercise the contract, do
	short    bool   // tried under -short too
	tried    sync.Once
	found    []string // the errors, as `file: message`

	// of the spec that the errors are led back to, or for want of one what the compiler does not notice
	line    string
	handler []string // who owes something, by name
}

// debt is an error that an edit must lead to: where, and what is in its message.
type debt struct{ file, says string }

// in gives the first error that is the one owed, or "".
func (o debt) in(found []string) string {
	for _, line := range found {
		if strings.HasPrefix(line, o.file+": ") && strings.Contains(line, o.says) {
			return line
		}
	}
	return ""
}

// blames reports whether the error is in a file where one is expected.
func (e *contractEdit) blames(line string) bool {
	for _, want := range e.want {
		if strings.HasPrefix(line, want.file+": ") {
			return true
		}
	}
	return false
}

var contractEdits = []*contractEdit{
	// Operations.
	{
		name: "add an operation",
		edit: []change{addTo("paths", getKnock)},
		want: []debt{{"handlers/server.go",
			"*Server does not implement gen.StrictServerInterface (missing method GetKnock)"}},
		short: true,
		line:  `operationId: getKnock`, handler: []string{"Server"},
	}, {
		name: "remove an operation, getTokenOwner",
		edit: []change{cutOut("paths /_matrix/client/v3/account/whoami")},
		want: []debt{{"handlers/whoami.go", "undefined: gen.GetTokenOwnerRequestObject"}},
		line: `paths:`, handler: []string{"(*Server).GetTokenOwner"},
	}, {
		name: "rename an operation, refresh",
		edit: []change{replaceIn("paths /_matrix/client/v3/refresh post", "operationId: refresh",
			"operationId: renew")},
		want: []debt{
			{"handlers/server.go", "*Server does not implement gen.StrictServerInterface (missing method Renew)"},
			{"handlers/refresh.go", "undefined: gen.RefreshRequestObject"},
		},
		line: `operationId: renew`, handler: []string{"(*Server).Refresh"},
	},

	// Fields that a handler reads.
	{
		name: "rename a request field, LoginRequest.device_id",
		edit: []change{replaceIn("components schemas LoginRequest", "device_id", "device")},
		want: []debt{{"handlers/login.go",
			"DeviceID undefined (type *gen.LoginJSONRequestBody has no field or method DeviceID)"}},
		short: true,
		line:  `device:`, handler: []string{"(*Server).attemptOf"},
	}, {
		name: "rename a request field, RefreshRequest.refresh_token",
		edit: []change{replaceIn("components schemas RefreshRequest", "refresh_token", "token")},
		want: []debt{{"handlers/refresh.go",
			"RefreshToken undefined (type *gen.RefreshJSONRequestBody has no field or method RefreshToken)"}},
		line: `token:`, handler: []string{"(*Server).Refresh"},
	}, {
		name: "rename a request field, DraftLoginRequest.username",
		edit: []change{replaceIn("components schemas DraftLoginRequest", "username", "user")},
		want: []debt{{"handlers/login.go",
			"Username undefined (type *gen.DraftLoginJSONRequestBody has no field or method Username)"}},
		line: `user:`, handler: []string{"(*Server).DraftLogin"},
	}, {
		name: "remove a request field, LoginRequest.password",
		edit: []change{cutOut("components schemas LoginRequest properties password")},
		want: []debt{{"handlers/login.go",
			"Password undefined (type *gen.LoginJSONRequestBody has no field or method Password)"}},
		line: `properties:`, handler: []string{"(*Server).attemptOf"},
	}, {
		name: "change the type of a request field, LoginRequest.device_id",
		edit: []change{replaceIn("components schemas LoginRequest properties device_id", "type: string",
			"type: integer")},
		want: []debt{{"handlers/login.go", "DeviceID (variable of type *int) as *string value"}},
		line: `device_id:`, handler: []string{"(*Server).attemptOf"},
	}, {
		name: "make a request field optional, RefreshRequest.refresh_token",
		edit: []change{replaceIn("components schemas RefreshRequest", "required: [refresh_token]", "required: []")},
		want: []debt{{"handlers/refresh.go", "RefreshToken (variable of type *string) as string value"}},
		line: `refresh_token:`, handler: []string{"(*Server).Refresh"},
	},

	// Fields that a handler fills.
	{
		name: "rename a response field, RefreshResponse.expires_in_ms",
		edit: []change{replaceIn("components schemas RefreshResponse", "expires_in_ms", "expires_in")},
		want: []debt{{"handlers/refresh.go",
			"unknown field ExpiresInMs in struct literal of type gen.Refresh200JSONResponse"}},
		line: `expires_in:`, handler: []string{"(*Server).Refresh"},
	}, {
		name: "remove a response field, TokenOwnerResponse.is_guest",
		edit: []change{cutOut("components schemas TokenOwnerResponse properties is_guest")},
		want: []debt{{"handlers/whoami.go",
			"unknown field IsGuest in struct literal of type gen.GetTokenOwner200JSONResponse"}},
		line: `properties:`, handler: []string{"(*Server).GetTokenOwner"},
	}, {
		name: "change the type of a response field, LoginResponse.expires_in_ms",
		edit: []change{replaceIn("components schemas LoginResponse properties expires_in_ms",
			"type: integer\n          format: int64", "type: string")},
		want: []debt{{"handlers/login.go", "(value of type *int64) as *string value"}},
		line: `expires_in_ms:`, handler: []string{"(*Server).Login"},
	}, {
		name: "make a response field required, RefreshResponse.refresh_token",
		edit: []change{replaceIn("components schemas RefreshResponse", "required: [access_token]",
			"required: [access_token, refresh_token]")},
		want: []debt{{"handlers/refresh.go", "(value of type *string) as string value"}},
		line: `refresh_token:`, handler: []string{"(*Server).Refresh"},
	}, {
		name: "rename a field of errors, Error.retry_after_ms",
		edit: []change{replaceIn("components schemas Error", "retry_after_ms", "retry_after")},
		want: []debt{{"handlers/errors.go",
			"RetryAfterMs undefined (type gen.Error has no field or method RetryAfterMs)"}},
		line: `retry_after:`, handler: []string{"(*Error).body"},
	},

	// Parameters.
	{
		name: "give an operation a path parameter, logout",
		edit: []change{
			replaceIn("paths", "/_matrix/client/v3/logout:", "/_matrix/client/v3/logout/{device}:"),
			addTo("paths /_matrix/client/v3/logout/{device} post", deviceParameter),
		},
		want: []debt{{"handlers/logout.go",
			"cannot convert gen.LogoutRequestObject{} (value of struct type gen.LogoutRequestObject) to type struct{}"}},
		line: `- name: device`, handler: []string{"(*Server).Logout"},
	}, {
		name: "give an operation a query parameter, getTokenOwner",
		edit: []change{addTo("paths /_matrix/client/v3/account/whoami get",
			strings.Replace(deviceParameter, "in: path\n          required: true", "in: query", 1))},
		want: []debt{{"handlers/whoami.go",
			"cannot convert gen.GetTokenOwnerRequestObject{} (value of struct type gen.GetTokenOwnerRequestObject) to type struct{}"}},
		line: `- name: device`, handler: []string{"(*Server).GetTokenOwner"},
	}, {
		name:     "rename a path parameter, device of a new operation",
		before:   []change{addTo("paths", getKnock)},
		handlers: map[string]string{"handlers/knock.go": knockHandler},
		edit: []change{
			replaceIn("paths", "/_matrix/client/v3/knock/{device}:", "/_matrix/client/v3/knock/{device_id}:"),
			replaceIn("paths /_matrix/client/v3/knock/{device_id} get parameters", "name: device", "name: device_id"),
		},
		want: []debt{{"handlers/knock.go",
			"request.Device undefined (type gen.GetKnockRequestObject has no field or method Device)"}},
		line: `- name: device_id`, handler: []string{"(*Server).GetKnock"},
	}, {
		name:     "change the type of a path parameter, device of a new operation",
		before:   []change{addTo("paths", getKnock)},
		handlers: map[string]string{"handlers/knock.go": knockHandler},
		edit: []change{replaceIn("paths /_matrix/client/v3/knock/{device} get parameters", "type: string",
			"type: integer")},
		want: []debt{{"handlers/knock.go", `request.Device == "" (mismatched types int and untyped string)`}},
		line: `- name: device`, handler: []string{"(*Server).GetKnock"},
	},

	// Answers.
	{
		name: "change the status of a success, refresh",
		edit: []change{replaceIn("paths /_matrix/client/v3/refresh post responses", `"200"`, `"201"`)},
		want: []debt{{"handlers/refresh.go", "undefined: gen.Refresh200JSONResponse"}},
		line: `"201":`, handler: []string{"(*Server).Refresh"},
	}, {
		name: "document one more status, 202 of logout",
		edit: []change{addTo("paths /_matrix/client/v3/logout post responses",
			"        \"202\":\n          description: It will be done.\n")},
		want:     []debt{{"contract", "logout 202 is documented but never exercised"}},
		exercise: "./handlers",
		line:     `"202":`, handler: []string{"(*Server).Logout"},
	},

	// The OAuth 2.0 API.
	{
		name: "rename an operation of OAuth 2.0, revoke",
		edit: []change{replaceIn("paths /oauth2/revoke post", "operationId: revoke", "operationId: end_token")},
		want: []debt{
			{"handlers/server.go", "*Server does not implement gen.StrictServerInterface (missing method EndToken)"},
			{"handlers/oauth.go", "undefined: gen.RevokeRequestObject"},
		},
		line: `operationId: end_token`, handler: []string{"(*API).Revoke"},
	}, {
		name: "rename a form field, TokenRequest.code_verifier",
		edit: []change{replaceIn("components schemas TokenRequest", "code_verifier", "verifier")},
		want: []debt{{"oauth/token.go",
			"CodeVerifier undefined (type *gen.TokenRequest has no field or method CodeVerifier)"}},
		short: true,
		line:  `verifier:`, handler: []string{"(*API).redeem"},
	}, {
		name: "remove a response field, TokenResponse.scope",
		edit: []change{replaceIn("components schemas TokenResponse", "required: [access_token, token_type, scope]",
			"required: [access_token, token_type]"), cutOut("components schemas TokenResponse properties scope")},
		want: []debt{{"oauth/token.go", "unknown field Scope in struct literal of type gen.Token200JSONResponse"}},
		line: `properties:`, handler: []string{"(*API).answer"},
	}, {
		name: "change the status of a success, registerClient",
		edit: []change{replaceIn("paths /oauth2/registration post responses", `"201"`, `"200"`)},
		want: []debt{{"oauth/clients.go", "undefined: gen.RegisterClient201JSONResponse"}},
		line: `"200":`, handler: []string{"(*API).RegisterClient"},
	}, {
		name: "rename a header of an answer, Cache-Control of the metadata",
		edit: []change{replaceIn("paths /_matrix/client/v1/auth_metadata get", "Cache-Control:", "Expires:")},
		want: []debt{{"oauth/discovery.go",
			"unknown field CacheControl in struct literal of type gen.GetAuthMetadata200ResponseHeaders"}},
		line: `"200":`, handler: []string{"(*API).discovery"},
	}, {
		name: "document one more status, 202 of revoke",
		edit: []change{addTo("paths /oauth2/revoke post responses",
			"        \"202\":\n          description: It will be done.\n")},
		want:     []debt{{"contract", "revoke 202 is documented but never exercised"}},
		exercise: "./oauth",
		line:     `"202":`, handler: []string{"(*API).Revoke"},
	},
}

// getKnock is an operation with a path parameter.
const getKnock = `  /_matrix/client/v3/knock/{device}:
    get:
      operationId: getKnock
` + deviceParameter + `      responses:
        "200":
          $ref: "#/components/responses/Empty"
`

const deviceParameter = `      parameters:
        - name: device
          in: path
          required: true
          schema:
            type: string
`

// knockHandler implements getKnock.
const knockHandler = `package handlers

import (
	"context"

	"postern/gen"
)

func (s *Server) GetKnock(_ context.Context, request gen.GetKnockRequestObject) (gen.GetKnockResponseObject, error) {
	if request.Device == "" {
		return nil, missingParam("Missing parameter: device")
	}
	return gen.GetKnock200JSONResponse{}, nil
}
`
