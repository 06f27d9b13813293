package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"postern/db"
	"postern/gen"
)

// Error is a Matrix error on its way to the client. A handler returns it and never writes it;
// [Server.handleError] is the one place where an error becomes HTTP.
//
// Client-Server API v1.19, "Standard error response".
type Error struct {
	Status     int    // HTTP status
	Code       string // errcode, such as M_FORBIDDEN
	Message    string // for people; never holds a secret
	SoftLogout bool   // the token is dead but the device lives: Client-Server API v1.19, "Soft logout"

	Mailed bool // with [AwaitingApproval]: they get a mail once they are approved

	// RetryAfter is how long to wait, with M_LIMIT_EXCEEDED and when the database is away.
	RetryAfter time.Duration

	Cause error // logged, never sent
}

// Error gives the errcode and the message, for logs and tests.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap gives the cause, for errors.Is.
func (e *Error) Unwrap() error { return e.Cause }

// because keeps the cause of an error for the log.
func (e *Error) because(cause error) *Error {
	e.Cause = cause
	return e
}

func badRequest(code, message string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: code, Message: message}
}

func missingParam(message string) *Error { return badRequest("M_MISSING_PARAM", message) }

func missingToken(message string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "M_MISSING_TOKEN", Message: message}
}

// UnknownToken refuses a token. With softLogout the client keeps its device and logs in again on it;
// without, it forgets everything, so it is true whenever the session still has a row.
func UnknownToken(message string, softLogout bool) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "M_UNKNOWN_TOKEN", Message: message, SoftLogout: softLogout}
}

func forbidden(message string) *Error {
	return &Error{Status: http.StatusForbidden, Code: "M_FORBIDDEN", Message: message}
}

func limitExceeded(wait time.Duration) *Error {
	return &Error{
		Status: http.StatusTooManyRequests, Code: "M_LIMIT_EXCEEDED",
		Message: "Too many attempts. Wait before you try again.", RetryAfter: wait,
	}
}

func tooLarge() *Error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Code: "M_TOO_LARGE", Message: "The body is too large."}
}

// unavailable says that storage failed. It is a 503 and never a 401, because a client that reads 401 forgets
// its session, and the session is not what is broken.
func unavailable(cause error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "M_UNKNOWN", RetryAfter: 5 * time.Second,
		Message: "The login database cannot be used at the moment. Try again.", Cause: cause,
	}
}

// AsError turns whatever arrives into a Matrix error.
func AsError(err error) *Error {
	var matrix *Error
	var status *echo.HTTPError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &matrix):
		return matrix
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// The client is gone, or the server is stopping: hardly anybody will read this. What was to be written may have
		// been; asking again tells.
		e := unavailable(err)
		e.Message = "The request was cut short; try again."
		return e
	case errors.Is(err, db.ErrUnavailable):
		return unavailable(err)
	case errors.Is(err, db.ErrText):
		return badRequest("M_INVALID_PARAM", "A text holds NUL, or bytes that are not UTF-8.").because(err)
	case errors.Is(err, db.ErrLocked):
		return userLocked()
	case errors.Is(err, db.ErrDeviceTaken):
		return badRequest("M_INVALID_PARAM", "This device belongs to a token for a bot. End the token first, or log "+
			"in without a device id.").because(err)
	case errors.As(err, &large):
		return tooLarge()
	case errors.As(err, &status) && status.Code == http.StatusBadRequest:
		return badParameter(status)
	case errors.As(err, &status) && (status.Code == http.StatusNotFound || status.Code == http.StatusMethodNotAllowed):
		return &Error{Status: status.Code, Code: "M_UNRECOGNIZED", Message: "Unrecognized request."}
	default:
		return &Error{
			Status: http.StatusInternalServerError, Code: "M_UNKNOWN",
			Message: "Something went wrong in the server.", Cause: err,
		}
	}
}

// userLocked is answered only to a client that has shown that the account is its own. Client-Server API v1.19, "Account
// locking".
func userLocked() *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "M_USER_LOCKED", Message: "This account is locked.",
		SoftLogout: true}
}

// UserDeactivated is answered only to a client that has shown that the account was its own. Client-Server API v1.19,
// "Login".
func UserDeactivated() *Error {
	return &Error{Status: http.StatusForbidden, Code: "M_USER_DEACTIVATED", Message: "This account is deactivated."}
}

// badParameter is what the generated code says of a path or query parameter.
func badParameter(e *echo.HTTPError) *Error {
	message := fmt.Sprint(e.Message)
	if strings.Contains(message, "required") {
		return missingParam(message).because(e)
	}
	return badRequest("M_INVALID_PARAM", message).because(e)
}

// body is the error as the contract has it.
func (e *Error) body() gen.Error {
	b := gen.Error{Errcode: e.Code, Error: &e.Message}
	if e.SoftLogout {
		b.SoftLogout = &e.SoftLogout
	}
	if e.Code == AwaitingApproval {
		b.ApprovalNoticeMedium = optional(toldByNobody)
	}
	if e.Mailed {
		b.ApprovalNoticeMedium = optional(toldByMail)
	}
	if e.RetryAfter > 0 {
		ms := e.RetryAfter.Milliseconds()
		b.RetryAfterMs = &ms
	}
	return b
}

// handleError is Echo's error handler. It logs what is the server's fault, once, and answers.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	s.logRefusal(c, err)
	var more *challenge
	if errors.As(err, &more) {
		if err := c.JSON(http.StatusUnauthorized, more.AuthResponse); err != nil {
			s.Log.Debug("the answer could not be written", "error", err)
		}
		return
	}
	var refused *OAuthError
	if errors.As(err, &refused) {
		s.logError(c, &Error{Status: refused.Status, Code: refused.Code, Message: refused.Description,
			Cause: refused.Cause})
		s.answerOAuth(c, refused, 0)
		return
	}
	e := AsError(err)
	s.logError(c, e)
	if s.contract.operations[route{c.Request().Method, c.Path()}].rfc6749 && e.Code != "M_UNRECOGNIZED" {
		s.answerOAuth(c, inOAuth(e, c.Path()), e.RetryAfter)
		return
	}
	body, err := json.Marshal(e.body())
	if err != nil { // unreachable: strings, numbers and booleans
		body = []byte(`{"errcode":"M_UNKNOWN"}`)
	}
	if e.RetryAfter > 0 {
		sayWhenToRetry(c, e.RetryAfter)
	}
	if err := c.JSONBlob(e.Status, body); err != nil {
		s.Log.Debug("the answer could not be written", "error", err)
	}
}

// sayWhenToRetry gives whole seconds, rounded up, so that a client that obeys is not refused again. RFC 9110, section
// 10.2.3.
func sayWhenToRetry(c echo.Context, d time.Duration) {
	c.Response().Header().Set("Access-Control-Expose-Headers", "Retry-After") // or a web client could not read it
	c.Response().Header().Set("Retry-After", strconv.Itoa(int((d+time.Second-1)/time.Second)))
}

func (s *Server) logError(c echo.Context, e *Error) {
	level := slog.LevelDebug
	if e.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if errors.Is(e.Cause, context.Canceled) {
		level = slog.LevelDebug
	}
	ctx := c.Request().Context()
	if !s.Log.Enabled(ctx, level) {
		return
	}
	// Method and route only: a query may hold an access token.
	s.Log.Log(ctx, level, "request refused", "method", c.Request().Method, "route", c.Path(),
		"status", e.Status, "errcode", e.Code, "message", e.Message, "cause", e.Cause)
}
