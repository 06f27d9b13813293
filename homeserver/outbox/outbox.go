package outbox

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"postern/db"
	"postern/homeserver/synapse"
)

const (
	atOnce = 8                // users whose notes are sent side by side: Synapse answers one at a time anyway
	look   = time.Second      // how often the notes of other processes are looked for
	lease  = 30 * time.Second // after which a sender counts as dead
	errand = 20 * time.Second // … and how long it takes over one user at most, so that it is not taken for dead alive
	drain  = 2 * time.Second  // what is on its way when the server stops
)

// Config is all that a sender needs from outside.
type Config struct {
	DB      *db.DB
	Synapse *synapse.Client
	Log     *slog.Logger
	Now     func() time.Time
	Random  io.Reader
	Sent    func(outcome string) // counts: "sent", "away" or "refused"; may be nil
}

// Sender sends what waits. Its methods may be called from any goroutine.
type Sender struct {
	c       Config
	slots   chan struct{}
	freed   chan struct{} // gets a value when an errand is done
	failing atomic.Bool   // the homeserver was away, and what waits for it does so still
	hurried atomic.Int64  // when what waits was told last not to
	ctx     context.Context
	stop    context.CancelFunc
	abort   context.CancelFunc
	calls   context.Context // of the errands
	running sync.WaitGroup
}

// New makes a sender that does not run yet.
func New(c Config) *Sender {
	if c.Sent == nil {
		c.Sent = func(string) {}
	}
	s := &Sender{c: c, slots: make(chan struct{}, atOnce), freed: make(chan struct{}, 1)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.calls, s.abort = context.WithCancel(context.Background())
	return s
}

// Start begins to send, until Close.
func (s *Sender) Start() {
	s.running.Go(func() {
		if err := s.c.DB.Resume(s.ctx); err != nil {
			s.trouble(err)
		}
		for s.ctx.Err() == nil {
			s.rest(s.pass(s.ctx))
		}
	})
}

// Close stops. What is on its way may arrive within moments; the rest is sent after the next start.
func (s *Sender) Close() {
	s.stop()
	timer := time.AfterFunc(drain, s.abort)
	s.running.Wait()
	timer.Stop()
	s.abort()
}

// rest waits until there may be something to do.
func (s *Sender) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.ctx.Done():
	case <-s.c.DB.News():
	case <-s.freed:
	case <-timer.C:
	}
}

// pass sends what is due, as much as there are hands for, without waiting for the answers. It gives the time until it
// should look again.
func (s *Sender) pass(ctx context.Context) time.Duration {
	now := s.c.Now()
	due, next, err := s.c.DB.Due(ctx, now)
	if err != nil {
		s.trouble(err)
		return look
	}
	if !due {
		if next.IsZero() {
			return look
		}
		return max(time.Millisecond, min(look, next.Sub(now)))
	}
	free := atOnce - len(s.slots)
	if free == 0 {
		return look
	}
	holder, err := s.holder()
	if err != nil {
		s.trouble(err)
		return look
	}
	errands, err := s.c.DB.Claim(ctx, holder, now, now.Add(lease), free)
	if err != nil {
		s.trouble(err)
		return look
	}
	for _, e := range errands {
		s.slots <- struct{}{} // there is room: only this goroutine adds
		s.running.Go(func() { s.run(holder, e) })
	}
	if len(errands) == free {
		return 0 // there may be more
	}
	return look // what is due is on its way already
}

// holder is a name that no other claim has.
func (s *Sender) holder() (string, error) {
	var random [12]byte
	_, err := io.ReadFull(s.c.Random, random[:])
	return hex.EncodeToString(random[:]), err
}

// run does one errand and says what came of it.
func (s *Sender) run(holder string, e db.Errand) {
	defer func() {
		<-s.slots
		select {
		case s.freed <- struct{}{}:
		default:
		}
	}()
	ctx, done := context.WithTimeout(s.calls, errand)
	defer done()
	outcomes := s.send(ctx, e)
	settling, settled := context.WithTimeout(context.Background(), drain)
	defer settled()
	if err := s.c.DB.Settle(settling, holder, e.Localpart, outcomes); err != nil {
		s.trouble(err) // the lease ends by itself, and it is sent again
	}
}

func (s *Sender) trouble(err error) {
	if s.ctx.Err() == nil {
		s.c.Log.Error("the outbox cannot be read or written; what the homeserver must be told waits", "error", err)
	}
}

// between is a time from half of d to d: of many who wait not all should come back together.
func (s *Sender) between(d time.Duration) time.Duration {
	var n [8]byte
	if _, err := io.ReadFull(s.c.Random, n[:]); err != nil {
		return d
	}
	return d/2 + time.Duration(binary.NativeEndian.Uint64(n[:])%uint64(d/2+1))
}
