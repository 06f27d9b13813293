// Package amend reads requests on their way to the homeserver, changes them and sends them on, and keeps the answers to
// be looked at before the client has them. All that is not changed stays byte for byte as it came, since it may be
// signed.
//
//	body, err := amend.BodyOf(w, r)
//	answer, err := amend.Ask(next, amend.WithBody(ctx, r, body.Without([]string{"auth"})))
//	answer.Forward(w)
package amend

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"unicode/utf8"

	"postern/handlers"
)

// BodyOf reads the whole body of a request, which is a JSON object.
func BodyOf(w http.ResponseWriter, r *http.Request) (Object, error) {
	raw, err := handlers.ReadBody(w, r)
	if err != nil {
		return Object{}, err
	}
	if !utf8.Valid(raw) {
		return Object{Raw: raw}, Refused(http.StatusBadRequest, "M_NOT_JSON", "The body is not valid UTF-8.")
	}
	return ParseObject(raw)
}

// WithBody is a request that asks the homeserver with another body.
func WithBody(ctx context.Context, r *http.Request, body []byte) *http.Request {
	r = r.Clone(ctx)
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return r
}
