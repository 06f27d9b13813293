package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"postern/db"
)

type sessionCmd struct {
	List   sessionList   `cmd:"" help:"List the sessions, of all accounts or of one."`
	End    sessionEnd    `cmd:"" help:"End sessions; the server refuses their tokens at once."`
	Events sessionEvents `cmd:"" help:"Show the audit events: logins, logouts, changes of accounts, replays."`
}

type sessionList struct {
	listFlags
	Name string `arg:"" optional:"" help:"Localpart, or whole user id; all accounts without it."`
}

// Help is shown by `postern session list --help`.
func (*sessionList) Help() string {
	return `Examples:
  postern session list alice
  postern session list --format json | jq -r '.[] | select(.bot) | [.user_id, .display_name] | @tsv'`
}

// Run lists sessions. No token is shown: none is kept.
func (cmd *sessionList) Run(ctx context.Context, w world, c *common) error {
	return c.accountOrAll(ctx, cmd.Name, func(d *db.DB, name string) error {
		t := cmd.listing(w.stdout, "SESSION USER DEVICE STATE GENERATION CREATED LAST-SEEN ADDRESS NAME")
		show := func(s db.Session) error {
			shown := c.shapes().Session(s)
			return t.add(shown, s.ID, shown.UserID, s.DeviceID, string(shown.State), generation(s), when(s.Created),
				when(s.Seen.At), s.Seen.Addr, s.DisplayName)
		}
		if name == "" {
			return t.end(d.EachSession(ctx, show))
		}
		sessions, err := d.Sessions(ctx, name)
		for _, s := range sessions {
			_ = show(s) // end gives its error
		}
		return t.end(err)
	})
}

// generation is which tokens a session has: those that another server gave have no number here, and a bot has one token
// for ever.
func generation(s db.Session) string {
	switch {
	case s.Imported:
		return "imported"
	case s.Scope == db.ScopeAdmin:
		return "admin token"
	case s.Bot:
		return "token"
	}
	return strconv.FormatInt(s.Generation, 10)
}

// accountOrAll opens the database for work on one account or, without a name, on all; the localpart is then empty.
func (c *common) accountOrAll(ctx context.Context, name string, do func(d *db.DB, localpart string) error) error {
	if name == "" {
		return c.existing(ctx, func(d *db.DB) error { return do(d, "") })
	}
	return c.account(ctx, name, func(d *db.DB, localpart string) error {
		if _, err := d.User(ctx, localpart); err != nil {
			return err
		}
		return do(d, localpart)
	})
}

type sessionEnd struct {
	ID     []string `arg:"" optional:"" help:"Session ids, as 'session list' shows them."`
	User   string   `help:"End sessions of this account instead: all, or that of --device." placeholder:"NAME"`
	Device string   `help:"With --user: the device." placeholder:"ID"`
}

// Help is shown by `postern session end --help`.
func (*sessionEnd) Help() string {
	return `Examples:
  postern session end 7WBK2T5VXQ6M3JZ4HPLNRC5DYE
  postern session end --user alice --device GHTYAJCE
  postern session end --user alice`
}

// Run ends the sessions that were named.
func (cmd *sessionEnd) Run(ctx context.Context, w world, c *common) error {
	if (len(cmd.ID) == 0) == (cmd.User == "") || cmd.Device != "" && cmd.User == "" {
		return errors.New("name either session ids, or --user NAME with an optional --device ID")
	}
	if cmd.User == "" {
		return c.existing(ctx, func(d *db.DB) error { return endSessions(ctx, w, d, cmd.ID) })
	}
	return c.account(ctx, cmd.User, func(d *db.DB, name string) error {
		if cmd.Device != "" {
			err := d.EndDevice(ctx, name, cmd.Device)
			if errors.Is(err, db.ErrNotFound) {
				return fmt.Errorf("%s has no device %q; `postern session list %s` shows them", name, cmd.Device, name)
			}
			return reported(w, 1, err)
		}
		if _, err := d.User(ctx, name); err != nil {
			return err
		}
		ended, err := d.EndSessions(ctx, name)
		return reported(w, ended, err)
	})
}

// endSessions ends all that exist and names those that do not: one typing error must not keep the rest alive.
func endSessions(ctx context.Context, w world, d *db.DB, ids []string) error {
	var problems []error
	ended := 0
	for _, id := range ids {
		switch err := d.EndSession(ctx, id); {
		case errors.Is(err, db.ErrNotFound):
			problems = append(problems, fmt.Errorf("there is no session %q; `postern session list` shows them", id))
		case err != nil:
			problems = append(problems, err)
		default:
			ended++
		}
	}
	return errors.Join(append(problems, reported(w, ended, nil))...)
}

func reported(w world, ended int, err error) error {
	if err == nil {
		fmt.Fprintf(w.stdout, "%s ended\n", plural(ended, "session"))
	}
	return err
}

type sessionEvents struct {
	listFlags
	Name string   `arg:"" optional:"" help:"Localpart, or whole user id; all accounts without it."`
	User string   `help:"The same, as a flag." placeholder:"NAME"`
	Last int      `default:"50" help:"How many, newest first."`
	Kind []string `help:"Only events of this kind, such as login; may be repeated." placeholder:"KIND"`
}

// Help is shown by `postern session events --help`.
func (*sessionEvents) Help() string {
	return `Logins, new devices, logouts, password changes, locks, deactivations, replayed refresh tokens,
sessions that were behind their tokens (caught_up), and what administrators did: each with the time,
and the address and client that asked for it, or the command. What nobody asked for has neither.

Examples:
  postern session events
  postern session events --user alice --last 200
  postern session events --kind replay --kind caught_up --format json`
}

// Run shows the audit events.
func (cmd *sessionEvents) Run(ctx context.Context, w world, c *common) error {
	if cmd.Name != "" && cmd.User != "" {
		return errors.New("name the account once, as an argument or with --user")
	}
	if kind, unknown := db.UnknownKind(cmd.Kind); unknown {
		return fmt.Errorf("no event is of the kind %q; the kinds are %s", kind, strings.Join(db.EventKinds, ", "))
	}
	return c.accountOrAll(ctx, cmp.Or(cmd.User, cmd.Name), func(d *db.DB, name string) error {
		events, err := d.EventPage(ctx, db.EventFilter{Localpart: name, Kinds: cmd.Kind}, db.Event{}, cmd.Last)
		if err != nil {
			return err
		}
		t := cmd.listing(w.stdout, "TIME EVENT USER DEVICE SESSION GENERATION ADDRESS AGENT")
		for _, e := range events {
			shown := c.shapes().Event(e)
			t.add(shown, when(e.At), e.Kind, cell(shown.UserID), e.DeviceID, e.Session, cell(shown.Generation), e.Addr,
				e.Agent)
		}
		return t.end(nil)
	})
}
