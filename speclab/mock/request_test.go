package mock_test

import (
	"strings"
	"testing"
)

// TestRequestsAgainstSpec: a request to an operation of the spec alone is held against it, and the error names the
// field and the place.
func TestRequestsAgainstSpec(t *testing.T) {
	t.Parallel()
	b := newBench(t, "mood.yaml", moodSpec)
	token := b.login()
	const mood = "/_matrix/client/v3/mood/"
	put := func(body string, more ...string) answer { return b.ask("PUT", mood+"@a:b", token, body, more...) }
	for _, test := range []struct {
		name       string
		got        answer
		code, says string
	}{
		{"a path parameter", b.ask("GET", mood+"alice", "", ""), "M_INVALID_PARAM", "userId: pattern ^@"},
		{"an escaped path parameter", b.ask("GET", mood+"a%2Fmine", "", ""), "M_INVALID_PARAM", "userId"},
		{"a query parameter of another type", b.ask("GET", mood+"@a:b?since=now", "", ""), "M_INVALID_PARAM", "since"},
		{"a query parameter out of bounds", b.ask("GET", mood+"@a:b?since=0", "", ""), "M_INVALID_PARAM", "since"},
		{"no body", put(""), "M_NOT_JSON", "not JSON"},
		{"no JSON", put("{"), "M_NOT_JSON", "not JSON"},
		{"no UTF-8", put("{\"mood\":\"\xff\",\"strength\":1}"), "M_NOT_JSON", "not JSON"},
		{"no object", put("[]"), "M_BAD_JSON", "body"},
		{"a field is missing", put(`{"mood":"calm"}`), "M_MISSING_PARAM", "strength"},
		{"a field is null", put(`{"mood":"calm","strength":null}`), "M_MISSING_PARAM", "strength"},
		{"another type", put(`{"mood":"calm","strength":"much"}`), "M_BAD_JSON", "strength"},
		{"not in the enum", put(`{"mood":"sad","strength":1}`), "M_INVALID_PARAM", `mood: it must be one of "calm", "zest"`},
		{"out of bounds", put(`{"mood":"calm","strength":0}`), "M_INVALID_PARAM", "strength: minimum 1"},
		{"a field within a field", put(`{"mood":"calm","strength":1,"place":{}}`), "M_MISSING_PARAM", "place.room"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := *b
			b.TB = t
			b.refused(test.got, 400, test.code, test.says, "mood.yaml:")
		})
	}
	b.want(b.ask("GET", mood+"@a%2Fb:c?since=3", "", ""), 200, "spec")
	good := `{"mood":"calm","strength":1}`
	for _, kind := range []string{"", "application/x-www-form-urlencoded", "text/plain",
		"application/json; charset=utf-8"} {
		b.want(put(good, "Content-Type", kind), 204, "spec")
	}
	b.refused(put("mood=calm", "Content-Type", "application/x-www-form-urlencoded"), 400, "M_NOT_JSON")
	b.refused(put(`{"mood":"`+strings.Repeat("x", 2<<20)+`"}`), 413, "M_TOO_LARGE")
}

// TestRequestsToReal: the edited spec is asked first, and what it allows the real handler judges.
func TestRequestsToReal(t *testing.T) {
	t.Parallel()
	b := newBench(t, "login.yaml", contractText(t,
		// Narrower: a login must say its device.
		"    LoginRequest:\n      type: object\n      required: [type]",
		"    LoginRequest:\n      type: object\n      required: [type, device_id]",
		// Wider: a refresh may go without its token, and may bring a colour.
		"    RefreshRequest:\n      type: object\n      required: [refresh_token]\n      properties:",
		"    RefreshRequest:\n      type: object\n      properties:\n        colour: {type: string, enum: [red]}",
		"enum: [user, guest]", "enum: [user, guest, robot]"))
	login := "/_matrix/client/v3/login"
	b.refused(b.ask("POST", login, "", loginBody), 400, "M_MISSING_PARAM", "device_id", "login.yaml:")
	pair := b.want(b.ask("POST", login, "", strings.Replace(loginBody, "{", `{"device_id":"D",`, 1)), 200, "real")
	b.want(b.ask("POST", "/_matrix/client/r0/login", "", strings.Replace(loginBody, "{", `{"device_id":"D",`, 1),
		"Content-Type", "application/x-www-form-urlencoded"), 200, "real")
	b.refused(b.ask("POST", "/_matrix/client/r0/login", "", loginBody), 400, "M_MISSING_PARAM", "device_id")

	refresh := "/_matrix/client/v3/refresh"
	if a := b.want(b.ask("POST", refresh, "", `{}`), 400, "real"); a.JSON["errcode"] != "M_MISSING_PARAM" {
		t.Errorf("the real handler says %s", a.Raw)
	}
	b.refused(b.ask("POST", refresh, "", `{"colour":"blue"}`), 400, "M_INVALID_PARAM", "colour")
	pair = b.want(b.ask("POST", login, "", strings.Replace(loginBody, "{", `{"device_id":"D",`, 1)), 200, "real")
	token, _ := pair.JSON["refresh_token"].(string)
	b.want(b.ask("POST", refresh, "", `{"colour":"red","refresh_token":"`+token+`"}`), 200, "real")
	b.refused(b.ask("POST", "/_matrix/client/v3/register?kind=cat", "", `{}`), 400, "M_INVALID_PARAM", "kind")
	b.want(b.ask("POST", "/_matrix/client/v3/register?kind=robot", "", `{}`), 400, "real")

	t.Log("the real handler's own limit of a body holds")
	b.refused(b.ask("POST", login, "", `{"type":"`+strings.Repeat("x", 70<<10)+`"}`), 413, "M_TOO_LARGE")
	t.Log("an operation whose body the real handler does not read")
	access, _ := pair.JSON["access_token"].(string)
	b.want(b.ask("POST", "/_matrix/client/v3/logout", access, `not JSON`), 200, "real")
}
