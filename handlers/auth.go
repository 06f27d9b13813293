package handlers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"postern/db"
	"postern/gen"
	"postern/tokens"
)

// public names the operations, as the generated code spells them, that pass without an access token. All
// others are denied by default; a test compares this list with `security` in the contract. A stale token that
// is sent to one of these is not looked at; only a login by an application service reads its own.
var public = map[string]bool{
	"AuthFallback":              true,
	"CheckUsernameAvailability": true,
	"CompleteAuthFallback":      true,
	"DraftLogin":                true,
	"GetAuthMetadata":           true,
	"GetLoginFlows":             true,
	"GetVersions":               true,
	"GetWellknown":              true,
	"Login":                     true,
	"Refresh":                   true,
	"Register":                  true,
	"RegistrationTokenValidity": true,
	"TokenRefresh":              true,
}

// expiredMay names the operations that an access token may still call when it has merely expired, or its account is
// locked: whoever wants to leave must not have to renew first. Client-Server API v1.19, "Account locking".
var expiredMay = map[string]bool{"Logout": true, "LogoutAll": true}

// Caller is the client of a request: what a handler knows of the request beside its body.
type Caller struct {
	Addr    netip.Addr // as far as trusted proxies tell; not valid when it cannot be read
	Agent   string     // the client's User-Agent, bounded
	Now     time.Time  // when the request is judged
	Session db.Session // of the access token; empty for a public operation
	Bearer  string     // of a login with one of [Config.Flows]: the token that the request shows
}

// Seen is what is noted of the caller with a session.
func (c *Caller) Seen() db.Seen {
	return db.Seen{At: c.Now, Addr: c.Addr.String(), Agent: c.Agent}
}

type callerKey struct{}

// CallerOf gives the caller that the server, or [WithCaller], has put into the context.
func CallerOf(ctx context.Context) *Caller {
	return ctx.Value(callerKey{}).(*Caller)
}

// WithCaller puts a caller into the context, for the methods of [Server] that ask for one.
func WithCaller(ctx context.Context, who *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, who)
}

// authenticate is the strict middleware in front of every operation.
func (s *Server) authenticate(next gen.StrictHandlerFunc, operation string) gen.StrictHandlerFunc {
	open, lenient := public[operation], expiredMay[operation]
	return func(c echo.Context, request any) (any, error) {
		who := s.callerFrom(c)
		if operation == "Login" && len(s.Flows) > 0 {
			who.Bearer = AccessToken(c.Request())
		}
		if !open {
			if err := s.identify(c, who, lenient); err != nil {
				return nil, err
			}
		}
		r := c.Request()
		c.SetRequest(r.WithContext(WithCaller(r.Context(), who)))
		return next(c, request)
	}
}

func (s *Server) callerFrom(c echo.Context) *Caller {
	if len(s.TrustedProxies) == 0 && c.Request().Header[echo.HeaderXForwardedFor] != nil {
		s.strayProxy.Do(func() {
			s.Log.Warn("a proxy seems to be in front, but none is trusted, so all clients count as one address; name "+
				"it with --trusted-proxy",
				"peer", c.Request().RemoteAddr)
		})
	}
	addr, _ := netip.ParseAddr(c.RealIP()) // without an address, an `addr` caveat refuses
	return &Caller{Addr: addr.Unmap(), Agent: agent(c.Request().UserAgent()), Now: s.Now()}
}

// agent bounds what a client says of itself before it is stored.
func agent(text string) string {
	const most = 255
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "")
}

// identify checks the access token and fills in the caller's session. The signature comes first: a forgery
// costs a few HMACs and no query. Then the session's row, then the caveats, one of which names its device.
func (s *Server) identify(c echo.Context, who *Caller, lenient bool) error {
	text := AccessToken(c.Request())
	if text == "" {
		return missingToken("Missing access token.")
	}
	claims, session, err := s.admit(c.Request().Context(), text, tokens.Access, lenient, tokens.Request{
		Now: who.Now, Method: c.Request().Method, Path: AsSent(c.Request().URL), Addr: who.Addr,
	})
	if err != nil {
		return err
	}
	who.Session = session
	s.DB.NoteUse(session, claims.Generation, who.Seen())
	return nil
}

// AsSent is the path with the client's own escapes, by which it is routed. What [url.URL.EscapedPath] makes of one that
// is escaped in an odd way has other slashes, and a `path` caveat would be judged on another path than the one that is
// opened.
func AsSent(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
}

// admit judges a token for a request, and changes nothing.
func (s *Server) admit(ctx context.Context, text string, want tokens.Type, lenient bool,
	r tokens.Request) (tokens.Claims, db.Session, error) {
	token, session, err := s.known(ctx, text)
	if err != nil {
		return tokens.Claims{}, session, err
	}
	locked := session.Accepts(token.Generation(), r.Now)
	leaving := lenient && errors.Is(locked, db.ErrEnded)
	if locked != nil && !leaving && !errors.Is(locked, db.ErrLocked) {
		return tokens.Claims{}, session, UnknownToken("The access token is no longer good.", true).because(locked)
	}
	r.DeviceID = session.DeviceID
	claims, err := token.Check(want, s.caveats, r)
	if err != nil && !(lenient && merelyExpired(err, token, session)) {
		return tokens.Claims{}, session, refusal(err)
	}
	if locked != nil && !lenient {
		return tokens.Claims{}, session, userLocked() // told last: only to who holds a good token
	}
	return claims, session, nil
}

// merelyExpired reports whether a token's only fault is the expiry that it was minted with. When a session's tokens
// have none, a holder has added it as a restriction, and meant it. Nobody can restrict a foreign token.
func merelyExpired(err error, token tokens.Bearer, session db.Session) bool {
	_, macaroon := token.(*tokens.Authentic)
	return errors.Is(err, tokens.ErrExpired) && (!session.AccessExpires.IsZero() || !macaroon)
}

// maxKept is the longest token that is remembered: one with a few caveats of its holder, and not what a holder may blow
// it up to.
const maxKept = 512

// known is authentic for a token that comes again and again.
func (s *Server) known(ctx context.Context, text string) (tokens.Bearer, db.Session, error) {
	id := sha256.Sum256([]byte(text))
	if ring := s.keys.load(); ring != nil {
		if token := ring.verified.find(id); token != nil {
			session, epoch, err := s.DB.Session(ctx, token.Session())
			if err == nil && epoch == ring.epoch {
				return token, session, nil
			}
		}
	}
	token, session, err := s.authentic(ctx, text)
	if ring := s.keys.load(); err == nil && ring != nil && len(text) <= maxKept {
		// Keys that changed since it was verified are no harm: a session of a later epoch than the ring's ends the
		// finding.
		if macaroon, ours := token.(*tokens.Authentic); ours {
			if _, there := ring.Key(macaroon.KeyID()); there {
				ring.verified.add(id, macaroon)
			}
		}
	}
	return token, session, err
}

// ringTries is far more than changes of keys can follow each other, or writes of a shell.
const ringTries = 100

// errKeysUnsettled says that the database tells of other root keys each time, or of older ones than it told before: it
// was put back to an earlier state under a server that runs.
var errKeysUnsettled = fmt.Errorf("%w: its root keys are older than they were: start the server again",
	db.ErrUnavailable)

// authentic proves the token's signature, or that another server gave it, and finds its session. It goes round again
// when the root keys changed in between: a retired key must not open anything, a new one must not be unknown.
func (s *Server) authentic(ctx context.Context, text string) (tokens.Bearer, db.Session, error) {
	token, err := tokens.Decode(text)
	if err != nil {
		return s.foreign(ctx, text, err)
	}
	ring := s.keys.load()
	for range ringTries {
		authentic, err := token.Authenticate(s.ServerName, ring.Keyring)
		if errors.Is(err, tokens.ErrUnknownKey) {
			fresh, reloadErr := s.freshKeys(ctx)
			if reloadErr != nil {
				return nil, db.Session{}, reloadErr
			}
			if fresh.epoch != ring.epoch {
				ring = fresh
				continue
			}
		}
		if err != nil {
			soft, failed := s.retired(ctx, ring, token)
			if failed != nil {
				return nil, db.Session{}, failed
			}
			return nil, db.Session{}, UnknownToken("Unrecognised access token.", soft).because(err)
		}
		session, epoch, err := s.DB.Session(ctx, authentic.Session())
		switch {
		case errors.Is(err, db.ErrNotFound):
			return nil, db.Session{}, UnknownToken("The session has ended.", false)
		case err != nil:
			return nil, db.Session{}, err
		case epoch == ring.epoch:
			return authentic, session, nil
		}
		if ring, err = s.keys.at(ctx, epoch); err != nil {
			return nil, db.Session{}, err
		}
	}
	return nil, db.Session{}, errKeysUnsettled
}

// retired reports whether a token that cannot be checked any more claims a session that is still there: its root key
// was retired, so the client must log in again but keeps its device. Nobody can guess a session's id, and the answer
// says nothing else.
func (s *Server) retired(ctx context.Context, ring *ringAt, token *tokens.Token) (bool, error) {
	newest, _ := ring.Newest()
	if _, known := ring.Key(token.KeyID()); known || token.KeyID() >= newest.ID || token.Location() != s.ServerName {
		return false, nil
	}
	_, _, err := s.DB.Session(ctx, token.Session())
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err // a database that is away must not make a client forget its session
}

// refusal maps a caveat that does not hold to an answer. A token that a holder restricted to other requests is
// good elsewhere, so it is 403 (RFC 6750, section 3.1, insufficient_scope) and a client keeps it.
func refusal(err error) *Error {
	var caveat *tokens.CaveatError
	switch {
	case errors.Is(err, tokens.ErrExpired):
		return UnknownToken("The access token has expired.", true).because(err)
	case errors.As(err, &caveat) && ofRequest(caveat.Caveat):
		return forbidden("The access token is restricted to other requests.").because(err)
	default:
		return UnknownToken("The access token is not good for this.", true).because(err)
	}
}

// ofRequest reports whether a caveat speaks of the request and not of the token: another request may pass it.
func ofRequest(text string) bool {
	caveat, err := tokens.ParseCaveat(text)
	return err == nil && (caveat.Key == "method" || caveat.Key == "path" || caveat.Key == "addr")
}

// AccessToken is the token of the Authorization header or, as the draft and old clients have it, of the query.
// Client-Server API v1.19, "Using access tokens".
func AccessToken(r *http.Request) string {
	scheme, token, found := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if found && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return r.URL.Query().Get("access_token")
}
