package oauth

import "time"

// session is a session of one of the APIs as the design tells it, in the fewest words.
type session struct {
	client     string // empty: the legacy API's
	generation int
	used       time.Time
	soft, gone bool
	heir       *session          // which has taken its place on the device
	held       map[int][2]string // what the client holds of each generation: access token, refresh token
	ends       map[int]time.Time // of the access tokens
}

// consent is an authorization code, and the session that it may lead to.
type consent struct {
	client, device, code string
	password             int // which one of the account's was in force
	made, redeemed       time.Time
	*session             // nil: it was not redeemed
}

// account is what a person has: sessions of both APIs, codes, a password, and perhaps a lock.
type account struct {
	password int
	locked   bool
	on       map[string]*session // by device
	sessions []*session
	codes    []*consent
}

const (
	ttl    = 5 * time.Minute
	leeway = 30 * time.Second

	good  = "200 "
	dead  = "400 invalid_grant"
	later = "503 "

	gone   = "401 M_UNKNOWN_TOKEN"
	softly = "401 M_UNKNOWN_TOKEN soft"
	barred = "401 M_USER_LOCKED soft"
	draft  = "403 M_FORBIDDEN"
)

// begin starts a session on a device, which takes the place of the one that is there.
func (a *account) begin(device, client string) *session {
	if old := a.on[device]; old != nil {
		old.gone = true
	}
	s := &session{client: client, generation: 1, held: make(map[int][2]string), ends: make(map[int]time.Time)}
	for _, older := range a.sessions {
		if older == a.on[device] || older.heir != nil && older.heir == a.on[device] {
			older.heir = s
		}
	}
	a.on[device] = s
	a.sessions = append(a.sessions, s)
	return s
}

// redeem says the verdict on a redemption, and whether the pair is the first one's. Right says whether the client,
// redirect URI and verifier are those that the code was made for.
func (a *account) redeem(c *consent, now time.Time, right bool) (verdict string, same bool) {
	s := c.session
	fresh := s != nil && right && s.generation == 1 && s.used.IsZero() && !s.soft && !s.gone &&
		now.Sub(c.redeemed) <= again
	first := s == nil && right && now.Before(c.made.Add(codeLife)) && c.password == a.password
	switch {
	case (first || fresh) && a.locked:
		return later, false // nothing is lost: it is good when the account is unlocked
	case first:
		c.session, c.redeemed = a.begin(c.device, c.client), now
		return good, false
	case fresh:
		return good, true
	}
	if s != nil && !now.After(c.made.Add(codeLife+suspicion)) {
		s.soft = true
	}
	return dead, false
}

// refresh says the verdict of the session's own API for its own client, in the words of the legacy API, and whether the
// pair must be the one already given.
func (a *account) refresh(s *session, k int, now time.Time) (verdict string, same bool) {
	recent := k == s.generation-1 && (s.used.IsZero() || now.Sub(s.used) <= leeway)
	switch {
	case s.gone:
		return s.over(), false
	case s.soft:
		return softly, false
	case a.locked && (k == s.generation || recent):
		return barred, false
	case k == s.generation:
		s.generation++
		s.used = time.Time{}
		return good, false
	case recent:
		return good, !s.used.IsZero() || now.Before(s.ends[s.generation])
	}
	s.soft = true
	return softly, false
}

// inOAuth is how the OAuth 2.0 API says what the legacy one says.
func inOAuth(verdict string) string {
	switch verdict {
	case good:
		return good
	case barred:
		return later
	}
	return dead
}

func (a *account) use(s *session, k int, now time.Time) string {
	switch {
	case s.gone:
		return s.over()
	case s.soft, !now.Before(s.ends[k]):
		return softly
	case a.locked:
		return barred
	}
	if k == s.generation && s.used.IsZero() {
		s.used = now
	}
	return good
}

// over is the verdict on a token of a session that has ended: soft, if its device lives.
func (s *session) over() string {
	if s.heir != nil && !s.heir.gone {
		return softly
	}
	return gone
}

// endAll ends every session.
func (a *account) endAll() {
	for _, s := range a.sessions {
		s.gone = true
	}
}
