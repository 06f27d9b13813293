package db

import (
	"context"
	"time"
)

// eventDays reads the index of kinds alone.
const eventDays = `SELECT at / 86400000, COUNT(*) FROM events WHERE kind = $1 AND at >= $2 GROUP BY at / 86400000`

// EventDays counts the events of a kind by the day (UTC) that they were on, from a day on. A day without one is not in
// it.
func (d *DB) EventDays(ctx context.Context, kind string, since time.Time) (map[time.Time]int, error) {
	days := make(map[time.Time]int)
	err := d.Read(ctx, eventDays, []any{kind, Millis(since)}, func(scan func(...any) error) error {
		var day int64
		var n int
		err := scan(&day, &n)
		days[time.UnixMilli(day*24*time.Hour.Milliseconds()).UTC()] = n
		return err
	})
	return days, err
}
