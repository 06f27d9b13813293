package db

import (
	"errors"
	"testing"
	"time"
)

func TestAccepts(t *testing.T) {
	t.Parallel()
	live := Session{State: Live, Generation: 5, Oldest: 5}
	used, single, soft, ending, expiring := live, live, live, live, live
	used.Used = t0
	single.SingleUse = true
	soft.State = Soft
	expiring.Used, expiring.Oldest = t0, 3
	ending.Expires = t0.Add(time.Second)
	locked := func(s Session) Session { s.Locked = true; return s }
	tests := []struct {
		name string
		s    Session
		k    int64
		at   time.Time
		want error
	}{
		{"newest", live, 5, t0, nil},
		{"predecessor while the newest is unused", live, 4, t0, nil},
		{"older", live, 3, t0, ErrSuperseded},
		{"newer than the row: a backup was restored", live, 6, t0, nil},
		{"newest, used", used, 5, t0, nil},
		{"predecessor once the newest is used", used, 4, t0, ErrSuperseded},
		{"newest of the draft's door", single, 5, t0, nil},
		{"predecessor at the draft's door", single, 4, t0, ErrSuperseded},
		{"superseded, with an expiry", expiring, 4, t0, nil},
		{"superseded long ago, with an expiry", expiring, 3, t0, nil},
		{"superseded, and older than one without an expiry", expiring, 2, t0, ErrSuperseded},
		{"newer than the row, where superseded ones expire", expiring, 9, t0, nil},
		{"locked, superseded, with an expiry", locked(expiring), 3, t0, ErrLocked},
		{"soft", soft, 5, t0, ErrSoft},
		{"before the end", ending, 5, t0, nil},
		{"before the end, predecessor", ending, 4, t0, nil},
		{"at the end", ending, 5, t0.Add(time.Second), ErrEnded},
		{"after the end", ending, 5, t0.Add(time.Hour), ErrEnded},
		{"locked", locked(live), 5, t0, ErrLocked},
		{"locked, predecessor while the newest is unused", locked(live), 4, t0, ErrLocked},
		{"locked, predecessor once the newest is used", locked(used), 4, t0, ErrSuperseded},
		{"locked, predecessor at the draft's door", locked(single), 4, t0, ErrSuperseded},
		{"locked, older", locked(live), 3, t0, ErrSuperseded},
		{"locked, newer than the row", locked(live), 6, t0, ErrLocked},
		{"locked, soft", locked(soft), 5, t0, ErrSoft},
		{"locked, ended", locked(ending), 5, t0.Add(time.Second), ErrEnded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.Accepts(tt.k, tt.at); !errors.Is(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	const today, draft = false, true
	unused := Session{State: Live, Generation: 5, AccessExpires: t0.Add(5 * time.Minute)}
	with := func(s Session, change func(*Session)) Session { change(&s); return s }
	used := with(unused, func(s *Session) { s.Used = t0 })
	caught := with(used, func(s *Session) { s.Used, s.CaughtUp, s.CaughtFrom = t0.Add(-time.Hour), t0, 2 })
	claimed := with(used, func(s *Session) { s.SingleUse = true })
	tests := []struct {
		name  string
		s     Session
		door  bool
		k     int64
		after time.Duration // since t0
		want  step
	}{
		{"newest", unused, today, 5, 0, stepAdvance},
		{"newest, used long ago", used, today, 5, 9 * time.Hour, stepAdvance},
		{"newest of the draft's door at today's", claimed, today, 5, 9 * time.Hour, stepAdvance},
		{"lost answer", unused, today, 4, time.Minute, stepSame},
		{"lost answer, access token still good for a moment", unused, today, 4, 5*time.Minute - 1, stepSame},
		{"lost answer, access token expired", unused, today, 4, 5 * time.Minute, stepRemint},
		{"lost answer, access token never expires", with(unused, func(s *Session) { s.AccessExpires = time.Time{} }), today, 4, 9 * time.Hour, stepSame},
		{"second tab within the leeway", used, today, 4, 30 * time.Second, stepSame},
		{"second tab within the leeway, access token expired", with(used, func(s *Session) { s.AccessExpires = t0 }), today, 4, time.Second, stepRemint},
		{"second tab, clock stepped back", used, today, 4, -9 * time.Hour, stepSame},
		{"predecessor after the leeway", used, today, 4, 31 * time.Second, stepReplay},
		{"older, newest unused", unused, today, 3, 0, stepReplay},
		{"newer than the row", unused, today, 6, 0, stepBehind},
		{"older, the row has just caught up", caught, today, 2, 30 * time.Second, stepSame},
		{"older, the row caught up a while ago", caught, today, 2, 31 * time.Second, stepReplay},
		{"older than what was lost, the row has just caught up", caught, today, 1, time.Second, stepReplay},
		{"older, the row caught up by a clock a little ahead", caught, today, 2, -time.Second, stepSame},
		{"older, the row caught up by a clock far ahead", caught, today, 2, -time.Hour, stepReplay},
		{"draft: older, the row has just caught up", caught, draft, 2, time.Second, stepSpent},
		{"generation 0", with(unused, func(s *Session) { s.Generation = 1 }), today, 0, 0, stepSame}, // never minted
		{"predecessor of a claimed one, soon", claimed, today, 4, time.Second, stepSpent},
		{"predecessor of a claimed one, clock stepped back", claimed, today, 4, -time.Hour, stepSpent},
		{"predecessor of a claimed one, late", claimed, today, 4, time.Hour, stepReplay},

		{"draft: newest", unused, draft, 5, 0, stepAdvance},
		{"draft: predecessor, newest unused", unused, draft, 4, 9 * time.Hour, stepSpent},
		{"draft: predecessor, newest just used", used, draft, 4, 30 * time.Second, stepSpent},
		{"draft: predecessor, clock stepped back", claimed, draft, 4, -time.Hour, stepSpent},
		{"draft: predecessor, late", claimed, draft, 4, 31 * time.Second, stepReplay},
		{"draft: newer than the row", claimed, draft, 9, 0, stepBehind},
		{"draft: older", claimed, draft, 3, 0, stepReplay},

		{"soft", with(unused, func(s *Session) { s.State = Soft }), today, 3, 0, stepSoft},
		{"soft, newest", with(unused, func(s *Session) { s.State = Soft }), draft, 5, 0, stepSoft},
		{"ended", with(unused, func(s *Session) { s.Expires = t0 }), today, 5, 0, stepEnded},
		{"ended, replay", with(unused, func(s *Session) { s.Expires = t0 }), draft, 1, 0, stepEnded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Refresh{Generation: tt.k, At: t0.Add(tt.after), Leeway: 30 * time.Second, SingleUse: tt.door}
			if got := tt.s.decide(r, false); got != tt.want {
				t.Errorf("got step %d, want %d", got, tt.want)
			}
		})
	}
	// A lock turns away what was good, and changes nothing else.
	for _, tt := range tests {
		t.Run("locked: "+tt.name, func(t *testing.T) {
			want := tt.want
			if want <= stepBehind {
				want = stepLocked
			}
			r := Refresh{Generation: tt.k, At: t0.Add(tt.after), Leeway: 30 * time.Second, SingleUse: tt.door}
			if got := with(tt.s, func(s *Session) { s.Locked = true }).decide(r, false); got != want {
				t.Errorf("got step %d, want %d", got, want)
			}
		})
	}
	t.Run("lost answer, root key retired", func(t *testing.T) {
		if got := unused.decide(Refresh{Generation: 4, At: t0}, true); got != stepRemint {
			t.Errorf("got step %d", got)
		}
	})
	t.Run("no leeway", func(t *testing.T) {
		if got := used.decide(Refresh{Generation: 4, At: t0.Add(-time.Hour)}, false); got != stepReplay {
			t.Errorf("got step %d", got)
		}
	})
}

func TestAccessEnd(t *testing.T) {
	t.Parallel()
	never := time.Time{}
	for _, tt := range []struct {
		ttl       time.Duration
		end, want time.Time
	}{
		{0, never, never},
		{time.Minute, never, t0.Add(time.Minute)},
		{time.Minute, t0.Add(time.Hour), t0.Add(time.Minute)},
		{time.Hour, t0.Add(time.Minute), t0.Add(time.Minute)},
		{0, t0.Add(time.Minute), t0.Add(time.Minute)},
	} {
		if got := accessEnd(t0, tt.ttl, tt.end); !got.Equal(tt.want) {
			t.Errorf("accessEnd(%v, %v) = %v, want %v", tt.ttl, tt.end, got, tt.want)
		}
	}
}
