package outbox

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"postern/homeserver/synapse"
)

const (
	maxAccounts    = 8                // that are sent side by side: Synapse answers one call at a time anyway
	pollInterval   = time.Second      // how often the sender looks for rows that other processes wrote
	lease          = 30 * time.Second // after which a claim ends by itself
	accountTimeout = 20 * time.Second // for the rows of one account: less than the lease, so that it is still held then
	closeTimeout   = 2 * time.Second  // for the calls in progress when the sender is closed
)

// Config is what a sender needs.
type Config struct {
	Queue   *Queue
	Synapse *synapse.Client
	Log     *slog.Logger
	Now     func() time.Time
	Only    bool                // no other server runs on the same SQLite file, so what is claimed was a dead one's
	Sent    func(result string) // counts the rows sent, by result: "sent", "away" or "refused"; may be nil
}

// Sender sends the rows of the outbox. Its methods may be called from any goroutine.
type Sender struct {
	c       Config
	health  health
	slots   chan struct{}   // holds a value for each account that is being sent
	freed   chan struct{}   // gets a value when an account has been sent
	loop    context.Context // of the loop in Start
	calls   context.Context // of the calls to the homeserver, which may outlast loop by closeTimeout
	endLoop context.CancelFunc
	endAll  context.CancelFunc
	running sync.WaitGroup
}

// New makes a sender. It sends nothing before Start.
func New(c Config) *Sender {
	if c.Sent == nil {
		c.Sent = func(string) {}
	}
	s := &Sender{c: c, slots: make(chan struct{}, maxAccounts), freed: make(chan struct{}, 1)}
	s.loop, s.endLoop = context.WithCancel(context.Background())
	s.calls, s.endAll = context.WithCancel(context.Background())
	return s
}

// Start begins to send, until Close.
func (s *Sender) Start() {
	s.running.Go(func() {
		if s.c.Only {
			s.logError(s.c.Queue.Resume(s.loop))
		}
		for s.loop.Err() == nil {
			next, err := s.sendDue(s.loop)
			s.logError(err)
			s.wait(next)
		}
	})
}

// Close stops the sender. Calls in progress get closeTimeout to finish; the other rows are sent after the next start.
func (s *Sender) Close() {
	s.endLoop()
	timer := time.AfterFunc(closeTimeout, s.endAll)
	s.running.Wait()
	timer.Stop()
	s.endAll()
}

// wait returns when there may be something to send: at next, or earlier.
func (s *Sender) wait(next time.Time) {
	d := pollInterval
	if !next.IsZero() {
		d = max(time.Millisecond, min(d, next.Sub(s.c.Now())))
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.loop.Done():
	case <-s.c.Queue.news:
	case <-s.freed:
	case <-timer.C:
	}
}

// sendDue begins to send what is due, as far as there are free slots, and does not wait for the answers. next is when
// the first waiting row becomes due; it is zero if there is none, or if rows are due now.
func (s *Sender) sendDue(ctx context.Context) (next time.Time, err error) {
	now := s.c.Now()
	due, next, err := s.c.Queue.Due(ctx, now)
	if err != nil || !due {
		return next, err
	}
	free := maxAccounts - len(s.slots)
	if free == 0 {
		return time.Time{}, nil
	}
	claim := rand.Text()
	accounts, err := s.c.Queue.Claim(ctx, claim, now, now.Add(lease), free)
	for _, account := range accounts {
		s.slots <- struct{}{} // does not block: no other goroutine fills slots
		s.running.Go(func() { s.sendClaimed(claim, account) })
	}
	return time.Time{}, err
}

// sendClaimed sends the rows of one account and notes the results.
func (s *Sender) sendClaimed(claim string, account Account) {
	defer func() {
		<-s.slots
		select {
		case s.freed <- struct{}{}:
		default:
		}
	}()
	ctx, done := context.WithTimeout(s.calls, accountTimeout)
	defer done()
	results := s.send(ctx, account)
	// the database is written to even if the sender is closed meanwhile
	ctx, done = context.WithTimeout(context.Background(), closeTimeout)
	defer done()
	// after an error the claim ends by itself, and the rows are sent again
	s.logError(s.c.Queue.Settle(ctx, claim, account.Localpart, results))
}

// logError logs an error of the database, unless the sender is closed.
func (s *Sender) logError(err error) {
	if err != nil && s.loop.Err() == nil {
		s.c.Log.Error("the outbox cannot be read or written; what the homeserver must be told waits", "error", err)
	}
}
