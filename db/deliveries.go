package db

import (
	"context"
	"errors"
	"time"
)

// Delivery is something that is sent to a person, and that waits for it: a mail, or a webhook. It is written in the
// transaction of what it tells of, so that it is sent if and only if that has happened. A sender claims it, sends it
// and says so. One that is killed in between sends it once more: no delivery is lost, and one may come twice.
type Delivery struct {
	ID        string    // no other has it; a second one with the same id is not sent, for as long as the first is kept
	Kind      string    // what it says
	Target    string    // the URL that it goes to: mailto:, https:
	Counted   string    // what a Limit takes for the target, when several targets are one; it is not read back
	Asker     string    // who has asked for it, if somebody has; it is not read back
	Localpart string    // whom it tells of; may be empty
	Language  string    // of who reads it; empty: not known
	Sealed    []byte    // what it says besides; sealed by the caller, if it must not be readable here
	Created   time.Time // when it was written
	Expires   time.Time // from then on it is not sent; whoever claims it then gives it up
	Due       time.Time // the next try; zero: it was sent, or given up
	Unsent    bool      // it is written, and counts, and is never sent
	Tries     int
	Error     string // of the last try
}

// Planned reports whether it was written for later, and not tried yet: it waits for its time and for nobody.
func (v Delivery) Planned() bool { return v.Tries == 0 && v.Due.After(v.Created) }

const (
	deliveryColumns = `id, kind, target, localpart, language, sealed, created, expires, due, tries, error`

	addDelivery = `INSERT INTO deliveries (` + deliveryColumns + `, holder, held, counted, asker)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, '', '', 0, $10, $11) ON CONFLICT DO NOTHING RETURNING id`
	countDeliveries = `SELECT COUNT(*) FROM deliveries WHERE counted = $1 AND created > $2 AND kind = $3`
	countAskers     = countDeliveries + ` AND asker = $4`
	countAsked      = `SELECT COUNT(*) FROM deliveries WHERE kind = $1 AND created > $2 AND asker <> ''`
	waitDeliveries  = `SELECT ` + deliveryColumns + ` FROM deliveries WHERE due > 0 AND expires > $1
		ORDER BY created, id LIMIT $2`
	nextDelivery = `SELECT COALESCE(MIN(CASE WHEN held > due THEN held ELSE due END), 0) FROM deliveries
		WHERE due > 0 AND target LIKE $1`
	// One that is to be sent later waits from then on. Which have expired nobody sends, whether or not there is
	// anybody who gives them up.
	isWaiting         = `due > 0 AND (due <= $1 OR tries > 0) AND expires > $1`
	waitingDeliveries = `SELECT COUNT(*), COALESCE(MIN(CASE WHEN tries = 0 THEN due ELSE created END), 0)
		FROM deliveries WHERE ` + isWaiting + ` AND target LIKE $2`
	claimDeliveries = `UPDATE deliveries SET holder = $2, held = $3, tries = tries + 1 WHERE id IN
		(SELECT id FROM deliveries WHERE due > 0 AND due <= $1 AND held <= $1
			AND target LIKE $5 ORDER BY due, id LIMIT $4) RETURNING ` + deliveryColumns
	// Only by who has claimed it: whose time was over may have been overtaken by another one.
	settleDelivery = `UPDATE deliveries SET due = $3, error = $4, holder = '', held = 0,
		sealed = CASE WHEN CAST($3 AS BIGINT) > 0 THEN sealed ELSE $5 END WHERE id = $1 AND holder = $2 RETURNING id`
	retryDeliveries = `UPDATE deliveries SET due = $1 WHERE due > $1 AND held <= $1 AND tries > 0
		AND target LIKE $2`
	releaseDeliveries = `UPDATE deliveries SET holder = '', held = 0
		WHERE due > 0 AND held > 0 AND target LIKE $1`
	tidyDeliveries = `DELETE FROM deliveries WHERE id IN
		(SELECT id FROM deliveries WHERE expires < $1 ORDER BY expires LIMIT $2) RETURNING id`
)

func scanDelivery(scan func(...any) error) (v Delivery, err error) {
	var created, expires, due int64
	err = scan(&v.ID, &v.Kind, &v.Target, &v.Localpart, &v.Language, &v.Sealed, &created, &expires, &due, &v.Tries,
		&v.Error)
	v.Created, v.Expires, v.Due = FromMillis(created), FromMillis(expires), FromMillis(due)
	return v, err
}

// Deliver writes a delivery that is due at once. ErrConflict if there is one of that id.
func (d *DB) Deliver(ctx context.Context, v Delivery) error {
	return d.must(ctx, onRow(v.ID), ErrConflict, func(t *Tx) (bool, error) { return t.Deliver(v) })
}

// Deliver is [DB.Deliver] within a transaction, and says whether the delivery was written.
func (t *Tx) Deliver(v Delivery) (bool, error) {
	if Millis(v.Created) == 0 || Millis(v.Expires) == 0 {
		return false, t.require(errNoTime)
	}
	if v.Sealed == nil {
		v.Sealed = []byte{}
	}
	due := Millis(or(v.Due, v.Created))
	if v.Unsent {
		due = 0
	}
	return t.Get(addDelivery, nil, v.ID, v.Kind, v.Target, v.Localpart, v.Language, v.Sealed, Millis(v.Created),
		Millis(v.Expires), due, v.countedAs(), v.Asker)
}

// countedAs is what a Limit takes for the target.
func (v Delivery) countedAs() string { return or(v.Counted, v.Target) }

// Limit is how many deliveries of one kind may go to one target in a time.
type Limit struct {
	Count int
	In    time.Duration // at most keepDeliveries
	Of    Counting
}

// Counting is which deliveries of the kind a limit counts.
type Counting int

// What is counted.
const (
	ToTarget  Counting = iota // those to the target
	ByAsker                   // those to the target for which the same one has asked
	Requested                 // all for which anybody has asked, to whatever target
)

// keepDeliveries is how long a delivery is remembered after it has expired: of the same id none is sent again, and it
// counts against a Limit.
const keepDeliveries = 24 * time.Hour

// scope is that of a write which counts what is like a delivery.
func (v Delivery) scope() scope {
	return onRow(v.ID).with("deliveries to", v.countedAs()).with("deliveries of", v.Kind)
}

// DeliverAtMost is Deliver unless so many of the kind were written for the target already, by whatever replica: then it
// says ErrFull. It is exact if the transaction is the only one that counts what goes to the target.
func (t *Tx) DeliverAtMost(v Delivery, limits ...Limit) (bool, error) {
	for _, l := range limits {
		n, err := t.countFor(l, v)
		if err == nil && n >= l.Count {
			err = ErrFull
		}
		if err != nil {
			return false, err
		}
	}
	return t.Deliver(v)
}

// countFor counts what a limit says of a delivery, of those that are kept still.
func (t *Tx) countFor(l Limit, v Delivery) (n int, err error) {
	after := v.Created.Add(-l.In)
	switch l.Of {
	case ByAsker:
		_, err = t.Get(countAskers, []any{&n}, v.countedAs(), Millis(after), v.Kind, v.Asker)
	case Requested:
		_, err = t.Get(countAsked, []any{&n}, v.Kind, Millis(after))
	default:
		_, err = t.Get(countDeliveries, []any{&n}, v.countedAs(), Millis(after), v.Kind)
	}
	return n, err
}

// DeliverAsked writes a delivery that somebody has asked for and, in the same transaction, the interaction that it is
// about, if there is one: a new one if its version is 0, as AddInteraction does, else as SaveInteraction does, with
// another end. One delivery too many is written as well, so that whoever asks does not hear of it by the time that it
// takes: it is not sent, does not count, and goes with the next tidying. ErrConflict if the interaction is not as it
// was; then nothing is written. Or if there is a delivery of that id, which one with an interaction must not meet.
func (d *DB) DeliverAsked(ctx context.Context, v Delivery, about *Asked, limits ...Limit) (full bool, err error) {
	s := v.scope()
	if about != nil {
		s = s.with("interactions", about.Kind)
	}
	return write(ctx, d, s, func(t *Tx) (full bool, err error) {
		if err := t.keepAsked(about); err != nil {
			return false, err
		}
		written, err := t.DeliverAtMost(v, limits...)
		if full = errors.Is(err, ErrFull); full {
			v.Unsent, v.Counted, v.Asker, v.Expires = true, none, "", v.Created.Add(-keepDeliveries)
			written, err = t.Deliver(v)
		}
		if err == nil && !written {
			err = ErrConflict
		}
		return full, err
	})
}

// none is the target of what does not count.
const none = "none"

// Asked is an interaction that waits for somebody to get a delivery.
type Asked struct {
	Interaction
	Now  time.Time // for AddInteraction
	Most int
}

// keepAsked adds an interaction or saves it.
func (t *Tx) keepAsked(a *Asked) error {
	if a == nil {
		return nil
	}
	if a.Version == 0 {
		i := a.Interaction
		i.Version = 1
		return t.addInteraction(i, a.Now, a.Most)
	}
	return t.renewInteraction(a.Interaction)
}

// To are the deliveries to the targets that begin so, such as "mailto:"; empty: all. Each sender sends to some targets
// and leaves the others alone.
type To string

// pattern is To for LIKE.
func (to To) pattern() string { return string(to) + "%" }

// ClaimDeliveries gives up to most deliveries that are due to a sender, who has them until then. Nobody else gets them
// before.
func (d *DB) ClaimDeliveries(ctx context.Context, to To, holder string, now, until time.Time, most int) ([]Delivery,
	error) {
	return write(ctx, d, scope{}.with("deliveries", ""), func(t *Tx) ([]Delivery, error) {
		return listIn(t, claimDeliveries, scanDelivery, Millis(now), holder, Millis(until), most, to.pattern())
	})
}

// SettleDelivery says what became of a delivery that a sender has claimed: it was sent, or given up (a zero time), or
// is due again then, because of an error. ErrConflict if the sender does not have it any more.
func (d *DB) SettleDelivery(ctx context.Context, id, holder string, again time.Time, failure string) error {
	return d.must(ctx, onRow(id), ErrConflict, func(t *Tx) (bool, error) {
		return t.Get(settleDelivery, nil, id, holder, Millis(again), Clip(failure, maxDeliveryError), []byte{})
	})
}

// RetryDeliveries makes due what waits for another try and is in nobody's hands.
func (d *DB) RetryDeliveries(ctx context.Context, to To, now time.Time) error {
	return d.exec(ctx, scope{}.with("deliveries", ""), retryDeliveries, Millis(now), to.pattern())
}

// ReleaseDeliveries takes back what senders have claimed, which must all be gone.
func (d *DB) ReleaseDeliveries(ctx context.Context, to To) error {
	return d.exec(ctx, scope{}.with("deliveries", ""), releaseDeliveries, to.pattern())
}

// maxDeliveryError bounds what is kept of an error, in bytes.
const maxDeliveryError = 500

// WaitingDeliveries counts those that wait, and says since when the oldest does. What is planned for later does not.
func (d *DB) WaitingDeliveries(ctx context.Context, to To, now time.Time) (n int, since time.Time, err error) {
	var oldest int64
	_, err = d.Get(ctx, waitingDeliveries, []any{&n, &oldest}, Millis(now), to.pattern())
	return n, FromMillis(oldest), err
}

// Deliveries lists those that wait or are planned, the oldest first, at most so many.
func (d *DB) Deliveries(ctx context.Context, now time.Time, most int) ([]Delivery, error) {
	return list(ctx, d, waitDeliveries, scanDelivery, Millis(now), most)
}

// NextDelivery is when the next one is due that nobody has claimed, or whose claim ends; zero: none waits.
func (d *DB) NextDelivery(ctx context.Context, to To) (time.Time, error) {
	var at int64
	_, err := d.Get(ctx, nextDelivery, []any{&at}, to.pattern())
	return FromMillis(at), err
}
