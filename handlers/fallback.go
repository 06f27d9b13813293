package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"postern/gen"
)

// page is the web page of a stage, for people whose client does not know the stage. When it is done it tells the
// client in the way the specification asks. Client-Server API v1.19, "Fallback".
var page = template.Must(template.New("stage").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}}</title>
<style>` + pageStyle + `</style>
</head>
<body>
<h1>{{.Title}}</h1>
{{with .Wrong}}<p class="wrong" role="alert">{{.}}</p>{{end}}
{{if .Done}}<p>That is done. You can close this page and go back to your app.</p>
<script>` + pageScript + `</script>
{{else}}<form method="post">
{{if eq .Stage "m.login.password"}}<label>Password
<input type="password" name="password" autocomplete="current-password" required autofocus></label>
{{else if eq .Stage "m.login.registration_token"}}<label>Registration token
<input name="token" autocomplete="off" required autofocus></label>
{{else if eq .Stage "m.login.terms"}}<p>Please read the
<a href="{{.Terms}}" target="_blank" rel="noopener noreferrer">terms of service</a>.</p>
{{end}}<button>{{if eq .Stage "m.login.terms"}}I agree{{else}}Continue{{end}}</button>
</form>
{{end}}</body>
</html>
`))

const (
	pageStyle = `
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 3rem auto; padding: 0 1rem }
input, button { font: inherit; padding: .5rem; width: 100%; box-sizing: border-box; margin: .25rem 0 1rem }
.wrong { border-left: .25rem solid #c33; padding-left: .75rem }
`
	pageScript = `
if (window.onAuthDone) { window.onAuthDone(); }
else if (window.opener && window.opener.postMessage) { window.opener.postMessage("authDone", "*"); }
`
)

// pagePolicy lets the page do what it does and nothing else: its own style and script, known by their hashes, and a
// form that comes back here. Content Security Policy Level 3, section 6.
var pagePolicy = "default-src 'none'; style-src '" + inline(pageStyle) + "'; script-src '" + inline(pageScript) +
	"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func inline(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

var pageTitles = map[string]string{
	stagePassword: "Your password", stageToken: "Registration token", stageTerms: "Terms of service",
	stageDummy: "Continue",
}

type pageData struct {
	Stage, Title, Terms, Wrong string
	Done                       bool
}

// AuthFallback implements GET /auth/{stage}/fallback/web.
func (s *Server) AuthFallback(ctx context.Context,
	request gen.AuthFallbackRequestObject) (gen.AuthFallbackResponseObject, error) {
	i, err := s.fallback(ctx, request.Stage, request.Params.Session)
	if err != nil {
		return nil, err
	}
	html, err := s.page(request.Stage, "", slices.Contains(i.Completed, request.Stage))
	return gen.AuthFallback200TextHTMLResponse{PageTextHTMLResponse: html}, err
}

// CompleteAuthFallback implements the form of that page.
func (s *Server) CompleteAuthFallback(ctx context.Context,
	request gen.CompleteAuthFallbackRequestObject) (gen.CompleteAuthFallbackResponseObject, error) {
	who := CallerOf(ctx)
	if err := s.attempts.takeAddress(who.Addr, who.Now); err != nil {
		return nil, err
	}
	i, err := s.fallback(ctx, request.Stage, request.Params.Session)
	if err != nil {
		return nil, err
	}
	auth := &gen.AuthData{Type: &request.Stage, Password: request.Body.Password, Token: request.Body.Token}
	err = s.complete(ctx, i, auth)
	var wrong *stageFailed
	if errors.As(err, &wrong) {
		html, err := s.page(request.Stage, wrong.why.Message, false)
		return gen.CompleteAuthFallback403TextHTMLResponse(html), err
	}
	if err == nil {
		err = s.save(ctx, i)
	}
	if err != nil {
		return nil, noInteraction(err)
	}
	html, err := s.page(request.Stage, "", true)
	return gen.CompleteAuthFallback200TextHTMLResponse{PageTextHTMLResponse: html}, err
}

// forms reads the form of a page before the generated code does, which would return whatever is wrong with one as it
// is: the client's fault would be answered, and logged, as the server's.
func forms(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method == http.MethodPost && c.Path() == fallbackRoute {
			if _, err := c.FormParams(); err != nil {
				return unreadableForm(err)
			}
		}
		return next(c)
	}
}

// fallbackRoute is the page's path, as the router has it.
const fallbackRoute = "/_matrix/client/v3/auth/:stage/fallback/web"

func unreadableForm(err error) *Error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return tooLarge()
	}
	return badRequest("M_INVALID_PARAM", "The form cannot be read.").because(err)
}

// fallback finds the interaction that the page is for.
func (s *Server) fallback(ctx context.Context, stage, session string) (*interaction, error) {
	i, err := s.interactions.get(ctx, session, CallerOf(ctx).Now)
	if err == nil && (i == nil || !i.has(stage)) {
		err = errOver
	}
	return i, noInteraction(err)
}

// noInteraction says it to the person, who is not in the app.
func noInteraction(err error) error {
	if errors.Is(err, errOver) {
		return notFound("There is no such authentication session; go back to your app and begin again.")
	}
	return err
}

func (s *Server) page(stage, wrong string, done bool) (gen.PageTextHTMLResponse, error) {
	var html bytes.Buffer
	err := page.Execute(&html, pageData{Stage: stage, Title: pageTitles[stage], Terms: s.Terms.URL, Wrong: wrong,
		Done: done})
	return gen.PageTextHTMLResponse{Body: &html, ContentLength: int64(html.Len())}, err
}

// notFound is 404 for a thing, not for a path.
func notFound(message string) *Error {
	return &Error{Status: http.StatusNotFound, Code: "M_NOT_FOUND", Message: message}
}
