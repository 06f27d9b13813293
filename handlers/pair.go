package handlers

import (
	"errors"
	"time"

	"postern/db"
	"postern/tokens"
)

// pair is what a client holds of a session: two tokens that are a function of its row and of nothing else.
// Making them again gives the same bytes, so an answer that was lost can be given again.
type pair struct {
	access, refresh string
	expires         time.Time // of the access token; zero: never
	renewable       bool      // whether refreshing would prolong anything
	session         db.Session
}

// errKeyGone says that the session's generation was minted with a root key that is retired since.
var errKeyGone = errors.New("root key is retired")

// mint computes the pair of the session's generation. The carried caveats are those that a holder appended to
// the refresh token which is exchanged: a refresh never widens.
func (s *Server) mint(ring *ringAt, session db.Session, carried []string) (pair, error) {
	key, ok := ring.Key(session.KeyID)
	if !ok {
		return pair{}, errKeyGone
	}
	p := pair{expires: session.AccessExpires, session: session}
	// A session that has an end and whose access token lasts as long has nothing left to renew.
	p.renewable = session.Refreshable && (session.Expires.IsZero() || session.AccessExpires.Before(session.Expires))
	if before, ok := tokens.Before(carried); ok && (p.expires.IsZero() || before.Before(p.expires)) {
		p.expires = before
	}
	var err error
	if p.access, err = tokens.Mint(s.ServerName, key, s.accessClaims(session)); err != nil {
		return pair{}, err
	}
	if session.Refreshable {
		if p.refresh, err = tokens.Mint(s.ServerName, key, s.refreshClaims(session)); err != nil {
			return pair{}, err
		}
	}
	return p.carry(carried)
}

// carry appends caveats to the tokens of a pair.
func (p pair) carry(caveats []string) (pair, error) {
	if len(caveats) == 0 {
		return p, nil
	}
	for _, token := range []*string{&p.access, &p.refresh} {
		if *token == "" {
			continue
		}
		var err error
		if *token, err = tokens.Carry(*token, caveats); err != nil {
			return pair{}, err
		}
	}
	return p, nil
}

func (s *Server) accessClaims(session db.Session) tokens.Claims {
	return tokens.Claims{
		Session: session.ID, Generation: session.Generation, UserID: string(s.userID(session)),
		Type: tokens.Access, Expires: session.AccessExpires,
	}
}

// refreshClaims are the same for every generation but for the number: a refresh token lasts as long as its session.
func (s *Server) refreshClaims(session db.Session) tokens.Claims {
	return tokens.Claims{
		Session: session.ID, Generation: session.Generation, UserID: string(s.userID(session)),
		Type: tokens.Refresh, Expires: session.Expires,
	}
}

func (s *Server) userID(session db.Session) UserID { return NewUserID(session.Localpart, s.ServerName) }

// expiresIn is the life that the access token has left, in milliseconds, or nil when it does not expire.
func (p pair) expiresIn(now time.Time) *int64 {
	if p.expires.IsZero() {
		return nil
	}
	ms := max(0, p.expires.UnixMilli()-now.UnixMilli()) // of two whole milliseconds, or a fresh token would lack one
	return &ms
}

// optional is nil for an empty string: the field is left out of the answer.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
