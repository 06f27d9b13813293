package db

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Wrong one-time codes: the first few cost nothing, since people mistype; then each makes its owner wait, longer and
// longer. RFC 4226, section 7.3. Whoever has the password has some thirty guesses a day then, each of which may hit one
// of the three codes that are taken at the time: they are right on one day in ten thousand.
const freeGuesses = 4

var guessWaits = []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute,
	time.Hour}

// guessCode counts before the code is looked at, so that of many who guess at once none is free. A clock that was set
// back blocks nobody for longer than it would have.
var guessCode = func() string {
	var wait strings.Builder
	fmt.Fprintf(&wait, "CASE WHEN failures < %d THEN 0 ", freeGuesses)
	for i, w := range guessWaits[:len(guessWaits)-1] {
		fmt.Fprintf(&wait, "WHEN failures < %d THEN $2 + %d ", freeGuesses+i+1, w.Milliseconds())
	}
	longest := guessWaits[len(guessWaits)-1].Milliseconds()
	fmt.Fprintf(&wait, "ELSE $2 + %d END", longest)
	return fmt.Sprintf(`UPDATE factors SET failures = failures + 1, blocked = %s
		WHERE id = $1 AND (blocked <= $2 OR blocked > $2 + %d) RETURNING id`, wait.String(), longest)
}()

// GuessCode counts somebody who shows a one-time code, before it is looked at; ErrConflict if the factor is blocked
// after too many wrong ones, or gone.
func (d *DB) GuessCode(ctx context.Context, id string, now time.Time) error {
	return d.must(ctx, onRow(id), ErrConflict,
		func(t *Tx) (bool, error) { return t.Get(guessCode, nil, id, Millis(now)) })
}

// TakeCode notes that the one-time code of a time step was right: it and those before it are good for nothing any more,
// and the wrong ones are forgotten. ErrConflict if it was taken before, or the factor is gone.
func (d *DB) TakeCode(ctx context.Context, id string, step int64, now time.Time) error {
	const take = `UPDATE factors SET step = $2, used = $3, failures = 0, blocked = 0 WHERE id = $1 AND step < $2
		RETURNING id`
	return d.must(ctx, onRow(id), ErrConflict,
		func(t *Tx) (bool, error) { return t.Get(take, nil, id, step, Millis(now)) })
}
