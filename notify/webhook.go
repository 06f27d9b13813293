package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswer      = 16 << 10 // bytes that are read of an answer, and of its header
	attemptTimeout = 10 * time.Second
)

// Webhook is a receiver of notices.
type Webhook struct {
	URL      *url.URL
	Secret   []byte        // signs what is sent; nil: nothing is signed
	Internal bool          // it may have an internal address
	Timeout  time.Duration // of one attempt; 0: 10 s
	Resolver *net.Resolver // nil: the system's
	TLS      *tls.Config   // nil: the system's certificates
}

// Post sends a body, of the given id, once. Without an error the receiver has said that it has it. No error holds the
// URL, which may be a secret, but its host.
//
// An id, a time and a signature go along as "Standard Webhooks 1.0.0" has them. The receiver may get the same id again:
// when its answer was lost.
func (w *Webhook) Post(ctx context.Context, id string, body []byte, now time.Time) error {
	ctx, done := context.WithTimeout(ctx, cmp.Or(w.Timeout, attemptTimeout))
	defer done()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL.String(), bytes.NewReader(body))
	if err != nil {
		return withoutURL(err)
	}
	seconds := strconv.FormatInt(now.Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Postern")
	request.Header.Set("Webhook-Id", id)
	request.Header.Set("Webhook-Timestamp", seconds)
	if w.Secret != nil {
		request.Header.Set("Webhook-Signature", sign(w.Secret, id, seconds, body))
	}
	client := w.client()
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return withoutURL(err)
	}
	defer response.Body.Close()
	// Read, so that a receiver that answers first and works then is not cut off; how it goes on is of no interest.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	switch {
	case response.StatusCode/100 == 2:
		return nil
	case response.StatusCode/100 == 3:
		return fmt.Errorf("the receiver answers %d; a redirect is not followed, so give its new URL",
			response.StatusCode)
	}
	return fmt.Errorf("the receiver answers %d", response.StatusCode)
}

// client makes a client for one attempt: they are rare. It asks no proxy, whose connection could lead anywhere.
func (w *Webhook) client() *http.Client {
	dialer := net.Dialer{Resolver: w.Resolver, Control: control(w.Internal)}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: w.TLS,
			MaxResponseHeaderBytes: maxAnswer, DisableCompression: true},
	}
}

// sign is the header of a signature. "Standard Webhooks 1.0.0", "Signature scheme".
func sign(secret []byte, id, seconds string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + seconds + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// ParseSecret reads a secret as the libraries of "Standard Webhooks" do: 24 to 64 bytes in Base64, after whsec_.
func ParseSecret(text string) ([]byte, error) {
	rest, found := strings.CutPrefix(strings.TrimSpace(text), "whsec_")
	secret, err := base64.StdEncoding.DecodeString(rest)
	if !found || err != nil || len(secret) < 24 || len(secret) > 64 {
		return nil, errors.New(
			`it is not whsec_ and 24 to 64 bytes in Base64; make one with: echo "whsec_$(openssl rand -base64 32)"`)
	}
	return secret, nil
}

// withoutURL is an error of net/http without the URL that it names.
func withoutURL(err error) error {
	var named *url.Error
	if errors.As(err, &named) {
		err = named.Err
	}
	return fmt.Errorf("the receiver cannot be reached: %w", err)
}
