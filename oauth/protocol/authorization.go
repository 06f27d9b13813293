package protocol

import (
	"net/url"
	"slices"
	"strings"
)

// Authorization is a request of a client that a person shall be asked about. Client-Server API v1.19, "Authorization
// code grant"; RFC 6749, section 4.1.1.
type Authorization struct {
	ClientID     string
	RedirectURI  string
	ResponseMode string
	State        string
	Scope        Scope
	Challenge    Challenge
	Create       bool // prompt=create: the person wants an account
	LoginHint    string
}

// Where an answer may stand in the redirect URI. OAuth 2.0 Multiple Response Type Encoding Practices, section 2.1.
const (
	ModeQuery    = "query"
	ModeFragment = "fragment"
)

// maxParameter bounds every parameter of a request, in bytes.
const maxParameter = 2048

// Misdirected is a request of which no answer may be sent anywhere: it is shown to the person instead.
type Misdirected struct{ Reason *Error }

// Error implements error.
func (m *Misdirected) Error() string { return m.Reason.Error() }

// ParseAuthorization reads the parameters of an authorization request. Find gives the client of an id, or nil. The
// error is [*Misdirected] as long as the redirect URI is not known to be the client's, and else [*Error], which belongs
// to the answer. A parameter that stands twice is an error (RFC 6749, section 3.1); one that is not known is ignored,
// and so is a prompt.
func ParseAuthorization(q url.Values, find func(id string) (*Client, error)) (*Authorization, error) {
	a := &Authorization{
		ClientID: q.Get("client_id"), RedirectURI: q.Get("redirect_uri"), ResponseMode: q.Get("response_mode"),
		State: q.Get("state"), Challenge: Challenge(q.Get("code_challenge")), LoginHint: q.Get("login_hint"),
	}
	if err := a.checkClient(q, find); err != nil {
		return nil, err
	}
	a.Create = slices.Contains(strings.Fields(q.Get("prompt")), "create")
	if err := a.check(q); err != nil {
		return a, err
	}
	return a, nil
}

// checkClient finds out who asks, and whether the answer may go where it is wanted.
func (a *Authorization) checkClient(q url.Values, find func(string) (*Client, error)) error {
	for _, field := range []string{"client_id", "redirect_uri"} {
		if len(q[field]) != 1 || q.Get(field) == "" {
			return &Misdirected{refuse(InvalidRequest, field, q.Get(field), "it is needed, once")}
		}
	}
	client, err := find(a.ClientID)
	if err != nil {
		return err
	}
	if client == nil {
		return &Misdirected{refuse(InvalidClient, "client_id", a.ClientID,
			"no client is registered under it; start again in the client")}
	}
	if !client.Redirects(a.RedirectURI) {
		return &Misdirected{refuse(InvalidRequest, "redirect_uri", a.RedirectURI,
			"it is none of those that the client has registered")}
	}
	return nil
}

// check is about what the client may be told.
func (a *Authorization) check(q url.Values) error {
	mode := a.ResponseMode
	if mode != ModeFragment { // where the answer to an unknown mode goes, too
		a.ResponseMode = ModeQuery
	}
	for field, values := range q {
		if len(values) > 1 {
			return refuse(InvalidRequest, field, values[0], "a parameter stands once")
		}
		if len(values[0]) > maxParameter {
			return refuse(InvalidRequest, field, values[0], "a parameter has at most 2048 bytes")
		}
	}
	switch method := q.Get("code_challenge_method"); {
	case q.Get("response_type") != "code":
		return refuse(UnsupportedResponseType, "response_type", q.Get("response_type"), "code is served")
	case mode != "" && mode != ModeQuery && mode != ModeFragment:
		return refuse(InvalidRequest, "response_mode", mode, "query and fragment are served")
	case method != "S256":
		return refuse(InvalidRequest, "code_challenge_method", method, "S256 is served, and needed")
	case !a.Challenge.well():
		return refuse(InvalidRequest, "code_challenge", string(a.Challenge),
			"it is the SHA-256 of the verifier in base64url, 43 characters")
	}
	scope, err := ParseScope(q.Get("scope"))
	if err != nil {
		return err
	}
	a.Scope = scope
	return nil
}

// Answer is where the browser goes with the answer: the redirect URI with a code or an error, the client's state, and
// the issuer (RFC 9207). The redirect URI's own query stays.
func (a *Authorization) Answer(issuer, code string, refused *Error) string {
	answer := url.Values{"iss": {issuer}}
	if a.State != "" {
		answer.Set("state", a.State)
	}
	if refused != nil {
		answer.Set("error", refused.Code)
		answer.Set("error_description", refused.Description)
	} else {
		answer.Set("code", code)
	}
	switch {
	case a.ResponseMode == ModeFragment:
		return a.RedirectURI + "#" + answer.Encode()
	case !strings.Contains(a.RedirectURI, "?"):
		return a.RedirectURI + "?" + answer.Encode()
	case strings.HasSuffix(a.RedirectURI, "?"), strings.HasSuffix(a.RedirectURI, "&"):
		return a.RedirectURI + answer.Encode()
	}
	return a.RedirectURI + "&" + answer.Encode()
}
