package doctor

import (
	"context"
	"errors"
	"path/filepath"

	"postern/homeserver/delegation"
	"postern/homeserver/importer"
	"postern/homeserver/outbox"
	"postern/homeserver/reconcile"
)

// settleFix is what to do about most differences.
const settleFix = "`postern synapse sync`, with the same files, settles it; --dry-run shows what it would do"

// Source is Synapse's database, where its configuration says that it is.
func Source(synapse *delegation.Config) (importer.Config, error) {
	database, err := synapse.Database()
	if err != nil {
		return importer.Config{}, err
	}
	c := importer.Config{From: database.Args["database"], Format: importer.Synapse, ServerName: synapse.ServerName()}
	if database.Engine == "psycopg2" {
		c.From = database.URL()
	} else if !filepath.IsAbs(c.From) {
		return c, errors.New("database.args.database " + c.From +
			" is not a whole path, and where Synapse runs is not known")
	}
	return c, nil
}

// standing finds what the two sides say of the same users, and what Synapse will not be told. What it cannot read
// accounts has said.
func (x *examination) standing(ctx context.Context) {
	if x.DB == nil || x.MovedOut != nil || !x.delegated {
		return
	}
	queue := &outbox.Queue{DB: x.DB}
	source, err := Source(x.Synapse)
	if err != nil {
		return
	}
	differences, err := reconcile.Compare(ctx, queue, source)
	if err != nil {
		return
	}
	users := make(map[reconcile.Kind][]string)
	for _, d := range differences {
		users[d.Kind] = append(users[d.Kind], d.Localpart)
	}
	for _, c := range []struct {
		kind reconcile.Kind
		what string
	}{
		{reconcile.Deactivated, " deactivated at Synapse and open at Postern"},
		{reconcile.Locked, " locked at Synapse and not at Postern"},
		{reconcile.NotLocked, " locked at Postern and not at Synapse"},
		{reconcile.Emails, " with other mail addresses at Synapse than at Postern"},
	} {
		if names := users[c.kind]; len(names) > 0 {
			x.warn(some(names, "account")+c.what, settleFix)
		}
	}
	x.stuck(ctx, queue)
}

// stuck finds what Synapse refuses or fails at.
func (x *examination) stuck(ctx context.Context, queue *outbox.Queue) {
	const many = 8 // tries in vain; a homeserver that is away for a moment is none
	waiting, err := queue.List(ctx)
	if err != nil {
		x.problem(err.Error(), "see --db")
		return
	}
	var names []string
	why := ""
	for _, w := range waiting {
		if w.Refused || w.Tries >= many {
			names = append(names, w.Localpart+" "+w.DeviceID)
			why = w.Error
		}
	}
	if len(names) > 0 {
		x.warn(some(names, "change")+" that Synapse does not take, at last: "+why,
			"`postern synapse outbox` lists them with the reasons; each is tried again by itself")
	}
}
