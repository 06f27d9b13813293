package handlers

import (
	"context"

	"postern/gen"
)

// Rendezvous are the operations by which two devices link each other, as two drafts have them.
type Rendezvous interface {
	CreateRendezvous(context.Context, gen.CreateRendezvousRequestObject) (gen.CreateRendezvousResponseObject, error)
	ReceiveRendezvous(context.Context, gen.ReceiveRendezvousRequestObject) (gen.ReceiveRendezvousResponseObject, error)
	SendRendezvous(context.Context, gen.SendRendezvousRequestObject) (gen.SendRendezvousResponseObject, error)
	CloseRendezvous(context.Context, gen.CloseRendezvousRequestObject) (gen.CloseRendezvousResponseObject, error)

	DiscoverRendezvousSessions(context.Context, gen.DiscoverRendezvousSessionsRequestObject) (
		gen.DiscoverRendezvousSessionsResponseObject, error)
	CreateRendezvousSession(context.Context, gen.CreateRendezvousSessionRequestObject) (
		gen.CreateRendezvousSessionResponseObject, error)
	GetRendezvousSession(context.Context, gen.GetRendezvousSessionRequestObject) (
		gen.GetRendezvousSessionResponseObject, error)
	UpdateRendezvousSession(context.Context, gen.UpdateRendezvousSessionRequestObject) (
		gen.UpdateRendezvousSessionResponseObject, error)
	UpdateRendezvousSessionOnce(context.Context, gen.UpdateRendezvousSessionOnceRequestObject) (
		gen.UpdateRendezvousSessionOnceResponseObject, error)
	DeleteRendezvousSession(context.Context, gen.DeleteRendezvousSessionRequestObject) (
		gen.DeleteRendezvousSessionResponseObject, error)
}

// RendezvousPath is where the mailboxes of MSC4108 are, which speak in HTTP headers.
const RendezvousPath = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"
