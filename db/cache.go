package db

import "sync"

// cache holds the newest sessions, exactly as they are in the database. Every write of this process passes through it
// after its commit and before its caller is answered; what others wrote empties it (see freshness).
//
// The one thing that could go wrong is a reader that fetched a row before a commit and stores it after: the old row
// would stay for ever. So a reader announces its load first, and a commit spoils the announced loads of the rows it
// changed. That a session does not exist is never remembered.
//
// A nil cache remembers nothing: where replicas share the database, nobody could tell it what they wrote.
type cache struct {
	mu       sync.RWMutex
	size     int
	sessions map[string]*Session // never changed once stored
	loads    map[string]*load
}

// load is the announcement of everyone who is fetching one row just now.
type load struct {
	readers int
	spoiled bool
}

// change is what a transaction did to one session; a nil session is gone.
type change struct {
	id      string
	session *Session
}

func newCache(size int) *cache {
	return &cache{size: size, sessions: make(map[string]*Session), loads: make(map[string]*load)}
}

func (c *cache) get(id string) (Session, bool) {
	if c == nil {
		return Session{}, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if s := c.sessions[id]; s != nil {
		return *s, true
	}
	return Session{}, false
}

// begin announces that the row is about to be fetched.
func (c *cache) begin(id string) *load {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.loads[id]
	if l == nil {
		l = &load{}
		c.loads[id] = l
	}
	l.readers++
	return l
}

// finish stores what was fetched, nil for nothing, and says whether it still holds.
func (c *cache) finish(id string, l *load, s *Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.readers--; l.readers == 0 && c.loads[id] == l {
		delete(c.loads, id)
	}
	if l.spoiled {
		return false
	}
	if s != nil {
		c.put(id, s)
	}
	return true
}

// apply takes over a committed transaction.
func (c *cache) apply(changes []change) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range changes {
		c.spoil(ch.id)
		if ch.session == nil {
			delete(c.sessions, ch.id)
		} else {
			c.put(ch.id, ch.session)
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
	clear(c.sessions)
	for id := range c.loads {
		c.spoil(id)
	}
}

func (c *cache) spoil(id string) {
	if l := c.loads[id]; l != nil {
		l.spoiled = true
		delete(c.loads, id)
	}
}

// put evicts any other session when the cache is full. Which one hardly matters: a miss costs one indexed read.
func (c *cache) put(id string, s *Session) {
	if _, known := c.sessions[id]; !known && len(c.sessions) >= c.size {
		for victim := range c.sessions {
			delete(c.sessions, victim)
			break
		}
	}
	c.sessions[id] = s
}
