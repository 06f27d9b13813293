package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Paths of the current API and of the 2015 draft's.
const (
	LoginPath        = "/_matrix/client/v3/login"
	RefreshPath      = "/_matrix/client/v3/refresh"
	WhoamiPath       = "/_matrix/client/v3/account/whoami"
	LogoutPath       = "/_matrix/client/v3/logout"
	DraftLoginPath   = "/_matrix/client/api/v1/login"
	TokenRefreshPath = "/_matrix/client/api/v1/tokenrefresh"
)

// ErrUnsent says that a request never reached a server.
var ErrUnsent = errors.New("not sent")

// ErrLost says that a request was sent and its answer did not arrive, or not whole: what it asked for may have
// happened.
var ErrLost = errors.New("answer lost")

// Refusal is an answer other than 200.
type Refusal struct {
	Status     int
	Code       string `json:"errcode"` // empty when the answer is no Matrix error
	Message    string `json:"error"`
	SoftLogout bool   `json:"soft_logout"`
	Passes     bool   `json:"-"` // the OAuth 2.0 API says, as it does, that it passes
}

// Error tells all of it.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%d %s (soft logout: %t): %s", r.Status, r.Code, r.SoftLogout, r.Message)
}

// Unavailable reports whether the server said, as the API does which was asked, that it could not do its work for now.
func (r *Refusal) Unavailable() bool {
	return r.Status == http.StatusServiceUnavailable && (r.Code != "" || r.Passes)
}

// Pair is what a login or a refresh answers.
type Pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	UserID  string `json:"user_id"`
	Device  string `json:"device_id"`

	Raw []byte `json:"-"` // the answer as it came
}

// Client makes requests. Its connections stay open and are shared.
type Client struct{ http http.Client }

// NewClient makes a client for as many requests at a time.
func NewClient(atATime int) *Client {
	return NewClientBy(&http.Transport{MaxIdleConns: 0, MaxIdleConnsPerHost: atATime, DisableCompression: true})
}

// NewClientBy makes a client that reaches servers in a way of its own.
func NewClientBy(way http.RoundTripper) *Client {
	// A server that does not answer in this time hangs, and that is a failure.
	return &Client{http.Client{Transport: way, Timeout: 45 * time.Second}}
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Login logs in by the current API, with a refresh token.
func (c *Client) Login(ctx context.Context, url, user, password, device string) (Pair, error) {
	return c.pair(ctx, url+LoginPath, map[string]any{
		"type": "m.login.password", "identifier": map[string]string{"type": "m.id.user", "user": user},
		"password":  password,
		"device_id": device, "refresh_token": true,
	})
}

// Refresh refreshes by the current API.
func (c *Client) Refresh(ctx context.Context, url, token string) (Pair, error) {
	return c.pair(ctx, url+RefreshPath, map[string]any{"refresh_token": token})
}

// DraftLogin logs in by the 2015 draft's API.
func (c *Client) DraftLogin(ctx context.Context, url, user, password string) (Pair, error) {
	return c.pair(ctx, url+DraftLoginPath, map[string]any{"username": user, "password": password})
}

// TokenRefresh refreshes by the 2015 draft's API.
func (c *Client) TokenRefresh(ctx context.Context, url, token string) (Pair, error) {
	return c.pair(ctx, url+TokenRefreshPath, map[string]any{"refresh_token": token})
}

// Whoami asks whom an access token belongs to.
func (c *Client) Whoami(ctx context.Context, url, token string) error {
	_, err := c.Ask(ctx, http.MethodGet, url+WhoamiPath, token, nil)
	return err
}

// Logout ends the session of an access token.
func (c *Client) Logout(ctx context.Context, url, token string) error {
	_, err := c.Ask(ctx, http.MethodPost, url+LogoutPath, token, nil)
	return err
}

func (c *Client) pair(ctx context.Context, url string, body any) (p Pair, err error) {
	if p.Raw, err = c.Ask(ctx, http.MethodPost, url, "", body); err != nil {
		return p, err
	}
	if err := json.Unmarshal(p.Raw, &p); err != nil || p.Access == "" || p.Refresh == "" {
		return p, fmt.Errorf("%s answers %q, which is no pair: %w", url, p.Raw, err)
	}
	return p, nil
}

// Ask makes a request and gives the body of an answer of 200, or a Refusal, ErrUnsent or ErrLost.
func (c *Client) Ask(ctx context.Context, method, url, token string, body any) ([]byte, error) {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, sent)
	if err != nil {
		return nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, lost(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, lost(err)
	}
	if answer.StatusCode == http.StatusOK {
		return text, nil
	}
	refusal := &Refusal{Status: answer.StatusCode}
	if json.Unmarshal(text, refusal) != nil {
		refusal.Message = fmt.Sprintf("no JSON: %q", text)
	}
	return nil, refusal
}

func lost(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no answer in time, the server hangs: %w", err)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("%w: %w", ErrUnsent, err)
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}
