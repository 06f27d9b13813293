package protocol

import "fmt"

// The error codes of RFC 6749 (sections 4.1.2.1 and 5.2), RFC 7591 (section 3.2.2) and RFC 8628 (section 3.5).
const (
	InvalidRequest          = "invalid_request"
	InvalidClient           = "invalid_client"
	InvalidGrant            = "invalid_grant"
	InvalidScope            = "invalid_scope"
	UnauthorizedClient      = "unauthorized_client"
	UnsupportedGrantType    = "unsupported_grant_type"
	UnsupportedResponseType = "unsupported_response_type"
	AccessDenied            = "access_denied"
	AuthorizationPending    = "authorization_pending"
	SlowDown                = "slow_down"
	ExpiredToken            = "expired_token"
	InvalidRedirectURI      = "invalid_redirect_uri"
	InvalidClientMetadata   = "invalid_client_metadata"
)

// Error is a refusal in the words of OAuth 2.0. It never has a Matrix errcode: clients take that for the end of a
// session.
type Error struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Description }

// shown is as much of a value as a refusal repeats.
const shown = 200

// refuse says which field breaks which rule with what value.
func refuse(code, field, value, rule string) *Error {
	return &Error{code, printable(fmt.Sprintf("%s: %.*q: %s", field, shown, value, rule))}
}

// printable keeps what RFC 6749, section 5.2, allows in a description: %x20-21 / %x23-5B / %x5D-7E.
func printable(text string) string {
	out := []byte(text)
	for i, b := range out {
		switch {
		case b == '"' || b == '\\':
			out[i] = '\''
		case b < ' ' || b > '~':
			out[i] = '?'
		}
	}
	return string(out)
}
