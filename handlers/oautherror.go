package handlers

import (
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"postern/gen"
)

// OAuthError is a refusal in the words of OAuth 2.0, which the operations outside of /_matrix speak. RFC 6749, section
// 5.2. It has no Matrix errcode: clients end the session for one.
type OAuthError struct {
	Status            int
	Code, Description string
	Cause             error // logged, never sent
}

// Error implements error.
func (e *OAuthError) Error() string { return e.Code + ": " + e.Description }

// Unwrap gives the cause.
func (e *OAuthError) Unwrap() error { return e.Cause }

// inOAuth turns what went wrong in an operation of the OAuth 2.0 API into its words. What passes has no body: clients
// take an error code of any status for the end of the session. Only where there is none yet they are limited by name.
func inOAuth(e *Error, path string) *OAuthError {
	o := &OAuthError{Status: e.Status, Code: "invalid_request", Description: inTheirAlphabet(e.Message), Cause: e.Cause}
	registers := path == RegistrationPath
	switch {
	case e.Status == http.StatusTooManyRequests && registers:
		o.Code = "temporarily_unavailable"
	case e.Status == http.StatusBadRequest && registers:
		o.Code = "invalid_client_metadata" // RFC 7591, section 3.2.2
	case e.Status >= http.StatusInternalServerError, e.Status == http.StatusTooManyRequests, e.Code == "M_USER_LOCKED":
		o.Status, o.Code = http.StatusServiceUnavailable, ""
	}
	return o
}

// inTheirAlphabet keeps what RFC 6749, section 5.2, allows in a description: %x20-21 / %x23-5B / %x5D-7E.
func inTheirAlphabet(message string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, message)
}

// answerOAuth writes a refusal.
func (s *Server) answerOAuth(c echo.Context, e *OAuthError, retry time.Duration) {
	if e.Code == "" && retry == 0 {
		retry = time.Minute // somebody has to unlock the account
	}
	if retry > 0 {
		sayWhenToRetry(c, retry)
	}
	answer := c.NoContent
	if e.Code != "" {
		answer = func(status int) error {
			return c.JSON(status, gen.OAuthError{Error: e.Code, ErrorDescription: optional(e.Description)})
		}
	}
	if err := answer(e.Status); err != nil {
		s.Log.Debug("the answer could not be written", "error", err)
	}
}
