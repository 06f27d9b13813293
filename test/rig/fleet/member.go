package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"postern/test/rig/process"
	"postern/tokens"
)

// member is one client, and what it knows. Only its own goroutine touches it, but for answered.
type member struct {
	fleet  *Fleet
	api    api
	name   string // its device id, but in the draft's API
	random *rand.Rand

	pair       process.Pair // the last that it received; empty when it is not logged in
	session    string
	generation int64
	previous   process.Pair // the one before, of the same session; may be empty
	ended      string       // access token of a session that a logout has ended; may be empty

	began, moved, left time.Time // when session did, when generation did, and when ended was

	lost    bool  // the answer to a refresh of pair was lost
	leaving bool  // the answer to a logout was lost
	row     int64 // generation in the database, as far as Rows told since then; 0: unknown
	there   bool  // the session has a row, as far as Restored was told

	grant grant // of the OAuth 2.0 API

	answered time.Time // its last refresh; guarded by fleet.mu
}

// api is the API that a client uses.
type api string

const (
	current api = "current"
	draft   api = "draft"
	oauth   api = "OAuth 2.0"
)

func (m *member) String() string {
	return fmt.Sprintf("%s (%s, session %s, generation %d, lost %t)", m.name, m.api, m.session, m.generation, m.lost)
}

// act does one thing, and is content to log in again where the database has lost its session.
func (m *member) act(ctx context.Context, url string) error {
	err := m.choose(ctx, url)
	if err != nil && m.forgotten(ctx, url, err) {
		return nil
	}
	return err
}

// choose does one thing, chosen by chance.
func (m *member) choose(ctx context.Context, url string) error {
	if m.pair.Refresh == "" || m.leaving {
		return m.login(ctx, url)
	}
	if m.api == oauth && m.random.IntN(6) == 0 {
		return m.comeAgain(ctx, url)
	}
	switch n := m.random.IntN(1000); {
	case n < 250:
		return m.check(ctx, url)
	case n < 320 && m.previous.Refresh != "" && !m.lost:
		return m.again(ctx, url)
	case n < 340 && m.ended != "":
		return m.checkEnded(ctx, url)
	case n < 340+m.fleet.config.logouts() && !m.lost:
		return m.logout(ctx, url)
	}
	return m.refresh(ctx, url)
}

// logouts is how many of a thousand actions are logouts.
func (c Config) logouts() int {
	switch {
	case c.NoLogout:
		return 0
	case c.Restless:
		return 30
	}
	return 3
}

// settle presents what was used before, refreshes, and checks.
func (m *member) settle(ctx context.Context, url string) error {
	if m.pair.Refresh != "" && m.fleet.lost().took(m.began) {
		if err := m.check(ctx, url); err != nil && !m.forgotten(ctx, url, err) {
			return err
		}
	}
	if m.pair.Refresh != "" && m.previous.Refresh != "" && !m.lost && !m.leaving {
		if err := m.again(ctx, url); err != nil {
			return err
		}
	}
	if m.pair.Refresh == "" || m.leaving {
		if err := m.login(ctx, url); err != nil {
			return err
		}
	}
	if err := m.refresh(ctx, url); err != nil {
		return err
	}
	return m.check(ctx, url)
}

// goOn judges how an action ended. It waits a little when it is worth trying again.
func (m *member) goOn(ctx context.Context, err error) bool {
	f := m.fleet
	var refusal *process.Refusal
	switch {
	case err == nil:
		return true
	case errors.Is(err, process.ErrLost), errors.Is(err, process.ErrUnsent):
		f.count(&f.tally.Broken)
		if !f.config.Patient {
			return false
		}
	case errors.As(err, &refusal) && refusal.Unavailable():
		f.count(&f.tally.Unavailable)
	default:
		f.fail(fmt.Errorf("%s: %w", m, err))
		return false
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(5+m.random.IntN(20)) * time.Millisecond):
	}
	return true
}

// login begins a session: in the draft's API on a new device, in the others on the client's own.
func (m *member) login(ctx context.Context, url string) error {
	f, pair, err := m.fleet, process.Pair{}, error(nil)
	switch m.api {
	case draft:
		pair, err = f.client.DraftLogin(ctx, url, f.config.User, f.config.Password)
	case oauth:
		pair, err = m.authorize(ctx, url)
	default:
		pair, err = f.client.Login(ctx, url, f.config.User, f.config.Password, m.name)
	}
	if err != nil {
		// It may have begun a session on the device all the same, and ended the one before.
		m.leaving = true
		return during("login", err)
	}
	token, err := tokens.Decode(pair.Refresh)
	if err != nil || token.Generation() != 1 {
		return fmt.Errorf("login answers %s: %w", pair.Raw, err)
	}
	m.pair, m.previous, m.session, m.generation = pair, process.Pair{}, token.Session(), 1
	m.lost, m.leaving, m.row = false, false, 0
	m.began, m.moved = time.Now(), time.Now()
	f.count(&f.tally.Logins)
	return nil
}

// refresh exchanges the refresh token for the next generation.
func (m *member) refresh(ctx context.Context, url string) error {
	f := m.fleet
	pair, err := m.exchange(ctx, url, m.pair.Refresh)
	if err != nil {
		return m.refreshFailed(ctx, url, err)
	}
	token, err := tokens.Decode(pair.Refresh)
	if err != nil || token.Session() != m.session || token.Generation() != m.generation+1 {
		return fmt.Errorf("refresh answers %s: %w", pair.Raw, err)
	}
	if m.api == draft {
		if m.row == m.generation+1 {
			return errors.New("the draft's API accepted a token that was spent in the database")
		}
		if err := f.accept(m.pair.Refresh); err != nil {
			return err
		}
	}
	m.previous, m.pair, m.generation = m.pair, pair, m.generation+1
	m.lost, m.row, m.moved = false, 0, time.Now()
	f.refreshed(m)
	return nil
}

func (m *member) exchange(ctx context.Context, url, token string) (process.Pair, error) {
	m.grant.used()
	switch m.api {
	case draft:
		return m.fleet.client.TokenRefresh(ctx, url, token)
	case oauth:
		return m.fleet.client.RefreshOAuth(ctx, url, m.grant.client, token)
	}
	return m.fleet.client.Refresh(ctx, url, token)
}

func (m *member) refreshFailed(ctx context.Context, url string, err error) error {
	f := m.fleet
	var refusal *process.Refusal
	switch {
	case errors.Is(err, process.ErrLost):
		m.lost, m.row = true, 0
		f.count(&f.tally.Lost)
	case errors.As(err, &refusal) && refusal.Unavailable() && f.config.Doubtful:
		m.lost, m.row = true, 0
	case errors.As(err, &refusal) && m.api == draft && m.lost && refusal.Status == 403 && m.row != m.generation:
		// The draft: a refresh token is good once, and who lost the answer logs in again.
		f.count(&f.tally.Spent)
		return m.login(ctx, url)
	}
	return during("refresh", err)
}

// check presents the access token.
func (m *member) check(ctx context.Context, url string) error {
	f := m.fleet
	m.grant.used()
	err := f.client.Whoami(ctx, url, m.pair.Access)
	var refusal *process.Refusal
	if errors.As(err, &refusal) && m.api == draft && m.lost && refusal.Status == 401 && m.row != m.generation {
		return nil // its successor is in force, and in the draft's API the old pair is dead at once
	}
	if err == nil {
		f.count(&f.tally.Checks)
	}
	return during("whoami", err)
}

// again presents the predecessor: the same pair in the current API, a refusal in the draft's.
func (m *member) again(ctx context.Context, url string) error {
	if m.api == draft {
		return m.reuse(ctx, url)
	}
	f := m.fleet
	pair, err := m.exchange(ctx, url, m.previous.Refresh)
	if err != nil {
		return during("a second tab", err)
	}
	if f.lost().behind(m.moved) && m.isTwin(pair) {
		return nil // it was refreshed once more
	}
	if pair.Access != m.pair.Access || pair.Refresh != m.pair.Refresh {
		return fmt.Errorf("a second tab gets another pair: %s, not %s", pair.Raw, bytes.TrimSpace(m.pair.Raw))
	}
	f.count(&f.tally.Tabs)
	return nil
}

// reuse presents what was used in the draft's API, and wants to be refused.
func (m *member) reuse(ctx context.Context, url string) error {
	f := m.fleet
	_, err := f.client.TokenRefresh(ctx, url, m.previous.Refresh)
	err = during("a token that was used", refused(err, 403, "M_FORBIDDEN"))
	if err == nil && m.previous.Access != "" { // which was lost with the answer of its login
		err = during("an access token whose successor is in force",
			refused(f.client.Whoami(ctx, url, m.previous.Access), 401, "M_UNKNOWN_TOKEN"))
	}
	if errors.Is(err, errAccepted) && f.lost().behind(m.moved) {
		return nil // the database has forgotten that it was used
	}
	if err != nil {
		return err
	}
	f.count(&f.tally.Reused)
	return nil
}

func (m *member) logout(ctx context.Context, url string) error {
	f := m.fleet
	if err := m.end(ctx, url); err != nil {
		m.leaving = true
		return during("logout", err)
	}
	m.ended, m.pair, m.left = m.pair.Access, process.Pair{}, time.Now()
	f.count(&f.tally.Logouts)
	return nil
}

func (m *member) end(ctx context.Context, url string) error {
	m.grant.used()
	if m.api == oauth {
		token := []string{m.pair.Access, m.pair.Refresh}[m.random.IntN(2)]
		return m.fleet.client.Revoke(ctx, url, m.grant.client, token)
	}
	return m.fleet.client.Logout(ctx, url, m.pair.Access)
}

// checkEnded wants a session that was logged out to stay so.
func (m *member) checkEnded(ctx context.Context, url string) error {
	err := refused(m.fleet.client.Whoami(ctx, url, m.ended), 401, "M_UNKNOWN_TOKEN")
	if errors.Is(err, errAccepted) && m.fleet.lost().took(m.left) {
		return nil // the database has forgotten the logout
	}
	if err == nil {
		m.fleet.count(&m.fleet.tally.Dead)
	}
	return during("a session that was logged out", err)
}

var errAccepted = errors.New("is accepted")

// refused is nil if a request was refused in these words; otherwise what was the matter.
func refused(err error, status int, code string) error {
	var refusal *process.Refusal
	switch {
	case err == nil:
		return errAccepted
	case errors.As(err, &refusal) && refusal.Status == status && refusal.Code == code:
		return nil
	}
	return err
}

func during(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
