package admin

import (
	"strings"
	"time"

	"postern/db"
	gen "postern/gen/admin"
	"postern/handlers"
)

// What the contract has, of a row of the database. The command line shows rows in JSON by the same functions.

// ms is a time in the contract; nil for none.
func ms(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	at := db.Millis(t)
	return &at
}

// some is nil for the zero value, which the contract leaves out.
func some[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

// Shapes shows rows as the contract has them.
type Shapes struct {
	ServerName string
	Now        time.Time
	PublicURL  string // empty: there is no page on which an invitation is used
}

func (s Shapes) userID(localpart string) string {
	return string(handlers.NewUserID(localpart, s.ServerName))
}

// Account shows an account.
func (s Shapes) Account(u db.CountedUser) gen.Account {
	return gen.Account{UserID: s.userID(u.Localpart), Localpart: u.Localpart, State: gen.AccountState(u.State()),
		Admin: u.Admin, SecondFactor: u.SecondFactor, Sessions: u.Sessions, CreatedTS: db.Millis(u.Created),
		LockedTS: ms(u.Locked), DeactivatedTS: ms(u.Deactivated)}
}

// Session shows a session. There is no token in it: none is kept.
func (s Shapes) Session(of db.Session) gen.Session {
	shown := gen.Session{SessionID: of.ID, UserID: s.userID(of.Localpart), Localpart: of.Localpart,
		DeviceID: of.DeviceID, DisplayName: some(of.DisplayName), State: SessionState(of, s.Now),
		Generation: of.Generation, CreatedTS: db.Millis(of.Created), ExpiresTS: ms(of.Expires),
		LastSeenTS: ms(of.Seen.At), LastSeenIP: some(of.Seen.Addr), LastSeenUserAgent: some(of.Seen.Agent),
		ClientID: some(of.ClientID), Bot: of.Bot, Scope: gen.Client}
	if of.Scope == db.ScopeAdmin {
		shown.Scope = gen.Admin
	}
	if of.Restrictions != "" {
		lines := strings.Split(of.Restrictions, "\n")
		shown.Restrictions = &lines
	}
	return shown
}

// SessionState is the state of a session for people.
func SessionState(of db.Session, now time.Time) gen.SessionState {
	switch {
	case of.State == db.Live && !of.Expires.IsZero() && !now.Before(of.Expires):
		return gen.SessionStateEnded
	case of.State == db.Live && of.Locked:
		return gen.SessionStateLocked
	}
	return gen.SessionState(of.State)
}

// Factors shows what an account has beside its password. Of recovery codes it says how many are left.
func (s Shapes) Factors(factors []db.Factor) gen.Factors {
	shown := gen.Factors{Factors: []gen.Factor{}}
	for _, f := range factors {
		if f.Kind == db.FactorRecovery {
			shown.RecoveryCodes++
			continue
		}
		shown.Factors = append(shown.Factors, s.Factor(f))
	}
	return shown
}

// Factor shows one that is no recovery code.
func (Shapes) Factor(f db.Factor) gen.Factor {
	return gen.Factor{ID: f.ID, Kind: gen.FactorKind(f.Kind), Name: f.Name, CreatedTS: db.Millis(f.Created),
		LastUsedTS: ms(f.Used)}
}

// Email shows a mail address of an account.
func (Shapes) Email(e db.Email) gen.Email {
	return gen.Email{Address: e.Address, ValidatedTS: db.Millis(e.Validated), AddedTS: db.Millis(e.Added)}
}

// Invitation shows an invitation.
func (s Shapes) Invitation(r db.RegistrationToken) gen.Invitation {
	shown := gen.Invitation{Token: r.Token, State: gen.InvitationState(r.State(s.Now)), Used: r.Used,
		UsesAllowed: some(r.UsesAllowed), Reserved: r.Reserved, CreatedTS: db.Millis(r.Created),
		ExpiresTS: ms(r.Expires), RevokedTS: ms(r.Revoked)}
	if s.PublicURL != "" && shown.State == gen.Good {
		shown.Link = some(handlers.InvitationLink(s.PublicURL, r.Token))
	}
	return shown
}

// Signup shows an account that waits for a decision.
func (s Shapes) Signup(u db.WaitingUser) gen.Signup {
	return gen.Signup{UserID: s.userID(u.Localpart), Localpart: u.Localpart, RequestedTS: db.Millis(u.Since),
		Network: u.Network, Email: some(u.Email.Address)}
}

// Event shows an event.
func (s Shapes) Event(e db.Event) gen.Event {
	shown := gen.Event{TS: db.Millis(e.At), Kind: e.Kind, Localpart: some(e.Localpart), DeviceID: some(e.DeviceID),
		SessionID: some(e.Session), Generation: some(e.Generation), IP: some(e.Addr), UserAgent: some(e.Agent)}
	if e.Localpart != "" {
		shown.UserID = some(s.userID(e.Localpart))
	}
	return shown
}
