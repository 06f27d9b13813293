package handlers

import (
	"context"
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
// is sent to one of these is not looked at, but by those of mayIdentify; a login by one of Config.Flows reads its own.
var public = map[string]bool{
	"AuthFallback":                   true,
	"ChangePassword":                 true,
	"CheckUsernameAvailability":      true,
	"CompleteAuthFallback":           true,
	"DraftLogin":                     true,
	"GetAuthMetadata":                true,
	"GetAuthorizationServerMetadata": true,
	"GetOpenIDConfiguration":         true,
	"GetAuthIssuer":                  true,
	"RedirectToSSO":                  true,
	"RegisterClient":                 true,
	"AuthorizeDevice":                true,
	"Revoke":                         true,
	"Token":                          true,
	"GetLoginFlows":                  true,
	"GetPasswordPolicy":              true,
	"GetVersions":                    true,
	"GetWellknown":                   true,
	"Login":                          true,
	"Refresh":                        true,
	"Register":                       true,
	"RegistrationTokenValidity":      true,
	"TokenRefresh":                   true,

	"RequestTokenTo3PIDEmail":           true,
	"RequestTokenTo3PIDMSISDN":          true,
	"RequestTokenToRegisterEmail":       true,
	"RequestTokenToRegisterMSISDN":      true,
	"RequestTokenToResetPasswordEmail":  true,
	"RequestTokenToResetPasswordMSISDN": true,

	"CreateRendezvous":            true,
	"ReceiveRendezvous":           true,
	"SendRendezvous":              true,
	"CloseRendezvous":             true,
	"DiscoverRendezvousSessions":  true,
	"CreateRendezvousSession":     true,
	"GetRendezvousSession":        true,
	"UpdateRendezvousSession":     true,
	"UpdateRendezvousSessionOnce": true,
	"DeleteRendezvousSession":     true,
}

// mayIdentify names those of the public operations for which a token, if one is sent, has to be good.
var mayIdentify = map[string]bool{"ChangePassword": true}

// expiredMay names the operations that an access token may still call when it has merely expired, or its account is
// locked: whoever wants to leave must not have to renew first. Client-Server API v1.19, "Account locking".
var expiredMay = map[string]bool{"Logout": true, "LogoutAll": true}

// Caller is the client of a request: what a handler knows of the request beside its body.
type Caller struct {
	Addr    netip.Addr // as far as trusted proxies tell; not valid when it cannot be read
	Agent   string     // the client's User-Agent, bounded
	Now     time.Time  // when the request is judged
	Session db.Session // of the access token; empty for a public operation
	Token   string     // of a login with one of [Config.Flows]: the token that the request shows
}

// Seen is what is noted of the caller with a session.
func (c *Caller) Seen() db.Seen {
	seen := db.Seen{At: c.Now, Agent: c.Agent}
	if c.Addr.IsValid() {
		seen.Addr = c.Addr.String()
	}
	return seen
}

// CallerOf gives the caller that the server, or [WithCaller], has put into the context.
func CallerOf(ctx context.Context) *Caller { return db.ActorOf(ctx).(*Caller) }

// WithCaller puts a caller into the context, for the methods of [Server] that ask for one, and for the events of what
// is done for it.
func WithCaller(ctx context.Context, who *Caller) context.Context { return db.By(ctx, who) }

// authenticate is the strict middleware in front of every operation.
func (s *Server) authenticate(next gen.StrictHandlerFunc, operation string) gen.StrictHandlerFunc {
	open, lenient := public[operation], expiredMay[operation]
	return func(c echo.Context, request any) (any, error) {
		who := s.callerFrom(c)
		if operation == "Login" && len(s.Flows) > 0 {
			who.Token = AccessToken(c.Request())
		}
		r := c.Request()
		c.SetRequest(r.WithContext(WithCaller(r.Context(), who)))
		if !open || mayIdentify[operation] && (!s.linksByMail() || AccessToken(r) != "") {
			if err := s.identify(c, who, lenient); err != nil {
				return nil, err
			}
		}
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
		s.brake(c.Request().Context(), text, err)
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

// AccessToken is the token of the Authorization header or, as the draft and old clients have it, of the query.
// Client-Server API v1.19, "Using access tokens".
func AccessToken(r *http.Request) string {
	scheme, token, found := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if found && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return r.URL.Query().Get("access_token")
}
