package amend

import (
	"errors"
	"net/http"
	"time"

	"postern/handlers"
	"postern/homeserver/synapse"
)

// Away refuses what cannot be done without the homeserver. If that does answer, and refuses, the client hears why.
func Away(cause error) *handlers.Error {
	var refusal *synapse.Refusal
	if errors.As(cause, &refusal) {
		return &handlers.Error{Status: http.StatusBadRequest, Code: refusal.Code,
			Message: "The homeserver does not take this account or device: " + refusal.Message, Cause: cause}
	}
	return &handlers.Error{
		Status: http.StatusServiceUnavailable, Code: "M_UNKNOWN", RetryAfter: 5 * time.Second,
		Message: "The homeserver does not answer at the moment, so nobody can log in or register. Try again.",
		Cause:   cause,
	}
}

// Refused is an error of the Matrix specification.
func Refused(status int, code, message string) *handlers.Error {
	return &handlers.Error{Status: status, Code: code, Message: message}
}
