package importer

import (
	"context"
	"errors"
	"time"

	"postern/db"
)

// movedOut is the setting that says since when Synapse has its accounts again. The database knows nothing of what
// Synapse does with them from then on, and a later import cannot bring that: it leaves alone what was done here. A
// session that began at Synapse meanwhile, on a device that has one here, would be ended.
const movedOut = "moved_out"

// MarkMovedOut notes that Synapse has its accounts again.
func MarkMovedOut(ctx context.Context, d *db.DB, now time.Time) error {
	return d.SetSetting(ctx, movedOut, now.UTC().Format(time.RFC3339))
}

// MovedOut is the time at which Synapse got its accounts again; empty if it did not.
func MovedOut(ctx context.Context, d *db.DB) (since string, err error) {
	since, err = d.Setting(ctx, movedOut)
	if errors.Is(err, db.ErrNotFound) {
		return "", nil
	}
	return since, err
}
