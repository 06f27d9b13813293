package db

import (
	"testing"
	"time"
)

// TestEventDays: events of a kind are counted by day, those of other kinds and of earlier days not at all.
func TestEventDays(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i, e := range []Event{{At: day.Add(-time.Millisecond)}, {At: day},
		{At: day.Add(24*time.Hour - time.Millisecond)}, {At: day.Add(24 * time.Hour)},
		{At: day, Kind: EventLogout}, {At: day.AddDate(0, 0, 9)}} {
		e.Kind, e.Localpart, e.Agent = or(e.Kind, EventLogin), string(rune('a'+i)), "x"
		if err := d.Record(bg, e); err != nil {
			t.Fatal(err)
		}
	}
	days, err := d.EventDays(bg, EventLogin, day)
	if err != nil || len(days) != 3 || days[day] != 2 || days[day.AddDate(0, 0, 1)] != 1 ||
		days[day.AddDate(0, 0, 9)] != 1 {
		t.Errorf("%v, %v", days, err)
	}
}
