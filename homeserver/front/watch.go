package front

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// watch ends the requests that wait when their session ends or is locked, so that a long poll does not outlive it by
// half a minute. Whoever ended it may be another replica or the command line, so there is nobody to be told by: every
// second, while there are streams, it asks for all their sessions at once.
type watch struct {
	over  func(ctx context.Context, sessions []string) ([]string, error)
	every time.Duration
	log   *slog.Logger

	mu      sync.Mutex
	streams map[*stream]context.CancelFunc
	armed   bool // a round is due or under way
	rounds  sync.WaitGroup
	closed  context.Context
	end     context.CancelFunc
}

func newWatch(over func(context.Context, []string) ([]string, error), every time.Duration, log *slog.Logger) *watch {
	w := &watch{over: over, every: every, log: log, streams: make(map[*stream]context.CancelFunc)}
	w.closed, w.end = context.WithCancel(context.Background())
	return w
}

// add watches a stream until done is called. cancel ends it.
func (w *watch) add(s *stream, cancel context.CancelFunc) (done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.streams[s] = cancel
	if !w.armed && w.closed.Err() == nil {
		w.armed = true
		w.rounds.Go(w.run)
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.streams, s)
	}
}

// run makes a round after the other until there are no streams.
func (w *watch) run() {
	timer := time.NewTicker(w.every)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-w.closed.Done():
			return
		}
		if sessions := w.sessions(); len(sessions) > 0 {
			w.round(sessions)
		} else if w.idle() {
			return
		}
	}
}

// idle reports whether there are no streams, and has the next one start run again then.
func (w *watch) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = len(w.streams) > 0
	return !w.armed
}

// sessions returns the sessions of the streams that wait, each once.
func (w *watch) sessions() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := make(map[string]bool, len(w.streams))
	all := make([]string, 0, len(w.streams))
	for s := range w.streams {
		if id := s.pass.Session; s.ours() && s.progress.waiting() && !seen[id] {
			seen[id] = true
			all = append(all, id)
		}
	}
	return all
}

// moving counts the streams on which a side sends.
func (w *watch) moving() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.streams {
		if !s.progress.waiting() {
			n++
		}
	}
	return n
}

// round ends the streams of sessions that are over. If that cannot be found out, the answer is refused when it comes.
func (w *watch) round(sessions []string) {
	over, err := w.over(w.closed, sessions)
	if err != nil {
		w.log.Debug("the sessions of those who wait could not be looked up", "error", err)
		return
	}
	ended := make(map[string]bool, len(over))
	for _, id := range over {
		ended[id] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for s, cancel := range w.streams {
		if ended[s.pass.Session] && s.progress.waiting() {
			s.progress.over.Store(true)
			cancel()
		}
	}
}

// close ends the round that is under way, and waits for it.
func (w *watch) close() {
	w.mu.Lock()
	w.end()
	w.mu.Unlock()
	w.rounds.Wait()
}

// refuseOver answers a request that was ended because its session is over.
func (f *Front) refuseOver(w http.ResponseWriter, s *stream) {
	if err := f.Login.Ended(s.client, s.token); err != nil {
		f.Login.Refuse(w, s.client, s.token, err)
		return
	}
	tryAgain(w, "The session was locked for a moment. Try again.")
}
