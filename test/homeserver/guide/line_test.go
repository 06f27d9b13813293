package guide

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// line is the way from the clients to Postern. It can lose the answer to a refresh.
type line struct {
	*httptest.Server
	target *url.URL

	mu     sync.Mutex
	losing chan<- [2]tokens // gets what is lost, and what the same refresh token gives after that
	spent  string           // the refresh token whose answer was lost
	lost   tokens
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func newLine(t *testing.T) *line {
	t.Helper()
	l := new(line)
	l.Server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(l.target)
			r.Out.Host = r.In.Host
		},
		Transport:    l,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	l.Config.ErrorLog = nil
	t.Cleanup(l.Close)
	return l
}

// to says where Postern is.
func (l *line) to(t *testing.T, address string) {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l.target = target
}

var errLost = errors.New("the answer is lost")

// RoundTrip implements http.RoundTripper.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/oauth2/token" {
		return http.DefaultTransport.RoundTrip(r)
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(sent))
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(sent))
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(text))
	var pair tokens
	_ = json.Unmarshal(text, &pair) // a refusal has none
	return res, l.passes(form.Get("refresh_token"), pair)
}

// passes reports whether an answer to a refresh token reaches the client.
func (l *line) passes(token string, answer tokens) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.losing == nil || token == "":
	case l.spent == "":
		l.spent, l.lost = token, answer
		return errLost
	case l.spent == token:
		l.losing <- [2]tokens{l.lost, answer}
		l.losing = nil
	}
	return nil
}

// lose loses the answer to the next refresh, and gives it with the answer to the one after it by the same token.
func (l *line) lose() <-chan [2]tokens {
	both := make(chan [2]tokens, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losing = both
	return both
}
