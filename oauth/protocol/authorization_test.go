package protocol

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// The example of RFC 7636, appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestChallenge(t *testing.T) {
	t.Parallel()
	if !Challenge(challenge).Fits(verifier) {
		t.Error("the RFC's own example does not fit")
	}
	for _, wrong := range []string{"", challenge, verifier + "x", verifier[1:], strings.Repeat("a", 129),
		verifier[:42] + "+", strings.ToLower(verifier)} {
		if Challenge(challenge).Fits(wrong) {
			t.Errorf("%q fits", wrong)
		}
	}
	for _, bad := range []string{"", challenge[1:], challenge + "=", challenge[:42] + "!", challenge[:42] + "N"} {
		if Challenge(bad).well() {
			t.Errorf("%q is a challenge", bad)
		}
	}
}

func TestScope(t *testing.T) {
	t.Parallel()
	const api, device = "urn:matrix:client:api:*", "urn:matrix:client:device:ABCDEFGHIJ"
	const api1, device1 = "urn:matrix:org.matrix.msc2967.client:api:*",
		"urn:matrix:org.matrix.msc2967.client:device:ABCDEFGHIJ"
	for _, tt := range []struct {
		asked string
		good  bool
	}{
		{api + " " + device, true},
		{"openid " + api1 + " " + device1, true},
		{device + "  " + api + " email urn:synapse:admin:*", true},
		{api + " " + device + " " + api + " " + device, true},
		{api + " " + api1 + " " + device + " " + device1, true},
		{"", false},
		{api, false},
		{device, false},
		{"openid", false},
		{api + " urn:matrix:client:device:", false},
		{api + " " + device + " urn:matrix:client:device:OTHER", false},
		{api + " urn:matrix:client:device:" + strings.Repeat("x", 256), false},
		{api + " urn:matrix:client:device:\"x", false},
		{api + " urn:matrix:client:device:ä", false},
		{api + "\n" + device, false},
		{"URN:matrix:client:api:* " + device, false},
	} {
		s, err := ParseScope(tt.asked)
		if (err == nil) != tt.good || tt.good && s.DeviceID != "ABCDEFGHIJ" {
			t.Errorf("%q: %+v, %v", tt.asked, s, err)
		}
	}
	if got := ScopeOf("ABCDEFGHIJ"); got != api+" "+device {
		t.Errorf("the answer is %q", got)
	}
}

// request is one as a client sends it, changed as a test wants.
func request(change ...string) url.Values {
	q := url.Values{"response_type": {"code"}, "redirect_uri": {"https://example.com/cb?x=1"}, "state": {"s:1&2"},
		"scope": {"urn:matrix:client:api:* urn:matrix:client:device:ABCDEFGHIJ"}, "code_challenge": {challenge},
		"code_challenge_method": {"S256"}, "response_mode": {"fragment"}, "nonce": {"n"}, "prompt": {"consent fresh"}}
	for i := 0; i < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	return q
}

func TestParseAuthorization(t *testing.T) {
	t.Parallel()
	client := registered(t, `{"client_uri":"https://example.com","redirect_uris":["https://example.com/cb?x=1"]}`)
	find := func(id string) (*Client, error) {
		switch id {
		case client.ID():
			return client, nil
		case "away":
			return nil, errors.New("the database is away")
		}
		return nil, nil
	}
	parse := func(change ...string) (*Authorization, error) {
		return ParseAuthorization(request(append([]string{"client_id", client.ID()}, change...)...), find)
	}
	a, err := parse("login_hint", "mxid:@alice:example.org")
	if err != nil || a.Scope.DeviceID != "ABCDEFGHIJ" || a.Create || a.LoginHint == "" ||
		!a.Challenge.Fits(verifier) {
		t.Fatalf("%+v %v", a, err)
	}
	if got, want := a.Answer("https://h.example/", "c", nil),
		"https://example.com/cb?x=1#code=c&iss=https%3A%2F%2Fh.example%2F&state=s%3A1%262"; got != want {
		t.Errorf("the answer goes to %s", got)
	}

	for _, tt := range []struct{ field, value, code string }{
		{"response_type", "token", UnsupportedResponseType},
		{"response_type", "", UnsupportedResponseType},
		{"response_type", "code id_token", UnsupportedResponseType},
		{"response_mode", "form_post", InvalidRequest},
		{"code_challenge_method", "plain", InvalidRequest},
		{"code_challenge_method", "", InvalidRequest},
		{"code_challenge", "", InvalidRequest},
		{"code_challenge", verifier[:20], InvalidRequest},
		{"scope", "openid", InvalidScope},
		{"login_hint", strings.Repeat("x", 2049), InvalidRequest},
	} {
		a, err := parse(tt.field, tt.value)
		var refused *Error
		if !errors.As(err, &refused) || refused.Code != tt.code || !strings.HasPrefix(refused.Description, tt.field) {
			t.Errorf("%s=%s: %v", tt.field, tt.value, err)
			continue
		}
		to, err := url.Parse(a.Answer("https://h.example/", "", refused))
		if err != nil || !strings.HasPrefix(to.String(), "https://example.com/cb?x=1") ||
			!strings.Contains(to.String(), "error="+tt.code) || !strings.Contains(to.String(), "state=s%3A1%262") {
			t.Errorf("%s=%s: the error goes to %v %v", tt.field, tt.value, to, err)
		}
	}

	for _, tt := range []struct{ field, value string }{
		{"client_id", ""}, {"client_id", "unknown"}, {"redirect_uri", ""}, {"redirect_uri", "https://evil.org/"},
		{"redirect_uri", "https://example.com/cb"}, {"redirect_uri", "https://example.com/cb?x=1&y=2"},
	} {
		a, err := parse(tt.field, tt.value)
		var nowhere *Misdirected
		if a != nil || !errors.As(err, &nowhere) || !strings.HasPrefix(nowhere.Reason.Description, tt.field) {
			t.Errorf("%s=%s: %+v %v", tt.field, tt.value, a, err)
		}
	}
	var nowhere *Misdirected
	if a, err := parse("client_id", "away"); a != nil || err == nil || errors.As(err, &nowhere) {
		t.Errorf("a database that is away is told as the client's fault: %v", err)
	}
}

// TestTwice: a parameter that stands twice is nobody's to choose from.
func TestTwice(t *testing.T) {
	t.Parallel()
	client := registered(t, `{"client_uri":"https://example.com","redirect_uris":["https://example.com/cb?x=1"]}`)
	find := func(string) (*Client, error) { return client, nil }
	for field := range request() {
		q := request("client_id", client.ID())
		q.Add(field, q.Get(field))
		a, err := ParseAuthorization(q, find)
		var nowhere *Misdirected
		if err == nil || errors.As(err, &nowhere) != (field == "redirect_uri") ||
			(a == nil) != (field == "redirect_uri") {
			t.Errorf("%s: %+v %v", field, a, err)
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://example.com/cb":      "https://example.com/cb?code=c&iss=i",
		"https://example.com/cb?":     "https://example.com/cb?code=c&iss=i",
		"https://example.com/cb?a=1":  "https://example.com/cb?a=1&code=c&iss=i",
		"https://example.com/cb?a=1&": "https://example.com/cb?a=1&code=c&iss=i",
		"io.element.android:/":        "io.element.android:/?code=c&iss=i",
	} {
		if got := (&Authorization{RedirectURI: uri, ResponseMode: ModeQuery}).Answer("i", "c", nil); got != want {
			t.Errorf("%s: %s", uri, got)
		}
	}
}
