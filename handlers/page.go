package handlers

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"slices"
	"strings"
	"time"

	"postern/db"
	"postern/gen"
)

// page is the web page of a stage, for people whose client does not know the stage. Anybody may have sent its address,
// so it tells for whom, for what and for which device it asks. When it is done it tells the client in the way the
// specification asks. Client-Server API v1.19, "Fallback".
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
<main>
<h1>{{.Title}}</h1>
{{with .Wrong}}<p class="wrong" role="alert">{{.}}</p>{{end}}
{{if .Done}}<p>That is done. You can close this page and go back to your app.</p>
<script>` + pageScript + `</script>
{{else}}<dl>
<dt>Account</dt><dd><bdi>{{.Account}}</bdi></dd>
<dt>What happens</dt><dd>{{.Deed}}</dd>
{{if .Ends}}<dt>Logged out</dt><dd><ul>{{range .Ends}}<li>{{template "device" .}}</li>{{end}}</ul></dd>
{{end}}{{with .Asks}}<dt>Asked for by</dt><dd>{{template "device" .}}</dd>
{{end}}</dl>
{{if .Asks}}<p class="stop">Have you just asked for this, on that device? If not, <strong>do not enter your
password</strong>: somebody else is logged in to your account there. Close this page, then log that device out and
change your password in your app.</p>
{{end}}<form method="post">
{{if eq .Stage "m.login.password"}}<input autocomplete="username" value="{{.Account}}" readonly hidden>
<label>Password
<input type="password" name="password" autocomplete="current-password" required></label>
{{else if eq .Stage "m.login.registration_token"}}<label>Registration token
<input name="token" autocomplete="off" required autofocus></label>
{{else if eq .Stage "m.login.terms"}}<p>Please read the
<a href="{{.Terms}}" target="_blank" rel="noopener noreferrer">terms of service</a>.</p>
{{else if eq .Stage "m.login.email.identity"}}{{if .Mailed}}<p>Follow the link in the mail that was sent to you, and
continue here.</p>
{{else}}<label>Mail address
<input type="email" name="email" autocomplete="email" required autofocus></label>
{{end}}{{end}}<button>{{if eq .Stage "m.login.terms"}}I agree{{else}}Continue{{end}}</button>
</form>
{{end}}</main>
</body>
</html>
{{define "device"}}{{with .Name}}<bdi>{{.}}</bdi>, {{end}}<code><bdi>{{.ID}}</bdi></code>{{with .Seen}}<br>
<small>{{.}}</small>{{end}}{{end}}`))

const (
	pageStyle = `
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 28rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; line-height: 1.2 }
dt { font-weight: 600 }
dd { margin: 0 0 .75rem }
dd, code { overflow-wrap: anywhere }
ul { margin: 0; padding-left: 1.25rem }
input, button { font: inherit; padding: .5rem; width: 100%; box-sizing: border-box; margin: .25rem 0 1rem }
.wrong, .stop { border-left: .25rem solid #c33; padding-left: .75rem }
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
	stagePassword: "Confirm with your password", stageToken: "Registration token", stageTerms: "Terms of service",
	stageDummy: "Continue", stageSSO: "Confirm by signing in", stageEmail: "Confirm by mail",
}

// pageData is what a page shows. All of it comes from somebody else, but for the words.
type pageData struct {
	Stage, Title, Terms, Wrong string
	Done, Mailed               bool

	Account, Deed string
	Ends          []pageDevice
	Asks          *pageDevice // nil for a registration: nobody is logged in yet
}

// pageDevice is a device as a person can tell it from the others.
type pageDevice struct{ ID, Name, Seen string }

// page writes the page of one stage of an interaction, which the session asks for.
func (s *Server) page(ctx context.Context, i *interaction, asks db.Session,
	d pageData) (gen.PageTextHTMLResponse, error) {
	d.Title, d.Terms, d.Mailed = pageTitles[d.Stage], s.Terms.URL, i.Sid != ""
	if i.Bound.User == "" && i.needsEmail() == toReset {
		d.Account, d.Deed = "the one that has your mail address", "Its password is replaced by another one."
	} else if i.Bound.User == "" {
		s.registering(i, &d)
	} else if err := s.agreeing(ctx, i, asks, &d); err != nil {
		return gen.PageTextHTMLResponse{}, err
	}
	var html bytes.Buffer
	err := page.Execute(&html, d)
	return gen.PageTextHTMLResponse{Body: &html, ContentLength: int64(html.Len())}, err
}

// registering tells of an account that is to be made.
func (s *Server) registering(i *interaction, d *pageData) {
	d.Deed = "The account is made on " + s.ServerName + "."
	d.Account = "a new one, under a name that the server makes up"
	if name := i.wanted().Username; name != nil {
		d.Account = Printable(string(NewUserID(strings.ToLower(*name), s.ServerName)))
	}
}

// agreeing tells of what the user is asked to agree to.
func (s *Server) agreeing(ctx context.Context, i *interaction, asks db.Session, d *pageData) error {
	d.Account, d.Deed = Printable(string(NewUserID(i.Bound.User, s.ServerName))), i.Deed.Words
	shown := shownDevice(asks)
	d.Asks = &shown
	ends, err := s.ends(ctx, i, asks)
	for _, of := range ends {
		d.Ends = append(d.Ends, shownDevice(of))
	}
	return err
}

// ends are the devices that an interaction is about to log out, as they are now. Which they are was fixed when it
// began, unless it is all that there are. One that is not there is a session without an id.
func (s *Server) ends(ctx context.Context, i *interaction, asks db.Session) (ends []db.Session, err error) {
	sessions, err := s.DB.Sessions(ctx, i.Bound.User)
	if err != nil {
		return nil, err
	}
	for _, id := range i.Deed.Ends {
		if !slices.ContainsFunc(sessions, func(of db.Session) bool { return of.DeviceID == id }) {
			ends = append(ends, db.Session{DeviceID: id})
		}
	}
	for _, of := range sessions {
		if i.Deed.ends(of.DeviceID, asks.DeviceID) {
			ends = append(ends, of)
		}
	}
	return ends, nil
}

// maxShownName is how much is shown of a name that may have been chosen to hide what stands below it.
const maxShownName = 80

func shownDevice(of db.Session) pageDevice {
	name := []rune(Printable(of.DisplayName))
	if len(name) > maxShownName {
		name = append(name[:maxShownName], '…')
	}
	seen := "not seen yet"
	if of.ID == "" {
		seen = "there is no such device now"
	} else if !of.Seen.At.IsZero() {
		seen = "last seen " + of.Seen.At.UTC().Format(time.DateTime) + " UTC, from " +
			cmp.Or(Printable(of.Seen.Addr), "an unknown address")
	}
	return pageDevice{ID: Printable(of.DeviceID), Name: string(name), Seen: seen}
}
