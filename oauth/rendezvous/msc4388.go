package rendezvous

import (
	"context"
	"errors"
	"net/http"

	"postern/gen"
	"postern/handlers"
)

// left is how long the mailbox will be there, in milliseconds.
func (x *Mailboxes) left(m *mailbox) int64 { return m.row.Expires.Sub(x.server.Now()).Milliseconds() }

// DiscoverRendezvousSessions implements GET /io.element.msc4388/rendezvous.
func (x *Mailboxes) DiscoverRendezvousSessions(context.Context, gen.DiscoverRendezvousSessionsRequestObject) (
	gen.DiscoverRendezvousSessionsResponseObject, error) {
	return gen.DiscoverRendezvousSessions200JSONResponse{CreateAvailable: true}, nil
}

// CreateRendezvousSession implements POST /io.element.msc4388/rendezvous.
func (x *Mailboxes) CreateRendezvousSession(ctx context.Context, request gen.CreateRendezvousSessionRequestObject) (
	gen.CreateRendezvousSessionResponseObject, error) {
	id, m, err := x.create(ctx, []byte(request.Body.Data))
	if err != nil {
		return nil, err
	}
	return gen.CreateRendezvousSession200JSONResponse{ID: id, SequenceToken: m.version(), ExpiresInMs: x.left(m)}, nil
}

// GetRendezvousSession implements GET /io.element.msc4388/rendezvous/{rendezvousId}.
func (x *Mailboxes) GetRendezvousSession(ctx context.Context, request gen.GetRendezvousSessionRequestObject) (
	gen.GetRendezvousSessionResponseObject, error) {
	if err := shown(request.Params.SecFetchMode); err != nil {
		return nil, err
	}
	m, err := x.open(ctx, request.RendezvousID)
	if err != nil {
		return nil, err
	}
	return gen.GetRendezvousSession200JSONResponse{Data: string(m.Data), SequenceToken: m.version(),
		ExpiresInMs: x.left(m)}, nil
}

// UpdateRendezvousSession implements PUT /io.element.msc4388/rendezvous/{rendezvousId}.
func (x *Mailboxes) UpdateRendezvousSession(ctx context.Context, request gen.UpdateRendezvousSessionRequestObject) (
	gen.UpdateRendezvousSessionResponseObject, error) {
	version, err := x.update(ctx, request.RendezvousID, request.Body)
	return gen.UpdateRendezvousSession200JSONResponse{SequenceToken: version}, err
}

// UpdateRendezvousSessionOnce implements PUT /io.element.msc4388/rendezvous/{rendezvousId}/{txnId}.
func (x *Mailboxes) UpdateRendezvousSessionOnce(ctx context.Context,
	request gen.UpdateRendezvousSessionOnceRequestObject) (gen.UpdateRendezvousSessionOnceResponseObject, error) {
	version, err := x.update(ctx, request.RendezvousID, request.Body)
	return gen.UpdateRendezvousSessionOnce200JSONResponse{SequenceToken: version}, err
}

func (x *Mailboxes) update(ctx context.Context, id string, message *gen.UpdateRendezvousSession) (string, error) {
	_, version, err := x.send(ctx, id, message.SequenceToken, []byte(message.Data))
	if errors.Is(err, errMeanwhile) {
		// MSC4388, "Unstable prefix".
		return "", &handlers.Error{Status: http.StatusConflict, Code: "IO_ELEMENT_MSC4388_CONCURRENT_WRITE",
			Message: "Another message has come meanwhile."}
	}
	return version, err
}

// DeleteRendezvousSession implements DELETE /io.element.msc4388/rendezvous/{rendezvousId}.
func (x *Mailboxes) DeleteRendezvousSession(ctx context.Context, request gen.DeleteRendezvousSessionRequestObject) (
	gen.DeleteRendezvousSessionResponseObject, error) {
	return gen.DeleteRendezvousSession200JSONResponse{}, x.close(ctx, request.RendezvousID)
}
