package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"postern/db"
)

type backupCmd struct {
	File string `arg:"" help:"Where the backup goes: a new file."`
}

// Help is shown by 'postern backup --help'.
func (*backupCmd) Help() string {
	return `The backup holds everything as it is at one moment, whichever engine the database has, and is always
a SQLite file. The server may run meanwhile, and nobody waits for the backup. A file that exists is
refused. The master key is not in the backup, on purpose: whoever has both can mint every token.

Examples:
  postern backup /backup/postern-$(date +%F).db --db /var/lib/postern/postern.db
  POSTERN_DB=postgres://postern@db.example.org/postern postern backup postern-backup.db

To restore it, stop the server and, for a file or for an empty PostgreSQL:
  mv postern.db* "$(mktemp -d -p . before.XXXXXX)" && cp FILE postern.db
  postern db copy FILE postgres://postern@db.example.org/postern --keep-source
A session that was refreshed since the backup goes on, and one that began since is soft-logged-out.
Logouts, locks and new passwords since are undone: docs/backup.md.`
}

// Run makes the backup and says what is in it.
func (cmd *backupCmd) Run(ctx context.Context, w world, c *common) error {
	if err := c.mustExist(); err != nil {
		return err
	}
	progress := &copyProgress{to: w.stderr}
	copied, err := db.Backup(ctx, db.CopyConfig{From: c.DB, To: cmd.File, Progress: progress.step})
	if err != nil {
		if errors.Is(err, db.ErrConflict) {
			err = fmt.Errorf("%s exists already, and a backup never replaces anything; name another file", cmd.File)
		}
		return err
	}
	if err := reportCopied(w.stdout, copied); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout,
		"\n%s holds all of %s, compared and checked. The master key is not in it: keep %s and the master key apart, "+
			"and both safe.\n",
		cmd.File, c.path(), cmd.File)
	return err
}

// reportCopied shows what was copied.
func reportCopied(to io.Writer, copied db.Copied) error {
	var rows [][]string
	for _, t := range copied.Tables {
		rows = append(rows, []string{t.Table, strconv.Itoa(t.Rows)})
	}
	return table(to, "TABLE ROWS", rows)
}

// copyProgress shows that long work goes on, a line every second.
type copyProgress struct {
	to          io.Writer
	table       string
	began, last time.Time // of the table, and of the last line
}

func (p *copyProgress) step(table string, done, rows int) {
	now := time.Now()
	if table != p.table {
		p.table, p.began, p.last = table, now, now
	}
	spent := now.Sub(p.began)
	if now.Sub(p.last) < time.Second && (done < rows || spent < time.Second) {
		return
	}
	p.last = now
	fmt.Fprintf(p.to, "%s: %d of %d rows, %.0f/s\n", table, done, rows, float64(done)/spent.Seconds())
}
