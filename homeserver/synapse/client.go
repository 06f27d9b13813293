package synapse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	// ErrAway says that it is not known whether Synapse obeyed a call: try again.
	ErrAway = errors.New("the homeserver does not answer")
	// ErrFailed is an ErrAway in which Synapse itself says that it failed: another call may succeed.
	ErrFailed = fmt.Errorf("%w as it should", ErrAway)
	// ErrNotFound says that Synapse has no such user.
	ErrNotFound = errors.New("the homeserver has no such user")

	errNoDevice = errors.New("the homeserver has no such device")
)

// Refusal is Synapse's answer to a call that it will never obey.
type Refusal struct {
	Status        int
	Code, Message string // as Synapse wrote them
}

// Error contains Synapse's own message.
func (r *Refusal) Error() string {
	return fmt.Sprintf("the homeserver refuses: %d %s %s", r.Status, r.Code, r.Message)
}

// maxAnswer bounds what is read of an answer. The longest that is expected describes one user.
const maxAnswer = 64 << 10

// Config says where Synapse is. Zero values mean the defaults.
type Config struct {
	URL     string // such as http://127.0.0.1:8008
	Secret  string
	Timeout time.Duration // of one call; default 10 s
}

// Client makes the calls. Its methods may be called from any goroutine.
type Client struct {
	url, secret string
	http        *http.Client
}

// New makes a client.
func New(c Config) *Client {
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	return &Client{
		url: strings.TrimSuffix(c.URL, "/") + "/_synapse/mas/", secret: c.Secret,
		http: &http.Client{
			Timeout:       c.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: maxAnswer,
				DisableCompression: true,
			},
		},
	}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// post makes a call that changes something. Without an error the status is 200, 201 or 204.
func (c *Client) post(ctx context.Context, name string, body any) (int, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, err // unreachable: strings and booleans
	}
	return c.call(ctx, http.MethodPost, name, nil, bytes.NewReader(text), nil)
}

// get makes a call that asks something, and decodes the answer into a value unless that is nil.
func (c *Client) get(ctx context.Context, name string, query url.Values, into any) error {
	_, err := c.call(ctx, http.MethodGet, name, query, http.NoBody, into)
	return err
}

func (c *Client) call(ctx context.Context, method, name string, query url.Values, body io.Reader, into any) (int,
	error) {
	target := c.url + name
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	request.Header.Set("Authorization", "Bearer "+c.secret)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return 0, unanswered(name, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, unanswered(name, err)
	}
	return response.StatusCode, parseAnswer(name, response.StatusCode, text, into)
}

// unanswered is the error of a call without an answer. It leaves out the URL, which contains the user's name.
func unanswered(name string, err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	return fmt.Errorf("%w: %s: %w", ErrAway, name, err)
}

// parseAnswer decodes an answer into a value, or returns the error that it means. Only an answer that must be Synapse's
// own is a Refusal: a proxy in between, or a server that is just starting, answers 4xx too.
func parseAnswer(name string, status int, text []byte, into any) error {
	if status == http.StatusNoContent {
		return nil
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("%w: %s: status %d and no JSON", ErrAway, name, status)
	}
	if status == http.StatusOK || status == http.StatusCreated {
		if into == nil {
			return nil
		}
		if err := json.Unmarshal(text, into); err != nil {
			return fmt.Errorf("%w: %s: the answer is not as expected: %w", ErrAway, name, err)
		}
		return nil
	}
	code, _ := answer["errcode"].(string)
	message, _ := answer["error"].(string)
	switch {
	case status == http.StatusNotFound && code == "M_NOT_FOUND" && message == noDevice:
		return fmt.Errorf("%s: %w", name, errNoDevice)
	case status == http.StatusNotFound && code == "M_NOT_FOUND":
		return fmt.Errorf("%s: %w", name, ErrNotFound)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%w: %s: it does not take our secret (%d): is it the one of its "+
			"matrix_authentication_service?", ErrAway, name, status)
	case status == http.StatusBadRequest && code != "":
		return &Refusal{Status: status, Code: code, Message: truncated(message)}
	}
	if code != "" {
		return fmt.Errorf("%w: %s: status %d %s", ErrFailed, name, status, truncated(code))
	}
	return fmt.Errorf("%w: %s: status %d", ErrAway, name, status)
}

// noDevice is what Synapse says of a device that it does not have. Of a user whom it does not have it says "User not
// found", with the same status and code.
const noDevice = "Not found"

// truncated bounds a text of another server to 200 bytes, or a little more for a whole character, of valid UTF-8.
func truncated(text string) string {
	const limit = 200
	for i := range text {
		if i >= limit {
			text = text[:i]
			break
		}
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "")
	}
	return text
}
