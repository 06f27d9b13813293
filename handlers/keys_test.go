package handlers

import (
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
	"postern/tokens"
)

// TestRotationWhileRefreshing: an operator rotates and retires keys, from another process and as fast as can be, while
// clients log in and refresh. A key that nobody depends on may go at any moment; nobody may notice.
func TestRotationWhileRefreshing(t *testing.T) {
	t.Parallel()
	path := dbtest.DSN(t)
	s := newSiteOn(t, dbtest.Open(t, path))
	operator := dbtest.Open(t, path)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for id := int64(2); ; id++ {
			select {
			case <-stop:
				return
			default:
			}
			key, err := tokens.NewKey(id, rand.Reader)
			s.must(err)
			wrapped, err := s.master.Wrap(rand.Reader, key)
			s.must(err)
			s.must(operator.AddRootKey(t.Context(), db.RootKey{ID: id, Wrapped: wrapped, Created: s.clock.Now()}))
			for old := max(1, id-3); old < id; old++ {
				// Two hours later by the operator's clock: predecessors do not count any more.
				err := operator.RetireRootKey(t.Context(), old, s.clock.Now().Add(2*time.Hour), false)
				if err != nil && !errors.Is(err, db.ErrKeyInUse) {
					s.must(err)
				}
			}
		}
	}()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			pair := s.loggedIn()
			for range 40 {
				next := s.ok(s.refresh(pair.Text("refresh_token")))
				s.ok(s.whoami(next.Text("access_token")))
				pair = next
			}
		})
	}
	wg.Wait()
	close(stop)
	<-stopped
}
