package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"postern/test/rig/fleet"
)

// row is what came of one thing that happened.
type row struct {
	replication, what string
	elected           time.Duration // until another server led
	tally             fleet.Tally
	err               error // what a client was owed and did not get
}

// try lets something happen to the leader while clients work, waits until they can work again, and brings the cluster
// back to where it was.
func (s *site) try(what string) row {
	f := fleet.New(fleet.Config{User: user, Password: password, Seed: s.options.seed, Current: 20, Draft: 6, OAuth: 6,
		Patient: true, Doubtful: true})
	defer f.Close()
	r := row{what: what}
	if r.err = f.Settle(s.Context(), s.url); r.err != nil {
		return r
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- f.Run(s.Context(), s.url, stop) }()
	time.Sleep(3 * time.Second)
	old, began := s.leader(), time.Now()
	if old == nil {
		s.Fatal("nobody leads")
	}
	mend := s.happens(what, old, f)
	r.elected = s.another(old, began)
	s.working(f)
	close(stop)
	r.err = cmp.Or(<-done, f.Settle(s.Context(), s.url))
	r.tally = f.Tally()
	mend()
	s.whole()
	return r
}

// happens does it, and gives what brings the server back.
func (s *site) happens(what string, old *member, f *fleet.Fleet) (mend func()) {
	switch what {
	case "switchover":
		s.switchOver(old)
		return func() {}
	case "kill":
		from := time.Now()
		time.Sleep(500 * time.Millisecond)
		lost := s.lag(old)
		old.kill()
		if lost {
			time.Sleep(500 * time.Millisecond) // until clients have read what was answered
			f.Forget(from, time.Now())
		}
		return func() { old.peers.heal(); old.start() }
	case "network":
		for _, r := range old.relays() {
			r.cut()
		}
		return func() {
			for _, r := range old.relays() {
				r.heal()
			}
		}
	}
	old.freeze()
	return func() {
		old.signalPostgres(syscall.SIGCONT)
		old.patroni.tell(s, syscall.SIGCONT)
	}
}

// lag keeps what is committed from the standbys for a second, unless commits wait for one of them.
func (s *site) lag(leader *member) bool {
	if _, config := leader.ask("/config"); config["synchronous_mode"] == true {
		return false
	}
	leader.peers.cut()
	time.Sleep(time.Second)
	return true
}

// switchOver asks Patroni for another leader, which the answer waits for.
func (s *site) switchOver(old *member) {
	body, err := json.Marshal(map[string]string{"leader": old.name})
	if err != nil {
		s.Fatal(err)
	}
	answer, err := http.Post("http://"+old.asks.address()+"/switchover", "application/json", bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		s.Fatalf("switchover: %s: %s", answer.Status, text)
	}
}

// another waits until another server leads.
func (s *site) another(old *member, began time.Time) time.Duration {
	for time.Since(began) < 3*time.Minute && s.Context().Err() == nil {
		for _, m := range s.members {
			if m == old {
				continue
			}
			if status, _ := m.ask("/primary"); status == http.StatusOK {
				return time.Since(began)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := s.Context().Err(); err != nil {
		s.Fatal(err)
	}
	s.Fatal("Patroni gives the cluster no other leader within three minutes")
	return 0
}

// working waits until clients have been served for ten seconds.
func (s *site) working(f *fleet.Fleet) {
	served := 0
	for range 180 {
		before := f.Tally().Refreshes
		time.Sleep(time.Second)
		if f.Tally().Refreshes > before {
			served++
		}
		if served == 10 || s.Context().Err() != nil {
			return
		}
	}
	s.Fatalf("clients are not served again within three minutes: %v", f.Err())
}

// owed says whether every client got what it is owed.
func (r row) owed() string {
	if r.err == nil {
		return "yes"
	}
	return "NO"
}

func (r row) progress() string {
	if r.err != nil {
		return r.err.Error()
	}
	return fmt.Sprintf("another leader after %.1f s, no refresh for %.1f s", r.elected.Seconds(), r.tally.Gap.Seconds())
}

func report(w io.Writer, rows []row) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	const head = "replication|what|another leader|no refresh|unluckiest client|refreshes|503|answers lost|" +
		"soft logouts|as owed"
	fmt.Fprintln(table, strings.ReplaceAll(head, "|", "\t"))
	for _, r := range rows {
		n := r.tally
		fmt.Fprintf(table, "%s\t%s\t%.1f s\t%.1f s\t%.1f s\t%d\t%d\t%d\t%d\t%s\n", r.replication, r.what,
			r.elected.Seconds(), n.Gap.Seconds(), n.Waited.Seconds(), n.Refreshes, n.Unavailable, n.Lost, n.Soft,
			r.owed())
	}
	table.Flush()
}
