package cli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"postern/db"
	"postern/homeserver/imported"
	"postern/homeserver/importer"
)

// lookAtSource looks whether Synapse has given tokens since its sessions were imported: whoever has one would be logged
// out by the first request. As long as nobody has a session of Postern's own, that is an error, since not to start
// harms nobody yet. Later it is a warning. Where the source cannot be read, as by a user of Postern's own, only that is
// logged.
func (c *common) lookAtSource(ctx context.Context, d *db.DB, log *slog.Logger) error {
	last, err := importer.LastSource(ctx, d)
	if err != nil || last.From == "" {
		return err
	}
	looking, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	now, err := last.Look(looking)
	if err != nil {
		log.Info("whether Synapse has given tokens since the import was not looked at; `postern synapse doctor` does",
			"error", err)
		return nil
	}
	news := now.Since(last)
	if news == "" {
		return nil
	}
	what := fmt.Sprintf("Synapse gave tokens after the last import (%s); whoever has one would be logged out and lose "+
		"encryption keys. Stop Synapse, run this, and start again:\n"+
		"  postern user import %s --sessions --since-last --db %s", news, shellWord(last.From), shellWord(c.path()))
	made, err := imported.MadeSince(ctx, d)
	if err == nil && made.Sessions == 0 {
		return fmt.Errorf("%s", what)
	}
	log.Warn(what)
	return err
}
