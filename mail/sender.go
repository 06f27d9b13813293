package mail

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"sync"
	"time"

	"postern/db"
	"postern/handlers"
)

const (
	batch        = 10               // deliveries that are claimed at once
	lease        = 5 * time.Minute  // after which a claim ends by itself
	sendTimeout  = time.Minute      // for one delivery; no new one begins when less than that is left of the lease
	tooLong      = 10 * time.Minute // that a mail waits for a server that is away before it is an event
	pollInterval = 2 * time.Second  // how often the sender looks for what other processes have queued
	closeTimeout = 5 * time.Second  // for the delivery in progress when the sender is closed
	awayPause    = time.Second      // between two batches while a server cannot be reached
	settleTime   = 5 * time.Second  // to write down what became of a delivery

	firstRetry = time.Minute // after the first failure; each later one doubles it
	maxRetry   = 4 * time.Hour
)

// Mails are the deliveries that go by SMTP.
const Mails db.To = "mailto:"

// Transport sends deliveries to targets of one kind, one at a time.
type Transport interface {
	// Send sends one. An error says that it was not sent, or that it is not known: it is tried again, unless it is a
	// [Refused]; after one that is [Away] the next deliveries of the claim are not tried.
	Send(ctx context.Context, v db.Delivery) error
	// Rest is called when nothing more is to be sent for now.
	Rest()
}

// Refused is an error that stays one, however often a delivery is tried.
type Refused struct{ Err error }

func (r *Refused) Error() string { return r.Err.Error() }
func (r *Refused) Unwrap() error { return r.Err }

// Away is an error that every other delivery would meet as well.
type Away struct{ Err error }

func (a *Away) Error() string { return a.Err.Error() }
func (a *Away) Unwrap() error { return a.Err }

// What came of a try.
const (
	sent    = "sent"
	refused = "refused"
	away    = "away"
	later   = "later"
)

// resultOf is what a try came to that ended so.
func resultOf(failure error) string {
	var never *Refused
	var unreachable *Away
	switch {
	case failure == nil:
		return sent
	case errors.As(failure, &never):
		return refused
	case errors.As(failure, &unreachable):
		return away
	}
	return later
}

// Config is what a sender needs.
type Config struct {
	DB        *db.DB
	To        db.To // what it sends; the rest is another sender's, or waits until it expires
	Transport Transport
	News      <-chan struct{} // gets a value when this process has queued something; may be nil
	Log       *slog.Logger
	Now       func() time.Time
	Only      bool                // no other server runs on the same SQLite file, so what is claimed was a dead one's
	Sent      func(result string) // counts tries by result: sent, later (or away) or refused; may be nil
}

// Sender sends what waits.
type Sender struct {
	c        Config
	away     bool            // at the last try a server could not be reached
	loop     context.Context // of the loop in Start
	sends    context.Context // of the delivery in progress, which may outlast loop by closeTimeout
	endLoop  context.CancelFunc
	endSends context.CancelFunc
	running  sync.WaitGroup
}

// New makes a sender. It sends nothing before Start.
func New(c Config) *Sender {
	if c.Sent == nil {
		c.Sent = func(string) {}
	}
	s := &Sender{c: c}
	s.loop, s.endLoop = context.WithCancel(context.Background())
	s.sends, s.endSends = context.WithCancel(context.Background())
	return s
}

// Start begins to send, until Close.
func (s *Sender) Start() {
	s.running.Go(func() {
		if s.c.Only && !s.c.DB.Shared() {
			s.logError(s.c.DB.ReleaseDeliveries(s.loop, s.c.To))
		}
		for s.loop.Err() == nil {
			next, err := s.round()
			s.logError(err)
			if !isDue(next, s.c.Now()) || err != nil || s.away {
				s.c.Transport.Rest()
				s.wait(next)
			}
		}
		s.c.Transport.Rest()
	})
}

// Close stops the sender. The delivery in progress gets closeTimeout; the others are sent after the next start.
func (s *Sender) Close() {
	s.endLoop()
	timer := time.AfterFunc(closeTimeout, s.endSends)
	s.running.Wait()
	timer.Stop()
	s.endSends()
}

// isDue reports whether something waits whose time has come.
func isDue(next, now time.Time) bool { return !next.IsZero() && !next.After(now) }

// wait returns when there may be something to send: at next, or earlier.
func (s *Sender) wait(next time.Time) {
	d := pollInterval
	if !next.IsZero() {
		d = max(10*time.Millisecond, min(d, next.Sub(s.c.Now())))
	}
	news := s.c.News
	if s.away {
		d, news = max(d, awayPause), nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.loop.Done():
	case <-news:
	case <-timer.C:
	}
}

// round claims some of what is due and sends it. next is when there is more: now, if there was any, since more may be
// due; zero if nothing waits.
func (s *Sender) round() (next time.Time, err error) {
	holder, now := rand.Text(), s.c.Now()
	// To ask first costs a read; to claim nothing, every two seconds, a write.
	if next, err = s.c.DB.NextDelivery(s.loop, s.c.To); err != nil || !isDue(next, now) {
		return next, err
	}
	claimed, err := s.c.DB.ClaimDeliveries(s.loop, s.c.To, holder, now, now.Add(lease), batch)
	if err != nil {
		return time.Time{}, err
	}
	var failure error // of the last one
	for i, v := range claimed {
		if s.loop.Err() != nil || s.c.Now().Add(sendTimeout).After(now.Add(lease)) {
			return now, errors.Join(err, s.giveBack(holder, claimed[i:]))
		}
		if resultOf(failure) != away { // which the others would meet as well
			failure = s.send(v)
		}
		err = errors.Join(err, s.settle(holder, v, failure))
	}
	return now, err
}

// giveBack ends a claim of what was not tried.
func (s *Sender) giveBack(holder string, left []db.Delivery) (err error) {
	ctx, done := context.WithTimeout(context.Background(), settleTime)
	defer done()
	for _, v := range left {
		err = errors.Join(err, s.c.DB.SettleDelivery(ctx, v.ID, holder, v.Due, v.Error))
	}
	return err
}

// send sends one delivery.
func (s *Sender) send(v db.Delivery) error {
	if !s.c.Now().Before(v.Expires) {
		return &Refused{fmt.Errorf("it has expired; the last error was: %s", cmp.Or(v.Error, "none, it was not tried"))}
	}
	ctx, done := context.WithTimeout(s.sends, sendTimeout)
	defer done()
	return s.c.Transport.Send(ctx, v)
}

// settle writes down what became of a delivery, even if the sender is closed meanwhile.
func (s *Sender) settle(holder string, v db.Delivery, failure error) error {
	ctx, done := context.WithTimeout(context.Background(), settleTime)
	defer done()
	var again time.Time
	words, result := "", resultOf(failure)
	if failure != nil {
		words = failure.Error()
	}
	s.report(v, result, failure)
	if result == away {
		s.tell(ctx, v)
		result = later
	}
	if result == later {
		again = s.c.Now().Add(retryAfter(v.Tries))
	}
	s.c.Sent(result)
	err := s.c.DB.SettleDelivery(ctx, v.ID, holder, again, words)
	if errors.Is(err, db.ErrConflict) {
		return fmt.Errorf("somebody else has sent %s meanwhile: %w", v.ID, err)
	}
	if back := s.away && result == sent; back && err == nil { // what waits for the server need not wait longer
		s.away = false
		err = s.c.DB.RetryDeliveries(ctx, s.c.To, s.c.Now())
	}
	return err
}

// retryAfter is how long a delivery waits after so many tries. Half of it is random, so that those which failed
// together are not all tried again together.
func retryAfter(tries int) time.Duration {
	full := min(maxRetry, firstRetry<<min(max(tries-1, 0), 16))
	return full/2 + mrand.N(full/2+1)
}

// report logs what the operator must know.
func (s *Sender) report(v db.Delivery, result string, failure error) {
	switch {
	case result == refused:
		s.c.Log.Warn("a message to a person was given up", "kind", v.Kind, "user", v.Localpart, "tries", v.Tries,
			"error", failure)
	case result == away && !s.away:
		s.away = true
		s.c.Log.Error("messages to people cannot be sent and wait; see `postern mail list`", "error", failure)
	case result != sent:
		s.c.Log.Info("a message to a person is tried again later", "kind", v.Kind, "user", v.Localpart, "tries",
			v.Tries, "error", failure)
	}
}

// tell makes it an event that a mail cannot be sent, if it has waited long. One that tells operators of that does not
// count: nobody else might be waiting.
func (s *Sender) tell(ctx context.Context, v db.Delivery) {
	if now := s.c.Now(); v.Kind != handlers.MailNotice && now.Sub(v.Created) >= tooLong {
		s.logError(s.c.DB.RecordHourly(ctx, db.EventMail, now))
	}
}

// logError logs an error of the database, unless the sender is closed.
func (s *Sender) logError(err error) {
	if err != nil && s.loop.Err() == nil {
		s.c.Log.Error("what waits to be sent cannot be read or written", "error", err)
	}
}
