package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/db"
)

// Registration with approval: the account waits until an operator has approved it. Who has an invitation does not wait,
// since an operator has decided about them.

// AwaitingApproval is the errcode of an account that an operator has not approved yet (MSC3866, which is not in the
// specification; the name is the one that clients and Synapse use).
const AwaitingApproval = "ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL"

// nobodyTells says that the server does not tell the person when they were approved (MSC3866,
// approval_notice_medium; the name is Synapse's).
const nobodyTells = "org.matrix.msc3866.none"

// awaitingApproval is answered to who has just asked for the account, or has shown its password.
func awaitingApproval() *Error {
	return &Error{Status: http.StatusForbidden, Code: AwaitingApproval,
		Message: "This account waits until whoever runs the server approves it. " +
			"Then log in with its name and password."}
}

// tooManyWait is answered to one more than may wait.
func tooManyWait() *Error {
	return forbidden("Too many accounts wait for approval. Try again later, or ask whoever runs the server.").
		because(db.ErrFull)
}

// waits reports whether the account that an interaction leads to has to be approved.
func (s *Server) waits(i *interaction) bool {
	return s.Registration == RegistrationApproval && i.Token == ""
}

// ask writes down that an account is wanted. A homeserver does not hear of it, and there is no session.
func (s *Server) ask(ctx context.Context, i *interaction, r db.Registration) error {
	r.Waits, r.Network = true, network(CallerOf(ctx).Addr)
	_, err := s.interactions.register(ctx, i, made{Localpart: r.Localpart, Waits: true}, r)
	switch {
	case errors.Is(err, db.ErrFull):
		return tooManyWait()
	case err == nil:
		s.logSuccess(ctx, "registered, waits for approval", db.Session{Localpart: r.Localpart})
		return awaitingApproval()
	}
	return err
}

// askedAgain answers a request for an account that was made before.
func (s *Server) askedAgain(ctx context.Context, localpart string) error {
	_, err := s.DB.WaitingUser(ctx, localpart)
	switch {
	case err == nil:
		return awaitingApproval()
	case errors.Is(err, db.ErrNotFound):
		return forbidden("This registration is finished. If it was approved, log in.")
	}
	return err
}

// waitingAccount is an account that waits as far as a login has to know of it, or is empty.
func (s *Server) waitingAccount(ctx context.Context, localpart string) (db.User, error) {
	u, err := s.DB.WaitingUser(ctx, localpart)
	if errors.Is(err, db.ErrNotFound) {
		return db.User{}, nil
	}
	return db.User{PasswordHash: u.PasswordHash, Waits: true}, err
}

// countWaiting is the metric, asked of the database whenever somebody looks: commands change it as well.
func countWaiting(d *db.DB) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "postern_accounts_waiting",
		Help: "Accounts that wait until an operator approves them."}, func() float64 {
		ctx, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		n, err := d.CountWaiting(ctx)
		if err != nil {
			return -1 // a number that nobody takes for one
		}
		return float64(n)
	})
}
