package mock_test

import (
	"strings"
	"testing"
)

// TestAddedField: a field that the edited spec adds to a real answer is filled in; a known one that was left out is
// not.
func TestAddedField(t *testing.T) {
	t.Parallel()
	b := newBench(t, "login.yaml", contractText(t,
		"    LoginResponse:\n      type: object\n      required: [user_id, access_token, device_id]\n      properties:",
		`    LoginResponse:
      type: object
      required: [user_id, access_token, device_id, era]
      properties:
        greeting: {type: string, example: hello}
        shown_by_schema: {type: string}
        era: {type: integer, minimum: 3}
        tip:
          type: object
          properties:
            text: {type: string, example: rest}`,
		"    Device:\n      type: object\n      required: [device_id]\n      properties:",
		"    Device:\n      type: object\n      required: [device_id]\n      properties:\n        colour: {type: string, example: red}\n        mode: {type: string, enum: [a, b], default: a}\n        owner: {type: string}",
		"              example:\n                devices:\n                  - device_id: EXAMPLEDEV\n",
		"              example:\n                total: 1\n                devices:\n"+
			"                  - device_id: EXAMPLEDEV\n                    owner: bob\n",
		"    DevicesResponse:\n      type: object\n      properties:",
		"    DevicesResponse:\n      type: object\n      properties:\n        total: {type: integer}",
	))
	a := b.want(b.ask("POST", "/_matrix/client/v3/login", "",
		strings.Replace(loginBody, `,"refresh_token":true`, "", 1)), 200, "real")
	if a.Header.Get("Postern-Filled") != "era, greeting, tip" {
		t.Errorf("filled: %q", a.Header.Get("Postern-Filled"))
	}
	if a.JSON["greeting"] != "hello" || a.JSON["era"] != 3.0 || !strings.Contains(a.Raw, `"tip":{"text":"rest"}`) {
		t.Errorf("the login is %s", a.Raw)
	}
	for _, absent := range []string{"refresh_token", "expires_in_ms", "shown_by_schema", "well_known"} {
		if _, there := a.JSON[absent]; there {
			t.Errorf("%s was invented: %s", absent, a.Raw)
		}
	}
	token, _ := a.JSON["access_token"].(string)
	a = b.want(b.ask("GET", "/_matrix/client/v3/devices", token, ""), 200, "real")
	if a.Header.Get("Postern-Filled") != "devices.colour, devices.owner, total" ||
		!strings.Contains(a.Raw, `"colour":"red"`) || !strings.Contains(a.Raw, `"owner":"bob"`) {
		t.Errorf("filled: %q in %s", a.Header.Get("Postern-Filled"), a.Raw)
	}
	if !strings.Contains(a.Raw, `"last_seen_ts":1`) || strings.Contains(a.Raw, "e+") {
		t.Errorf("the numbers are %s", a.Raw)
	}
	if a := b.want(b.ask("POST", "/_matrix/client/v3/login", "",
		`{"type":"m.login.password","user":"alice","password":"no"}`), 403,
		"real"); a.Header.Get("Postern-Filled") != "" {
		t.Errorf("an error was filled: %s", a.Raw)
	}
}

// TestAddedStatus: a status that the edited spec adds to a real operation can be asked for; one that the contract knows
// is real.
func TestAddedStatus(t *testing.T) {
	t.Parallel()
	b := newBench(t, "login.yaml", contractText(t,
		"        \"401\":\n          description: >-\n            `M_USER_LOCKED`", `        "202":
          description: later
          content:
            application/json:
              schema: {type: object, required: [ticket], properties: {ticket: {type: string}}}
              example: {ticket: abc}
        "302":
          description: elsewhere
          headers:
            Location: {schema: {type: string, format: uri}}
        "401":
          description: >-
            `+"`M_USER_LOCKED`"))
	const login = "/_matrix/client/v3/login"
	b.login()
	if a := b.want(b.ask("POST", login, "", loginBody, "Prefer", `respond-async, code="202"`), 202,
		"spec"); a.JSON["ticket"] != "abc" {
		t.Errorf("202 is %s", a.Raw)
	}
	if a := b.want(b.ask("POST", login, "", loginBody, "Postern-Status", "302"), 302,
		"spec"); a.Header.Get("Location") != "https://example.org/" || a.Raw != "" {
		t.Errorf("302 is %q, %v", a.Raw, a.Header)
	}
	b.want(b.ask("POST", login, "", loginBody, "Postern-Status", "429"), 200, "real")
	b.refused(b.ask("POST", login, "", loginBody, "Postern-Status", "499"), 400, "M_INVALID_PARAM",
		"login has no status", "202, 302")
	b.refused(b.ask("POST", login, "", `{}`, "Postern-Status", "202"), 400, "M_MISSING_PARAM", "type")
}

// TestNamedExample: an example of a real operation answers when it is asked for by its name, and an unknown name is
// refused with those that there are. Requests and tokens are checked as ever.
func TestNamedExample(t *testing.T) {
	t.Parallel()
	b := newBench(t, "login.yaml", contractText(t,
		`                $ref: "#/components/schemas/LoginResponse"
              example:
                user_id: "@alice:example.org"
                access_token: example-access-token
                refresh_token: example-refresh-token
                expires_in_ms: 300000
                device_id: EXAMPLEDEV
`, `                $ref: "#/components/schemas/LoginResponse"
              examples:
                short: {value: {user_id: "@a:b", access_token: abc, device_id: D}}
                long: {value: {user_id: "@a:b", access_token: abc, device_id: DEVICE}}
`,
		`if no application service has it.
          content:
            application/json:
              schema:
                $ref: "#/components/schemas/Error"
              examples:
`, `if no application service has it.
          content:
            application/json:
              schema:
                $ref: "#/components/schemas/Error"
              examples:
                locked: {value: {errcode: M_USER_LOCKED, error: later}}
`,
		`                $ref: "#/components/schemas/TokenOwnerResponse"
              example: {user_id: "@alice:example.org", device_id: EXAMPLEDEV, is_guest: false}
`, `                $ref: "#/components/schemas/TokenOwnerResponse"
              examples:
                robot: {value: {user_id: "@robot:example.org"}}
`))
	const login, whoami = "/_matrix/client/v3/login", "/_matrix/client/v3/account/whoami"
	prefer := func(body, prefer string) answer { return b.ask("POST", login, "", body, "Prefer", prefer) }
	if a := b.want(prefer(loginBody, "example=long"), 200, "spec"); a.JSON["device_id"] != "DEVICE" {
		t.Errorf("the example long is %s", a.Raw)
	}
	if a := b.want(prefer(loginBody, `code=200, example="short"`), 200, "spec"); a.JSON["device_id"] != "D" {
		t.Errorf("the example short is %s", a.Raw)
	}
	if a := b.want(prefer(loginBody, "example=locked"), 401, "spec"); a.JSON["errcode"] != "M_USER_LOCKED" {
		t.Errorf("the example locked is %s", a.Raw)
	}
	b.refused(prefer(loginBody, "example=none"), 400, "M_INVALID_PARAM", `login has no example "none"`,
		"locked, long, short", "login.yaml:")
	b.refused(prefer(loginBody, "code=200, example=locked"), 400, "M_INVALID_PARAM", "long, short")
	b.refused(b.ask("GET", "/_matrix/client/versions", "", "", "Prefer", "example=none"), 400,
		"M_INVALID_PARAM", `getVersions has no example "none"; it has none with a name`)
	b.refused(prefer(`{}`, "example=long"), 400, "M_MISSING_PARAM", "type")

	t.Log("the token is checked, and what asks for nothing is real")
	b.want(b.ask("GET", whoami, "", "", "Prefer", "example=robot"), 401, "spec")
	token := b.login()
	if a := b.want(b.ask("GET", whoami, token, "", "Prefer", "example=robot"), 200,
		"spec"); a.JSON["user_id"] != "@robot:example.org" {
		t.Errorf("the example robot is %s", a.Raw)
	}
	b.want(b.ask("GET", whoami, token, "", "Prefer", "respond-async"), 200, "real")
}

// TestNamedExampleOfRanges: the example of a range of statuses, or of what is not documented, has one of them.
func TestNamedExampleOfRanges(t *testing.T) {
	t.Parallel()
	b := newBench(t, "k.yaml", `openapi: 3.1.0
info: {title: x, version: '1'}
paths:
  /k:
    get:
      operationId: k
      responses:
        "204": {description: done}
        4XX: {description: bad, content: {application/json: {examples: {bad: {value: {a: 1}}}}}}
        default: {description: worse, content: {text/plain: {examples: {worse: {value: oh}}}}}
`)
	for name, status := range map[string]int{"bad": 400, "worse": 500} {
		b.want(b.ask("GET", "/k", "", "", "Prefer", "example="+name), status, "spec")
	}
}

// TestDocumentedErrors: an operation that the contract's author adds answers the errors of the contract as the real
// handlers write them, each by its status or by its code.
func TestDocumentedErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t, "login.yaml", contractText(t, "\ncomponents:\n", `
  /_matrix/client/v3/knock:
    post:
      operationId: knock
      responses:
        "200": {$ref: "#/components/responses/Empty"}
        "400": {$ref: "#/components/responses/BadRequest"}
        "429": {$ref: "#/components/responses/RateLimited"}

components:
`))
	a := b.want(b.ask("POST", "/_matrix/client/v3/knock", "", "", "Prefer", "code=429"), 429, "spec")
	if want := `{"errcode":"M_LIMIT_EXCEEDED","error":"Too many attempts. Wait before you try again.",` +
		`"retry_after_ms":5000}`; a.Raw != want || a.Header.Get("Retry-After") != "5" {
		t.Errorf("429 is %s, Retry-After %q", a.Raw, a.Header.Get("Retry-After"))
	}
	for _, code := range []string{"M_NOT_JSON", "M_MISSING_PARAM", "M_UNKNOWN"} {
		a := b.want(b.ask("POST", "/_matrix/client/v3/knock", "", "", "Prefer", "example="+code), 400, "spec")
		if a.JSON["errcode"] != code {
			t.Errorf("the example %s is %s", code, a.Raw)
		}
	}
	t.Log("and so does an operation that is real, by the code alone")
	a = b.want(b.ask("POST", "/_matrix/client/v3/login", "", loginBody, "Prefer", "example=M_LIMIT_EXCEEDED"), 429,
		"spec")
	if a.JSON["retry_after_ms"] != 5000.0 {
		t.Errorf("429 is %s", a.Raw)
	}
}
