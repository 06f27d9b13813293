package homeserver

import (
	"context"
	"time"

	"postern/db"
	"postern/homeserver/outbox"
)

// SoftenGone logs a session out softly, with an event, because the homeserver does not have its device any more. It
// says whether it did: not if the homeserver has to be told of the device still, nor if the session is over already.
func SoftenGone(ctx context.Context, d *db.DB, session db.Session, now time.Time) (softened bool, err error) {
	err = d.WriteFor(ctx, session.Localpart, func(t *db.Tx) error {
		softened = false
		if waits, err := outbox.Untold(t, session.Localpart, session.DeviceID); waits || err != nil {
			return err
		}
		softened, err = t.Soften(db.Event{At: now, Kind: db.EventDeviceGone, Session: session.ID,
			Addr: session.Seen.Addr, Agent: session.Seen.Agent})
		return err
	})
	return softened, err
}
