// Package fleet is a crowd of Matrix clients that log in, refresh, check and log out in loops, whatever happens to the
// server meanwhile, and that know what a server owes them:
//
//   - Every refresh of a token of generation k answers generation k+1 of the same session: none is skipped, none comes
//     twice.
//   - Nobody is logged out: no 401, at no time, but for a session that its client has ended itself. What an answered
//     logout has ended stays ended.
//   - A second tab that still has the predecessor gets the same bytes.
//   - By the 2015 draft a refresh token is accepted once, and the old pair is dead then. Its client is refused, and
//     has to log in again, only if the answer to its last refresh was lost; such losses are counted.
//   - An authorization code gives one session with one pair, the same however often it is redeemed within moments,
//     and whether or not the answer came. Only one that has waited for longer may be refused, and a new one is good.
//   - What cannot be done is refused by 503 with a Matrix error (without a body by the OAuth 2.0 API), and not by
//     anything else.
//
// The clients of a member of the fleet are as honest as real ones: they go on with what they last received.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"postern/test/rig/process"
)

// ServeFlags are for a server that a fleet holds to the law. The leeway is long so that a token that comes twice is
// judged alike however slow the machine is.
var ServeFlags = []string{"--rate-limit", "off", "--refresh-leeway", "10m", "--access-ttl", "1h",
	"--oauth", "on", "--public-url", "http://localhost:8008"}

// Config is what a fleet is made of.
type Config struct {
	User, Password string
	Current, Draft int    // how many clients use the current API, and how many the 2015 draft's
	OAuth          int    // how many the OAuth 2.0 API
	Seed           uint64 // of what they do; told with every failure

	// Doubtful says that a 503 may hide that the work was done, since the server lost its database while it waited for
	// the answer to a commit. Without it, a refresh that is refused must not have happened.
	Doubtful bool

	// Patient says that a connection that fails is no reason to stop: there is another server, or will be.
	Patient bool

	// NoLogout leaves out logouts, and the logins after them.
	NoLogout bool

	// Restless says that clients log out ten times as often as they would.
	Restless bool
}

// Tally counts what happened.
type Tally struct {
	Logins      int // answered
	Logouts     int // answered
	Refreshes   int // answered, by both APIs
	Checks      int // access tokens that were good
	Tabs        int // predecessors that got the same pair
	Codes       int // authorization codes that the pages gave
	Leaves      int // owners who did not get one, since a page did not come
	Redeemed    int // codes that gave a pair after the answer to their first redemption was lost
	Recodes     int // codes that gave the same pair again
	Late        int // codes that were refused after they had waited for too long
	Reused      int // tokens that were refused by the draft's API because they were used
	Dead        int // checks that an ended session's tokens are refused
	Lost        int // answers to a refresh that did not arrive
	Spent       int // clients of the draft that had to log in again because of one
	Behind      int // clients that went on although the database had gone back behind their generation
	Forgotten   int // clients that were logged out softly because it had gone back behind their login
	Unavailable int // 503
	Broken      int // connections that failed
	Soft        int // soft logouts of sessions that the database had lost

	Gap    time.Duration // the longest time in which Run saw no refresh answered
	Waited time.Duration // the longest that one client had to wait for that, from one refresh to its next
}

// Fleet is the clients.
type Fleet struct {
	config  Config
	client  *process.Client
	members []*member

	mu       sync.Mutex
	tally    Tally
	problems []error
	accepted map[string]bool // refresh tokens that the draft's API has accepted
	answered time.Time       // the last refresh of anybody; zero: they do not Run
	loss     loss
}

// New makes a fleet. Nobody is logged in yet; the first thing each client does is that.
func New(c Config) *Fleet {
	apis := slices.Concat(slices.Repeat([]api{current}, c.Current), slices.Repeat([]api{draft}, c.Draft),
		slices.Repeat([]api{oauth}, c.OAuth))
	f := &Fleet{config: c, client: process.NewClient(len(apis)), accepted: make(map[string]bool)}
	for i, api := range apis {
		f.members = append(f.members, &member{fleet: f, api: api, name: fmt.Sprintf("CLIENT%02d", i),
			random: rand.New(rand.NewPCG(c.Seed, uint64(i)))})
	}
	return f
}

// Close closes the fleet's connections.
func (f *Fleet) Close() { f.client.Close() }

// Tally gives the counts so far.
func (f *Fleet) Tally() Tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tally
}

// Err tells what the server owed and did not do.
func (f *Fleet) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.problems) == 0 {
		return nil
	}
	const most = 10 // what follows is mostly the consequence
	shown := f.problems[:min(len(f.problems), most)]
	return fmt.Errorf("seed %d, %d failures: %w", f.config.Seed, len(f.problems), errors.Join(shown...))
}

func (f *Fleet) count(what *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*what++
}

// refreshed counts a refresh that was answered, and for how long none was.
func (f *Fleet) refreshed(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tally.Refreshes++
	if now := time.Now(); !f.answered.IsZero() {
		f.tally.Gap = max(f.tally.Gap, now.Sub(f.answered))
		f.tally.Waited = max(f.tally.Waited, now.Sub(m.answered))
		f.answered, m.answered = now, now
	}
}

// watch begins to measure gaps; given the zero time it ends that.
func (f *Fleet) watch(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answered = now
	for _, m := range f.members {
		m.answered = now
	}
}

func (f *Fleet) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problems = append(f.problems, err)
}

// accept notes that the draft's API has accepted a refresh token, and fails if it did so before.
func (f *Fleet) accept(token string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.accepted[token] {
		return errors.New("the draft's API accepted a token twice")
	}
	f.accepted[token] = true
	return nil
}

// Run lets every client go on until the channel is closed, it met something that it is not owed, or (unless the fleet
// is patient) its connection failed. Requests that run when the channel is closed are not cut short.
func (f *Fleet) Run(ctx context.Context, url string, stop <-chan struct{}) error {
	f.watch(time.Now())
	defer f.watch(time.Time{})
	f.each(func(m *member) {
		for {
			select {
			case <-stop:
				return
			case <-ctx.Done():
				return
			default:
			}
			if !m.goOn(ctx, m.act(ctx, url)) {
				return
			}
		}
	})
	return f.Err()
}

// For is Run for some time.
func (f *Fleet) For(ctx context.Context, url string, d time.Duration) error {
	stop := make(chan struct{})
	timer := time.AfterFunc(d, func() { close(stop) })
	defer timer.Stop()
	return f.Run(ctx, url, stop)
}

// Settle lets every client present its last token but one, refresh and check, and fails if one cannot go on at once.
func (f *Fleet) Settle(ctx context.Context, url string) error {
	f.each(func(m *member) {
		if err := m.settle(ctx, url); err != nil {
			f.fail(fmt.Errorf("%s does not go on: %w", m, err))
		}
	})
	return f.Err()
}

// Rows holds every client's session against the database's own word: alive, and at the generation that its client has
// or, if the answer to a refresh was lost, perhaps at the next. Nobody may be using the server meanwhile.
func (f *Fleet) Rows(row func(session string) (generation int64, live bool, err error)) error {
	for _, m := range f.members {
		if m.pair.Refresh == "" {
			continue
		}
		n, live, err := row(m.session)
		switch {
		case err != nil && !m.leaving:
			f.fail(fmt.Errorf("%s: its row: %w", m, err))
		case err == nil && (!live || n != m.generation && (n != m.generation+1 || !m.lost)):
			f.fail(fmt.Errorf("%s: its row is at generation %d, live: %t", m, n, live))
		}
		m.row = n
	}
	return f.Err()
}

func (f *Fleet) each(do func(*member)) {
	var all sync.WaitGroup
	for _, m := range f.members {
		all.Go(func() { do(m) })
	}
	all.Wait()
}
