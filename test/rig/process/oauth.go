package process

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// Paths of the OAuth 2.0 API.
const (
	RegistrationPath = "/oauth2/registration"
	AuthorizePath    = "/oauth2/authorize"
	TokenPath        = "/oauth2/token"
	RevokePath       = "/oauth2/revoke"
	DevicePath       = "/oauth2/device_authorization"
)

// What the clients of the OAuth 2.0 API use: one client, and the verifier and challenge of RFC 7636, appendix B.
const (
	OAuthClient = `{"client_uri":"https://app.example.com","redirect_uris":["` + oauthCallback + `"],
		"grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"]}`

	oauthCallback  = "https://app.example.com/cb"
	oauthVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	oauthChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// RegisterOAuth registers the client and gives its id. It is the same one each time.
func (c *Client) RegisterOAuth(ctx context.Context, url string) (id string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+RegistrationPath, strings.NewReader(OAuthClient))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	text, err := askOAuth(&c.http, r, http.StatusCreated)
	var answer struct {
		ID string `json:"client_id"`
	}
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	return answer.ID, err
}

// Consent is who lets which client in on what device.
type Consent struct{ Client, Device, User, Password string }

// Path is where the client sends the browser.
func (who Consent) Path() string {
	return AuthorizePath + "?" + url.Values{"response_type": {"code"}, "client_id": {who.Client}, "state": {"s"},
		"redirect_uri": {oauthCallback}, "code_challenge": {oauthChallenge}, "code_challenge_method": {"S256"},
		"scope": {who.scope()}}.Encode()
}

// DeviceForm is how a device asks that cannot show pages.
func (who Consent) DeviceForm() url.Values {
	return url.Values{"client_id": {who.Client}, "scope": {who.scope()}}
}

func (who Consent) scope() string {
	return "urn:matrix:client:api:* urn:matrix:client:device:" + who.Device
}

// Authorize lets a client in and gives the authorization code.
func (c *Client) Authorize(ctx context.Context, base string, who Consent) (code string, err error) {
	return c.LetIn(ctx, base+who.Path(), oauthCallback, who)
}

// LetIn opens an address that a client has sent its user to, does there what the account's owner does in a browser that
// has no cookies yet, and gives the authorization code that arrives at the client's redirect URI.
func (c *Client) LetIn(ctx context.Context, at, callback string, who Consent) (code string, err error) {
	browser, err := c.browser()
	if err != nil {
		return "", err
	}
	var form url.Values
	for range 6 { // pages: sign in, consent, and the redirects between them
		next, page, err := visit(ctx, browser, at, form)
		switch {
		case err != nil:
			return "", err
		case strings.HasPrefix(next, callback):
			return codeIn(next)
		case next != "":
			at, form = next, nil
		default:
			if form, err = fill(page, who); err != nil {
				return "", err
			}
		}
	}
	return "", fmt.Errorf("the pages lead nowhere, but to %s", at)
}

// SignIn signs the owner of an account in on a page of theirs, and gives the cookies of the browser.
func (c *Client) SignIn(ctx context.Context, at string, who Consent) (cookies []*http.Cookie, err error) {
	browser, err := c.browser()
	if err != nil {
		return nil, err
	}
	_, page, err := visit(ctx, browser, at, nil)
	if err != nil {
		return nil, err
	}
	form, err := fill(page, who)
	if err != nil {
		return nil, err
	}
	next, page, err := visit(ctx, browser, at, form)
	if err == nil && next == "" {
		err = fmt.Errorf("signing in leads to %s", page)
	}
	u, wrong := url.Parse(at)
	if err = cmp.Or(err, wrong); err != nil {
		return nil, err
	}
	return browser.Jar.Cookies(u), nil
}

// browser keeps cookies, has none yet, and shows where it is led instead of going there.
func (c *Client) browser() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	return &http.Client{Transport: c.http.Transport, Timeout: c.http.Timeout, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, err
}

// visit opens a page, or sends its form, and gives where it leads, or what it shows.
func visit(ctx context.Context, browser *http.Client, at string, form url.Values) (next, page string, err error) {
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := browser.Do(r)
	if err != nil {
		return "", "", lost(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", "", lost(err)
	}
	switch to, err := answer.Location(); {
	case answer.StatusCode == http.StatusSeeOther && err == nil:
		return to.String(), "", nil
	case answer.StatusCode == http.StatusOK:
		return "", string(text), nil
	}
	return "", "", oauthRefusal(answer, text)
}

var (
	filledField = regexp.MustCompile(`<input [^>]*name="([^"]+)" value="([^"]*)"`) // what a browser sends back
	button      = regexp.MustCompile(`<button name="([^"]+)" value="([^"]+)"`)     // the first one agrees
)

// fill fills a page's form in.
func fill(page string, who Consent) (url.Values, error) {
	agrees := button.FindStringSubmatch(page)
	if agrees == nil {
		return nil, fmt.Errorf("a page without a form: %s", page)
	}
	form := Hidden(page)
	form.Set(agrees[1], html.UnescapeString(agrees[2]))
	if strings.Contains(page, `name="password"`) {
		form.Set("user", who.User)
		form.Set("password", who.Password)
	}
	return form, nil
}

// Hidden are the fields of a page's form that nobody types.
func Hidden(page string) url.Values {
	form := make(url.Values)
	for _, field := range filledField.FindAllStringSubmatch(page, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	return form
}

func codeIn(callback string) (string, error) {
	to, err := url.Parse(callback)
	if err == nil && to.Query().Get("code") == "" {
		err = fmt.Errorf("the client gets %q", callback)
	}
	if err != nil {
		return "", err
	}
	return to.Query().Get("code"), nil
}

// Redeem exchanges an authorization code for a pair.
func (c *Client) Redeem(ctx context.Context, base, client, code string) (Pair, error) {
	return c.oauthPair(ctx, base, Redemption(client, code))
}

// Redemption is the form with which a client redeems an authorization code.
func Redemption(client, code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code},
		"redirect_uri": {oauthCallback}, "code_verifier": {oauthVerifier}}
}

// RefreshOAuth refreshes by the OAuth 2.0 API.
func (c *Client) RefreshOAuth(ctx context.Context, base, client, token string) (Pair, error) {
	return c.oauthPair(ctx, base, url.Values{"grant_type": {"refresh_token"}, "client_id": {client},
		"refresh_token": {token}})
}

func (c *Client) oauthPair(ctx context.Context, base string, form url.Values) (p Pair, err error) {
	if p.Raw, err = c.form(ctx, base+TokenPath, form); err != nil {
		return p, err
	}
	if err := json.Unmarshal(p.Raw, &p); err != nil || p.Access == "" || p.Refresh == "" {
		return p, fmt.Errorf("%s answers %q, which is no pair: %w", TokenPath, p.Raw, err)
	}
	return p, nil
}

// Revoke ends the session of a token.
func (c *Client) Revoke(ctx context.Context, base, client, token string) error {
	_, err := c.form(ctx, base+RevokePath, url.Values{"client_id": {client}, "token": {token}})
	return err
}

func (c *Client) form(ctx context.Context, at string, form url.Values) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return askOAuth(&c.http, r, http.StatusOK)
}

func askOAuth(client *http.Client, r *http.Request, want int) ([]byte, error) {
	answer, err := client.Do(r)
	if err != nil {
		return nil, lost(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, lost(err)
	}
	if answer.StatusCode == want {
		return text, nil
	}
	return nil, oauthRefusal(answer, text)
}

// oauthRefusal reads a refusal in OAuth's words. What passes has none that a client could take for the end of its
// session, and says when to come again.
func oauthRefusal(answer *http.Response, text []byte) *Refusal {
	refusal := &Refusal{Status: answer.StatusCode, Message: string(text)}
	page := strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html")
	refusal.Passes = answer.Header.Get("Retry-After") != "" && (len(text) == 0 || page)
	var said struct{ Error, Errcode string }
	if json.Unmarshal(text, &said) == nil {
		refusal.Message, refusal.Code = said.Error, said.Errcode
	}
	return refusal
}

// GrantOver reports whether an error says that a code or a token is over: `invalid_grant`.
func GrantOver(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Status == http.StatusBadRequest && refusal.Message == "invalid_grant"
}
