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

// How the server tells the person that they were approved, if it does (MSC3866, approval_notice_medium; the names are
// Synapse's).
const (
	toldByNobody = "org.matrix.msc3866.none"
	toldByMail   = "org.matrix.msc3866.email"
)

// awaitingApproval is answered to who has just asked for the account, or has shown its password. It gets a mail when it
// is approved if it waits with an address, and this server sends mail.
func (s *Server) awaitingApproval(address string) *Error {
	e := &Error{Status: http.StatusForbidden, Code: AwaitingApproval,
		Message: "This account waits until whoever runs the server approves it. " +
			"Then log in with its name and password."}
	if e.Mailed = address != "" && s.MailOn(); e.Mailed {
		e.Message = "This account waits until whoever runs the server approves it. " +
			"You get a mail then; log in with its name and password."
	}
	return e
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
		return s.awaitingApproval(r.Email.Address)
	}
	return err
}

// askedAgain answers a request for an account that was made before.
func (s *Server) askedAgain(ctx context.Context, localpart string) error {
	u, err := s.DB.WaitingUser(ctx, localpart)
	switch {
	case err == nil:
		return s.awaitingApproval(u.Email.Address)
	case errors.Is(err, db.ErrNotFound):
		return forbidden("This registration is finished. If it was approved, log in.")
	}
	return err
}

// waitingAccount is [Server.WaitingNamed], and empty if there is none.
func (s *Server) waitingAccount(ctx context.Context, localpart string) (db.User, error) {
	account, err := s.WaitingNamed(ctx, localpart)
	if errors.Is(err, db.ErrNotFound) {
		return db.User{}, nil
	}
	return account, err
}

// WaitingNamed is an account that waits as far as it is known yet; db.ErrNotFound if there is none.
func (s *Server) WaitingNamed(ctx context.Context, localpart string) (db.User, error) {
	u, err := s.DB.WaitingUser(ctx, localpart)
	return db.User{Localpart: u.Localpart, PasswordHash: u.PasswordHash, Waits: true}, err
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
