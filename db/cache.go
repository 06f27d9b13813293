package db

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

// cache holds the newest sessions, exactly as they are in the database. Every write of this process passes through it
// after its commit and before its caller is answered; what others wrote empties it (see freshness).
//
// The one thing that could go wrong is a reader that fetched a row before a commit and stores it after: the old row
// would stay for ever. So commits are counted, by the rows that they changed, and a row is only stored if none is
// counted that came after the reader began. That a session does not exist is never remembered.
//
// A nil cache remembers nothing: where replicas share the database, it would not learn what they wrote.
type cache struct {
	mu       sync.RWMutex
	size     int
	sessions map[string]*packed // never changed once stored
	commits  [256]uint64        // by slot of the rows that they changed; a commit of somebody else counts in all
	seed     maphash.Seed
}

// change is what a transaction did to one session; a nil session is gone.
type change struct {
	id      string
	session *Session
}

func newCache(size int) *cache {
	return &cache{size: size, sessions: make(map[string]*packed), seed: maphash.MakeSeed()}
}

func (c *cache) get(id string) (Session, bool) {
	if c == nil {
		return Session{}, false
	}
	c.mu.RLock()
	p := c.sessions[id]
	c.mu.RUnlock()
	if p == nil {
		return Session{}, false
	}
	return p.session(), true
}

// slot is where commits that change a row are counted. Some rows share it, which only means that one is not stored.
func (c *cache) slot(id string) *uint64 { return &c.commits[maphash.String(c.seed, id)%256] }

// counted is how many commits have changed a row, or one that shares its slot.
func (c *cache) counted(id string) uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return *c.slot(id)
}

// store takes in a row that was fetched after so many commits, if there was none since.
func (c *cache) store(s *Session, commits uint64) {
	p := pack(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if *c.slot(s.ID) == commits {
		c.put(p)
	}
}

// apply takes over a committed transaction.
func (c *cache) apply(changes []change) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range changes {
		*c.slot(ch.id)++
		if ch.session == nil {
			delete(c.sessions, ch.id)
		} else {
			c.put(pack(ch.session))
		}
	}
}

// flush forgets everything: somebody else has written.
func (c *cache) flush() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.commits {
		c.commits[i]++
	}
	clear(c.sessions)
}

// put evicts any other session when the cache is full. Which one hardly matters: a miss costs one indexed read.
func (c *cache) put(p *packed) {
	id := p.id() // of the same bytes
	if _, there := c.sessions[id]; !there && len(c.sessions) >= c.size {
		for victim := range c.sessions {
			delete(c.sessions, victim)
			break
		}
	}
	c.sessions[id] = p
}

// Forget lets the cache know that this transaction has changed a session, or ended it, with a statement of the
// caller's: it is read again when it is asked for.
func (t *Tx) Forget(sessionID string) { t.changes = append(t.changes, change{sessionID, nil}) }

// ChangeSessions runs a statement that changes sessions, and forgets these. It says nothing of them where nothing is
// remembered: a server waits for whoever does not take a long answer, with the rows that it has changed.
func (t *Tx) ChangeSessions(query string, args ...any) error {
	if t.db.cache == nil {
		return t.Exec(query, args...)
	}
	return t.Each(query+" RETURNING id", args, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		t.Forget(id)
		return err
	})
}

// put lets the cache know how a session is now.
func (t *Tx) put(s Session) { t.changes = append(t.changes, change{s.ID, &s}) }

// cached is the session as this transaction sees it, if memory has it. Nobody else can write now, and what others wrote
// before has emptied the cache (see freshness.arrive), so it holds the rows of the last commit; what this transaction
// did to them since stands in changes.
func (t *Tx) cached(id string) (Session, bool) {
	for _, ch := range slices.Backward(t.changes) {
		if ch.id == id && ch.session != nil {
			return *ch.session, true
		}
		if ch.id == id {
			return Session{}, false
		}
	}
	return t.db.cache.get(id)
}

// A note is a fact about a session that may be lost in a crash without harm: the predecessor's tokens would stay good a
// little longer, as they were a moment before.
type note struct {
	session    string
	generation int64
	used       time.Time // zero: only the sighting is new
	seen       Seen
}

// notes holds the notes until the writer puts them into a transaction. To this process they are true at once.
type notes struct {
	mu        sync.RWMutex
	bySession map[string]note
	wake      chan struct{} // wakes the writer when there is a first note
}

func newNotes() *notes {
	return &notes{bySession: make(map[string]note), wake: make(chan struct{}, 1)}
}

// seenEvery is how exact "last seen" is while a client stays where it is. Each session in use is written so often: at a
// minute, a million of them were 16,000 writes a second, and most of what their checks cost.
const seenEvery = 5 * time.Minute

// NoteUse says that a good token of a generation was presented. s is what Session returned for this request. It costs
// next to nothing when there is nothing new, and never waits for the disk.
func (d *DB) NoteUse(s Session, generation int64, seen Seen) {
	seen = seen.Clip()
	n := note{session: s.ID, generation: generation, seen: seen}
	if generation == s.Generation && s.Used.IsZero() {
		n.used = FromMillis(Millis(seen.At))
	}
	since := seen.At.Sub(s.Seen.At).Abs() // a clock that stepped back is news as well
	if n.used.IsZero() && since < seenEvery && seen.Addr == s.Seen.Addr && seen.Agent == s.Seen.Agent {
		return
	}
	d.notes.add(n)
}

func (p *notes) add(n note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, waiting := p.bySession[n.session]
	if waiting && !old.used.IsZero() && old.generation >= n.generation {
		n.generation, n.used = old.generation, old.used // the first use counts
	}
	p.bySession[n.session] = n
	if !waiting && len(p.bySession) == 1 {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

func (p *notes) get(id string) (note, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	n, ok := p.bySession[id]
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

// take copies the notes of the given sessions, and up to spare others, in the order of their rows. They stay until
// they are written.
func (p *notes) take(ops []*op, spare int) []note {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if len(p.bySession) == 0 {
		return nil
	}
	taken := make(map[string]note, min(len(p.bySession), len(ops)+spare))
	for _, o := range ops {
		if n, ok := p.bySession[o.row]; ok {
			taken[o.row] = n
		}
	}
	for id, n := range p.bySession {
		if spare--; spare < 0 {
			break
		}
		taken[id] = n
	}
	all := make([]note, 0, len(taken))
	for _, n := range taken {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b note) int { return cmp.Compare(a.session, b.session) })
	return all
}

const noteUse = `UPDATE sessions SET used = CASE WHEN used = 0 AND generation = $2 THEN $3 ELSE used END,
	seen_at = $4, seen_addr = $5, seen_agent = $6 WHERE id = $1`

func (n note) statement() statement {
	args := []any{n.session, n.generation, Millis(n.used), Millis(n.seen.At), n.seen.Addr, n.seen.Agent}
	return statement{noteUse, args}
}

// written drops the notes that are in the database now, unless there is newer news.
func (p *notes) written(these []note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range these {
		if p.bySession[n.session] == n {
			delete(p.bySession, n.session)
		}
	}
}

func (p *notes) empty() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.bySession) == 0
}

// Clip keeps a stranger's header from growing the row, and to text that every engine stores.
func (s Seen) Clip() Seen {
	s.At, s.Addr, s.Agent = FromMillis(Millis(s.At)), Clip(s.Addr, 64), Clip(s.Agent, 256)
	return s
}
