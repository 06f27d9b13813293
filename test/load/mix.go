package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"postern/test/rig/process"
)

// A kind is a kind of request.
type kind int

const (
	check kind = iota
	refresh
	login
	kinds
)

var kindNames = [kinds]string{"check", "refresh", "login"}

// kindOf deals the n-th request: of a hundred 90 are checks, 9 refreshes and one a login.
func kindOf(n uint64) kind {
	switch n = n % 100; {
	case n == 0:
		return login
	case n%11 == 0:
		return refresh
	}
	return check
}

// mix is the sessions that the load uses. A request takes a free one and gives it back with what the answer made of it,
// so a session is used by one worker at a time, and they take turns.
type mix struct {
	url      string
	workers  int
	http     *http.Transport
	client   *process.Client
	sessions []*session
	free     chan *session
	dealt    atomic.Uint64
}

type session struct {
	number int
	pair   process.Pair
}

// sessionHeader says to the transport, and to nobody else, whose request it is.
const sessionHeader = "X-Load-Session"

func newMix(ctx context.Context, url string, sessions, workers int) (*mix, error) {
	m := &mix{url: url, workers: workers, client: process.NewClient(8), free: make(chan *session, sessions),
		http: &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}}
	errs := make(chan error, sessions)
	turns := make(chan struct{}, 8)
	for i := range sessions {
		s := &session{number: i}
		m.sessions = append(m.sessions, s)
		go func() {
			turns <- struct{}{}
			var err error
			s.pair, err = m.client.Login(ctx, url, user, password, s.device())
			<-turns
			errs <- err
		}()
	}
	for range sessions {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	for _, s := range m.sessions {
		m.free <- s
	}
	return m, nil
}

func (s *session) device() string { return fmt.Sprintf("LOAD%04d", s.number) }

// target makes the next request. A login is on the session's own device, so there are never more sessions than at
// first.
func (m *mix) target(t *vegeta.Target) error {
	s := <-m.free
	t.Method, t.Header = http.MethodPost, http.Header{sessionHeader: {strconv.Itoa(s.number)}}
	switch kindOf(m.dealt.Add(1)) {
	case check:
		t.Method, t.URL = http.MethodGet, m.url+process.WhoamiPath
		t.Header.Set("Authorization", "Bearer "+s.pair.Access)
	case refresh:
		t.URL, t.Body = m.url+process.RefreshPath, []byte(`{"refresh_token":"`+s.pair.Refresh+`"}`)
	case login:
		t.URL = m.url + process.LoginPath
		t.Body = []byte(`{"type":"m.login.password","identifier":{"type":"m.id.user","user":"` + user +
			`"},"password":"` +
			password + `","device_id":"` + s.device() + `","refresh_token":true}`)
	}
	return nil
}

// RoundTrip makes mix the transport under vegeta: it learns the pair of an answer before the session is free again.
func (m *mix) RoundTrip(r *http.Request) (*http.Response, error) {
	number, err := strconv.Atoi(r.Header.Get(sessionHeader))
	if err != nil {
		return nil, err
	}
	s := m.sessions[number]
	defer func() { m.free <- s }()
	r = r.Clone(r.Context())
	r.Header.Del(sessionHeader)
	answer, err := m.http.RoundTrip(r)
	if err != nil || r.Method == http.MethodGet || answer.StatusCode != http.StatusOK {
		return answer, err
	}
	return answer, s.learn(answer)
}

// learn reads the pair, and puts the body back for vegeta.
func (s *session) learn(answer *http.Response) error {
	text, err := readBody(answer)
	if err != nil {
		return err
	}
	var pair process.Pair
	if err := json.Unmarshal(text, &pair); err != nil || pair.Access == "" || pair.Refresh == "" {
		return errors.Join(errors.New("an answer without a pair"), err)
	}
	s.pair = pair
	return nil
}

// attack lets the workers go on for a time and counts. Every few seconds it tells how far it is.
func (m *mix) attack(ctx context.Context, d time.Duration, tell func(*counts)) *counts {
	attacker := vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: m, Timeout: 45 * time.Second}),
		vegeta.Workers(uint64(m.workers)), vegeta.MaxWorkers(uint64(m.workers)))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	const often = 15 * time.Second
	c, next := newCounts(), time.Now().Add(often)
	for result := range attacker.Attack(m.target, vegeta.Rate{}, d, "") { // without a rate, the loop is closed
		c.add(result)
		if tell != nil && time.Now().After(next) {
			tell(c)
			next = next.Add(often)
		}
	}
	return c
}
