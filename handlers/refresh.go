package handlers

import (
	"context"
	"errors"
	"net/http"

	"postern/db"
	"postern/gen"
	"postern/tokens"
)

// What these operations read: a body, and nothing beside it. See logout.go.
var (
	_ = struct{ Body *gen.RefreshJSONRequestBody }(gen.RefreshRequestObject{})
	_ = struct {
		Body *gen.TokenRefreshJSONRequestBody
	}(gen.TokenRefreshRequestObject{})
)

// The paths that a `path` caveat of a refresh token is held against, as the contract has them.
const (
	refreshPath      = "/_matrix/client/v3/refresh"
	tokenRefreshPath = "/_matrix/client/api/v1/tokenrefresh"
)

// Refresh implements POST /refresh of the current API: the old refresh token stays good until its successor is
// used, so a lost answer or a second tab gets the same pair. Client-Server API v1.19, "Refreshing access tokens".
func (s *Server) Refresh(ctx context.Context, request gen.RefreshRequestObject) (gen.RefreshResponseObject, error) {
	pair, err := s.exchange(ctx, exchange{token: request.Body.RefreshToken, path: refreshPath})
	if err != nil {
		return nil, err
	}
	return gen.Refresh200JSONResponse{
		AccessToken: pair.access, RefreshToken: &pair.refresh, ExpiresInMs: pair.expiresIn(CallerOf(ctx).Now),
	}, nil
}

// TokenRefresh implements POST /tokenrefresh of the 2015 draft API: a refresh token is good once, and whatever
// goes wrong with it is 403.
func (s *Server) TokenRefresh(ctx context.Context,
	request gen.TokenRefreshRequestObject) (gen.TokenRefreshResponseObject, error) {
	if request.Body == nil {
		return nil, missingToken("Missing refresh token.")
	}
	pair, err := s.exchange(ctx, exchange{token: request.Body.RefreshToken, path: tokenRefreshPath, singleUse: true})
	if err != nil {
		return nil, draftRefusal(err, "The refresh token is not good, or no longer.")
	}
	answer := gen.TokenRefresh200JSONResponse{AccessToken: &pair.access}
	if pair.renewable {
		answer.RefreshToken = &pair.refresh
	}
	return answer, nil
}

// draftRefusal turns the current API's 401 into the draft's 403: that API knows no M_UNKNOWN_TOKEN, no M_USER_LOCKED
// and no soft logout.
func draftRefusal(err error, message string) error {
	if e := AsError(err); e.Status == http.StatusUnauthorized {
		return forbidden(message).because(err)
	}
	return err
}

// exchange is a refresh token that is presented, by whichever API.
type exchange struct {
	token     string
	path      string
	singleUse bool
	client    string // the OAuth 2.0 client that presents it; empty at the other APIs
}

// exchange trades a refresh token for the pair in force. The API decides which rule applies; the database
// decides who was first.
func (s *Server) exchange(ctx context.Context, x exchange) (pair, error) {
	p, err := s.tryExchange(ctx, x)
	s.Metrics.refresh(err)
	return p, err
}

func (s *Server) tryExchange(ctx context.Context, x exchange) (pair, error) {
	who := CallerOf(ctx)
	token, session, err := s.authentic(ctx, x.token)
	if err != nil {
		return pair{}, s.countFailed(who, err)
	}
	if session.ClientID != x.client {
		return pair{}, s.countFailed(who, UnknownToken("The refresh token is not one of this API or client.", true))
	}
	_, err = token.Check(tokens.Refresh, s.caveats, tokens.Request{
		Now: who.Now, Method: http.MethodPost, Path: x.path, Addr: who.Addr, DeviceID: session.DeviceID,
	})
	if err != nil {
		return pair{}, s.countFailed(who, refreshRefusal(err))
	}
	if err := s.refreshes.takeAccount(session.ID, who.Now); err != nil {
		return pair{}, err
	}
	carried := token.Appended(s.refreshClaims(session))
	if err := s.carriable(who, session, carried); err != nil {
		return pair{}, tooManyCaveats(err)
	}
	return s.nextPair(ctx, token, carried, x.singleUse)
}

// countFailed counts a refresh token that was not good against its address, and refuses it with 429 when there were too
// many. Good ones are counted by session alone, so that nobody who has an old token of a device keeps the others from
// renewing: behind one address there may be a whole school, and each device must be able to renew, whatever somebody
// else there sends.
func (s *Server) countFailed(who *Caller, err error) error {
	if e := AsError(err); e.Status == http.StatusUnauthorized {
		if limited := s.refreshes.takeAddress(who.Addr, who.Now); limited != nil {
			return limited
		}
	}
	return err
}

// carriable fails with [tokens.ErrMalformed] if a holder has appended more caveats than the session's next pair could
// carry. It is asked before the session changes: afterwards nobody could compute the pair, and the session would be
// over.
func (s *Server) carriable(who *Caller, session db.Session, carried []string) error {
	ring := s.keys.load()
	key, found := ring.Newest()
	if len(carried) == 0 || !found {
		return nil
	}
	session.Generation, session.KeyID, session.AccessExpires = session.Generation+1, key.ID, who.Now.Add(s.AccessTTL)
	_, err := s.mint(ring, session, carried)
	return err
}

var errTooManyCaveats = errors.New("too many caveats for the next pair")

// tooManyCaveats refuses a refresh token for what [Server.carriable] says of it.
func tooManyCaveats(err error) error {
	if errors.Is(err, tokens.ErrMalformed) {
		return UnknownToken("The refresh token has too many caveats to be exchanged; it stays as it is.",
			true).because(errors.Join(errTooManyCaveats, err))
	}
	return err
}

// refreshRefusal is always 401: /refresh declares no 403, and to the client the token is simply not good.
func refreshRefusal(err error) *Error {
	return UnknownToken("The refresh token is not good.", errors.Is(err, tokens.ErrExpired)).because(err)
}

// nextPair claims the next generation, or learns that somebody did, and computes the pair from the row. When root keys
// are rotated or retired in that very moment it reads them again and repeats: to a refresh token that is good nothing
// else may be answered than a pair. Its tokens carry the caveats that holders have appended to this one.
func (s *Server) nextPair(ctx context.Context, token tokens.Bearer, carried []string, singleUse bool) (p pair,
	err error) {
	err = s.withTheseKeys(ctx, func(ring *ringAt, key tokens.Key) error {
		who := CallerOf(ctx)
		session, err := s.DB.AdvanceGeneration(ctx, db.Refresh{
			Session: token.Session(), Generation: token.Generation(), TokenKeyID: keyOf(token), At: who.Now,
			KeyID: key.ID, AccessTTL: s.AccessTTL, Leeway: s.RefreshLeeway, SingleUse: singleUse, Seen: who.Seen(),
		})
		if err != nil {
			return s.spent(ctx, token, session, err)
		}
		s.noteCaughtUp(session, token.Generation(), who.Now)
		p, err = s.mint(ring, session, carried)
		return err
	})
	return p, err
}

// keyOf is the root key that a token was minted with; 0 for none of ours.
func keyOf(token tokens.Bearer) int64 {
	if macaroon, ours := token.(*tokens.Authentic); ours {
		return macaroon.KeyID()
	}
	return 0
}

// spent maps the machine's refusals. The device lives on in all of them but one.
func (s *Server) spent(ctx context.Context, token tokens.Bearer, session db.Session, err error) error {
	who := CallerOf(ctx)
	switch {
	case errors.Is(err, db.ErrNotFound):
		claims := tokens.Claims{Session: token.Session()}
		if macaroon, ours := token.(*tokens.Authentic); ours {
			claims = macaroon.Minted()
		}
		return s.over(ctx, claims)
	case errors.Is(err, db.ErrReplay):
		// RFC 9700, section 4.14.2: whoever is second may be the thief or the victim; both must log in again.
		s.Log.Warn("refresh token replayed; the session is logged out softly", "addr", who.Addr.String(),
			"user_id", s.userID(session), "device_id", session.DeviceID, "session", session.ID)
		return UnknownToken("The refresh token was used before.", true).because(err)
	case errors.Is(err, db.ErrSpent), errors.Is(err, db.ErrSoft), errors.Is(err, db.ErrEnded):
		return UnknownToken("The refresh token is no longer good.", true).because(err)
	default:
		return err
	}
}
