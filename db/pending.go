package db

import (
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// A note is a fact about a session that may be lost in a crash without harm: the predecessor's tokens would stay good a
// little longer, as they were a moment before.
type note struct {
	session    string
	generation int64
	used       time.Time // zero: only the sighting is new
	seen       Seen
}

// pending holds the notes until the writer puts them into a transaction. To this process they are true at once.
type pending struct {
	mu    sync.RWMutex
	notes map[string]note
	wake  chan struct{} // tells the writer that there is a first note
}

func newPending() *pending {
	return &pending{notes: make(map[string]note), wake: make(chan struct{}, 1)}
}

// seenEvery is how exact "last seen" is while a client stays where it is.
const seenEvery = time.Minute

// NoteUse says that a good token of a generation was presented. s is what Session returned for this request. It costs
// next to nothing when there is nothing new, and never waits for the disk.
func (d *DB) NoteUse(s Session, generation int64, seen Seen) {
	seen = seen.clip()
	n := note{session: s.ID, generation: generation, seen: seen}
	if generation == s.Generation && s.Used.IsZero() {
		n.used = at(ms(seen.At))
	}
	since := seen.At.Sub(s.Seen.At).Abs() // a clock that stepped back is news as well
	if n.used.IsZero() && since < seenEvery && seen.Addr == s.Seen.Addr && seen.Agent == s.Seen.Agent {
		return
	}
	d.pending.add(n)
}

func (p *pending) add(n note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, known := p.notes[n.session]
	if known && !old.used.IsZero() && old.generation >= n.generation {
		n.generation, n.used = old.generation, old.used // the first use counts
	}
	p.notes[n.session] = n
	if !known && len(p.notes) == 1 {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

func (p *pending) get(id string) (note, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	n, ok := p.notes[id]
	return n, ok
}

// over lays the note over a row that may be older.
func (n note) over(s Session) Session {
	if n.generation == s.Generation && s.Used.IsZero() {
		s.Used = n.used
	}
	s.Seen = n.seen
	return s
}

// take copies the notes of the given sessions, and up to spare others. They stay until they are written.
func (p *pending) take(ops []*op, spare int) []note {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if len(p.notes) == 0 {
		return nil
	}
	taken := make(map[string]note, min(len(p.notes), len(ops)+spare))
	for _, o := range ops {
		if n, ok := p.notes[o.session]; ok {
			taken[o.session] = n
		}
	}
	for id, n := range p.notes {
		if spare--; spare < 0 {
			break
		}
		taken[id] = n
	}
	notes := make([]note, 0, len(taken))
	for _, n := range taken {
		notes = append(notes, n)
	}
	return notes
}

const noteUse = `UPDATE sessions SET used = CASE WHEN used = 0 AND generation = $2 THEN $3 ELSE used END,
	seen_at = $4, seen_addr = $5, seen_agent = $6 WHERE id = $1 RETURNING ` + sessionColumns

// note writes a note; nothing happens if its session is gone. The tx keeps the error.
func (t *tx) note(n note) {
	s := n.statement()
	_, _, _ = t.session(s.query, s.args...)
}

func (n note) statement() statement {
	return statement{noteUse, []any{n.session, n.generation, ms(n.used), ms(n.seen.At), n.seen.Addr, n.seen.Agent}}
}

// written drops the notes that are in the database now, unless there is newer news.
func (p *pending) written(notes []note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range notes {
		if p.notes[n.session] == n {
			delete(p.notes, n.session)
		}
	}
}

func (p *pending) empty() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.notes) == 0
}

// clip keeps a stranger's header from growing the row, and to text that every engine stores.
func (s Seen) clip() Seen {
	s.At, s.Addr, s.Agent = at(ms(s.At)), clip(s.Addr, 64), clip(s.Agent, 256)
	return s
}

func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return s
}
