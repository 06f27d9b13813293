package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"postern/db"
	"postern/gen"
)

// AuthFallback implements GET /auth/{stage}/fallback/web.
func (s *Server) AuthFallback(ctx context.Context,
	request gen.AuthFallbackRequestObject) (gen.AuthFallbackResponseObject, error) {
	i, asks, err := s.fallback(ctx, request.Stage, request.Params.Session)
	if err != nil {
		return nil, err
	}
	done := slices.Contains(i.Completed, request.Stage)
	if request.Stage == stageSSO && !done {
		// Without a host: the client waits for a message from the one that it knows.
		to := StagePath + "?" + url.Values{"session": {request.Params.Session}}.Encode()
		return gen.AuthFallback302Response{Headers: gen.AuthFallback302ResponseHeaders{Location: &to}}, nil
	}
	html, err := s.page(ctx, i, asks, pageData{Stage: request.Stage, Done: done})
	return gen.AuthFallback200TextHTMLResponse{PageTextHTMLResponse: html}, err
}

// CompleteAuthFallback implements the form of that page.
func (s *Server) CompleteAuthFallback(ctx context.Context,
	request gen.CompleteAuthFallbackRequestObject) (gen.CompleteAuthFallbackResponseObject, error) {
	who := CallerOf(ctx)
	if err := s.attempts.takeAddress(who.Addr, who.Now); err != nil {
		return nil, err
	}
	i, asks, err := s.fallback(ctx, request.Stage, request.Params.Session)
	if err != nil {
		return nil, err
	}
	if request.Stage == stageSSO {
		return nil, badRequest("M_UNRECOGNIZED", "This stage has a page of its own.")
	}
	err = s.completeOnPage(ctx, i, request)
	var wrong *stageFailed
	if errors.As(err, &wrong) {
		s.logFailure(who, triedOn(i), wrong.why)
		html, err := s.page(ctx, i, asks, pageData{Stage: request.Stage, Wrong: wrong.why.Message})
		return gen.CompleteAuthFallback403TextHTMLResponse(html), err
	}
	if err == nil {
		err = s.save(ctx, i)
	}
	if err != nil {
		t := triedOn(i)
		return nil, trying(t.what, t.name, noInteraction(err))
	}
	html, err := s.page(ctx, i, asks, pageData{Stage: request.Stage, Done: slices.Contains(i.Completed, request.Stage)})
	return gen.CompleteAuthFallback200TextHTMLResponse{PageTextHTMLResponse: html}, err
}

// completeOnPage takes what the page's form sent. A mail address begins a validation session, whose secret is the
// interaction's own id, and another click of the button looks whether the link in the mail was followed.
func (s *Server) completeOnPage(ctx context.Context, i *interaction, r gen.CompleteAuthFallbackRequestObject) error {
	auth := &gen.AuthData{Type: &r.Stage, Password: r.Body.Password, Token: r.Body.Token}
	switch {
	case r.Stage != stageEmail:
	case r.Body.Email != nil:
		id, err := s.validate(ctx, i.needsEmail(), nil, &gen.RequestEmailRequest{ClientSecret: i.id,
			Email: *r.Body.Email, SendAttempt: db.Millis(CallerOf(ctx).Now)})
		if e := AsError(err); err != nil && e.Code == "M_INVALID_PARAM" {
			return &stageFailed{e}
		}
		i.change(func(now *state) bool {
			now.Sid = id
			return true
		})
		return err
	default:
		auth.ThreepidCreds = &gen.ThreepidCredentials{Sid: i.Sid, ClientSecret: i.id}
	}
	return s.complete(ctx, i, auth)
}

// triedOn is what is tried on a page, for the log.
func triedOn(i *interaction) *tried {
	if i.Bound.User != "" {
		return &tried{what: stageWrong, name: i.Bound.User}
	}
	return &tried{what: registrationRefused, name: value(i.wanted().Username)}
}

// forms reads a form before the generated code does, which would return whatever is wrong with one as it is: the
// client's fault would be answered, and logged, as the server's. Of OAuth 2.0's forms nothing is read from the address,
// which is logged in places, and a field stands once (RFC 6749, section 3.2).
func (s *Server) forms(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		op := s.contract.operations[route{c.Request().Method, c.Path()}]
		if !op.form {
			return next(c)
		}
		if _, err := c.FormParams(); err != nil {
			return unreadableForm(err)
		}
		if op.oauth {
			c.Request().Form = c.Request().PostForm
			if err := wellFormed(c.Request().Form); err != nil {
				return err
			}
		}
		return next(c)
	}
}

// wellFormed refuses a form of OAuth 2.0 in which a field stands twice, or which is no text.
func wellFormed(form url.Values) error {
	for field, values := range form {
		if len(values) > 1 {
			return badRequest("M_INVALID_PARAM", fmt.Sprintf("The field %.40q stands more than once.", field))
		}
		if !utf8.ValidString(field) || !utf8.ValidString(values[0]) {
			return badRequest("M_INVALID_PARAM", "The form is not valid UTF-8.")
		}
	}
	return nil
}

func unreadableForm(err error) *Error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return tooLarge()
	}
	return badRequest("M_INVALID_PARAM", "The form cannot be read.").because(err)
}

// fallback finds the interaction that a page is for, and the session that asks: with that, it is over. A registration
// has none.
func (s *Server) fallback(ctx context.Context, stage, session string) (i *interaction, asks db.Session, err error) {
	i, err = s.interactions.get(ctx, session, CallerOf(ctx).Now)
	if err == nil && (i == nil || !i.has(stage)) {
		err = errOver
	}
	if err == nil && i.Bound.User != "" {
		asks, _, err = s.DB.Session(ctx, i.Bound.Session)
		if errors.Is(err, db.ErrNotFound) || err == nil && asks.State != db.Live {
			err = errOver
		}
	}
	return i, asks, noInteraction(err)
}

// noInteraction says it to the person, who is not in the app.
func noInteraction(err error) error {
	if errors.Is(err, errOver) {
		return notFound("There is no such authentication session; go back to your app and begin again.")
	}
	return err
}

// notFound is 404 for a thing, not for a path.
func notFound(message string) *Error {
	return &Error{Status: http.StatusNotFound, Code: "M_NOT_FOUND", Message: message}
}
