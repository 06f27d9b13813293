package handlers

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"postern/db"
)

// An attack leaves a trace at the level info: one line for each login, failed login, failed password stage, refused
// registration and rate limit, and at warn for each replay. Programs such as fail2ban read the lines, so the messages,
// and the order of what follows them (the address, the errcode, and only then what a client may have chosen), are as
// docs/fail2ban/postern.conf has them. None holds a password or a token.

// What a client tried, as the log has it when it was refused.
const (
	loginFailed         = "login failed"
	registrationRefused = "registration refused"
	stageWrong          = "password stage failed"
	rateLimited         = "rate limited"
	halfWay             = "second factor needed" // the password was right
)

// tried is an error that is logged, with the name that the client gave.
type tried struct {
	error
	what, name string
}

// Unwrap gives the error itself.
func (t *tried) Unwrap() error { return t.error }

// trying is an error of something that leaves a trace; nil if there is none.
func trying(what, name string, err error) error {
	if err == nil {
		return nil
	}
	return &tried{err, what, name}
}

// maxLoggedName bounds what is logged of a name that nobody has checked.
const maxLoggedName = 100

// logRefusal writes the line of an error that leaves a trace; a rate limit does at any operation. A step that was not
// wrong, but the first of several, is none.
func (s *Server) logRefusal(c echo.Context, err error) {
	t := new(tried)
	if errors.As(err, &t) {
		err = t.error // the 2015 draft's endpoints answer less than that
	}
	e := AsError(err)
	var more *challenge
	if errors.As(err, &more) {
		if e = more.why; e == nil {
			return
		}
	}
	who, ok := db.ActorOf(c.Request().Context()).(*Caller)
	if !ok {
		who = s.callerFrom(c)
	}
	s.logFailure(who, t, e)
}

// logFailure writes the line of what a client tried, or that it is limited, which it may be whatever it tried.
func (s *Server) logFailure(who *Caller, t *tried, e *Error) {
	what := t.what
	switch {
	case e.Status == http.StatusTooManyRequests:
		what = rateLimited
		s.noteLimited(who)
	case errors.Is(e, db.ErrSecondFactor):
		what = halfWay
	case what == "" || e.Status >= http.StatusInternalServerError: // which is the server's fault, and logged as that
		return
	}
	s.Log.Info(what, "addr", who.Addr.String(), "errcode", e.Code,
		"user", Printable(db.Clip(t.name, maxLoggedName)), "why", e.Message)
}

// logSuccess writes the line of a session that has begun, or of an account that was made without one.
func (s *Server) logSuccess(ctx context.Context, what string, session db.Session) {
	s.Log.Info(what, "addr", CallerOf(ctx).Addr.String(), "user", Printable(string(s.userID(session))),
		"device", Printable(session.DeviceID))
}
