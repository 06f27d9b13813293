package handlers

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"postern/db"
	"postern/tokens"
)

// Bot is a token for a bot that somebody wants: a session of its own, with an access token that is never refreshed and
// that carries restrictions.
type Bot struct {
	Account  db.User   // as it was when its owner agreed; another password since refuses it
	Name     string    // of the device
	DeviceID string    // empty: one is made up
	Expires  time.Time // zero: it is good until it is ended
	Caveats  []tokens.Caveat
	Scope    string // what it opens, see [db.Session]
}

// lines are the caveats as they are kept.
func (b Bot) lines() (lines []string) {
	for _, caveat := range b.Caveats {
		lines = append(lines, caveat.String())
	}
	return lines
}

// ends is when the token is over: at its own end, or at the one that a caveat names.
func (b Bot) ends() time.Time {
	if before, found := tokens.Before(b.lines()); found && (b.Expires.IsZero() || before.Before(b.Expires)) {
		return before
	}
	return b.Expires
}

// IsOf reports whether a session is that of the token which is wanted.
func (b Bot) IsOf(session db.Session) bool {
	return session.Bot && session.DisplayName == b.Name && session.Restrictions == strings.Join(b.lines(), "\n") &&
		session.Scope == b.Scope && db.Millis(session.Expires) == db.Millis(b.ends())
}

// GoodBotName reports whether a token for a bot can have a name: it is not empty, not too long for a device's, and
// everybody sees all of it.
func GoodBotName(name string) bool {
	return name != "" && Printable(name) == name && utf8.RuneCountInString(name) <= db.MaxDeviceName
}

// ErrNotAdmin says that an account is no administrator's, and that its token for the admin API would open nothing.
var ErrNotAdmin = errors.New("the account is not an administrator's")

// IssueToken makes a token for a bot of the context's [Caller]. It is the access token of the pair, which has no other,
// and is kept nowhere. ErrNotAdmin if it is to open the admin API and would not. An error that wraps
// [tokens.ErrMalformed] says that a token cannot hold so many caveats; see [db.DB.StartSession] for the others.
func (s *Server) IssueToken(ctx context.Context, b Bot) (Pair, error) {
	if b.Scope == db.ScopeAdmin && !b.Account.Admin {
		return Pair{}, ErrNotAdmin
	}
	lines := b.lines()
	session, err := s.start(ctx, b.Account, attempt{device: b.DeviceID, deviceName: b.Name},
		func(login *db.Login) error {
			login.Bot, login.Restrictions, login.Scope = true, strings.Join(lines, "\n"), b.Scope
			login.Expires, login.AccessTTL = b.ends(), 0
			login.SecondFactor = b.Account.SecondFactor // which its owner has shown to get here
			login.Seen = db.Seen{}                      // the bot was not here yet
			return s.carriable(CallerOf(ctx), db.Session{ID: login.ID, Localpart: login.Localpart}, lines)
		})
	if err != nil {
		return Pair{}, err
	}
	s.logSuccess(ctx, "token issued", session)
	return s.PairAgain(ctx, session)
}

// restrictions are the caveats that a session's tokens were made with.
func restrictions(session db.Session) []string {
	if session.Restrictions == "" {
		return nil
	}
	return strings.Split(session.Restrictions, "\n")
}
