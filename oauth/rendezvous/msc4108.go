package rendezvous

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"postern/gen"
	"postern/handlers"
)

// headers are those that every answer about a mailbox has.
type headers = struct{ ETag, Expires, LastModified *string }

// headers says which message is there.
func (m *mailbox) headers() headers { return m.headersOf(m.version()) }

// headersOf says which message was left.
func (m *mailbox) headersOf(version string) headers {
	tag, expires := `"`+version+`"`, m.row.Expires.UTC().Format(http.TimeFormat)
	left := m.Left.UTC().Format(http.TimeFormat)
	return headers{&tag, &expires, &left}
}

// seenIn reads the version out of what a device sends of an ETag. A proxy that compresses may have made a weak one of
// it, or put the encoding behind it.
func seenIn(tag string) string {
	tag, _, _ = strings.Cut(strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`), "-")
	return tag
}

// CreateRendezvous implements POST /org.matrix.msc4108/rendezvous.
func (x *Mailboxes) CreateRendezvous(ctx context.Context, request gen.CreateRendezvousRequestObject) (
	gen.CreateRendezvousResponseObject, error) {
	id, m, err := x.create(ctx, []byte(*request.Body))
	if err != nil {
		return nil, err
	}
	return gen.CreateRendezvous201JSONResponse{Body: gen.Rendezvous{URL: x.base + handlers.RendezvousPath + "/" + id},
		Headers: gen.CreateRendezvous201ResponseHeaders(m.headers())}, nil
}

// ReceiveRendezvous implements GET /org.matrix.msc4108/rendezvous/{rendezvousId}.
func (x *Mailboxes) ReceiveRendezvous(ctx context.Context, request gen.ReceiveRendezvousRequestObject) (
	gen.ReceiveRendezvousResponseObject, error) {
	if err := shown(request.Params.SecFetchMode); err != nil {
		return nil, err
	}
	m, err := x.open(ctx, request.RendezvousID)
	if err != nil {
		return nil, err
	}
	if seen := request.Params.IfNoneMatch; seen != nil && seenIn(*seen) == m.version() {
		return gen.ReceiveRendezvous304Response{Headers: gen.ReceiveRendezvous304ResponseHeaders(m.headers())}, nil
	}
	return gen.ReceiveRendezvous200TextResponse{Body: string(m.Data),
		Headers: gen.ReceiveRendezvous200ResponseHeaders(m.headers())}, nil
}

// SendRendezvous implements PUT /org.matrix.msc4108/rendezvous/{rendezvousId}.
func (x *Mailboxes) SendRendezvous(ctx context.Context, request gen.SendRendezvousRequestObject) (
	gen.SendRendezvousResponseObject, error) {
	m, version, err := x.send(ctx, request.RendezvousID, seenIn(request.Params.IfMatch), []byte(*request.Body))
	if errors.Is(err, errMeanwhile) {
		// Not an error of package handlers, since it has headers: the device may go on from there.
		text := "Another message has come meanwhile."
		return gen.SendRendezvous412JSONResponse{Body: gen.Error{Errcode: "M_CONCURRENT_WRITE", Error: &text},
			Headers: gen.SendRendezvous412ResponseHeaders(m.headers())}, nil
	}
	if err != nil {
		return nil, err
	}
	return gen.SendRendezvous202Response{Headers: gen.SendRendezvous202ResponseHeaders(m.headersOf(version))}, nil
}

// CloseRendezvous implements DELETE /org.matrix.msc4108/rendezvous/{rendezvousId}.
func (x *Mailboxes) CloseRendezvous(ctx context.Context, request gen.CloseRendezvousRequestObject) (
	gen.CloseRendezvousResponseObject, error) {
	return gen.CloseRendezvous204Response{}, x.close(ctx, request.RendezvousID)
}
