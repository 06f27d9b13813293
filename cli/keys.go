package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"postern/db"
)

type keysCmd struct {
	List   keysList   `cmd:"" help:"List the root keys and how many sessions each carries."`
	Rotate keysRotate `cmd:"" help:"Make a new root key; new generations use it, older keys verify until they are retired."`
	Retire keysRetire `cmd:"" help:"Retire a root key: no token made with it is good any more."`
}

type keysList struct{ listFlags }

// Help is shown by `postern keys list --help`.
func (*keysList) Help() string {
	return `Examples:
  postern keys list
  postern keys list --format json`
}

// shownKey is a root key in JSON.
type shownKey struct {
	ID        int64  `json:"key_id"`
	State     string `json:"state"` // mints, verifies or retired
	CreatedTS int64  `json:"created_ts"`
	RetiredTS int64  `json:"retired_ts,omitempty"`
	Sessions  int    `json:"sessions"`
}

// Run lists the keys. What a key is made of is never shown.
func (cmd *keysList) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		keys, err := d.RootKeys(ctx)
		if err != nil {
			return err
		}
		newest := newestKey(keys)
		t := cmd.listing(w.stdout, "KEY STATE CREATED RETIRED SESSIONS")
		for _, k := range keys {
			use, err := d.SessionsOnKey(ctx, k.ID, time.Now())
			if err != nil {
				return err
			}
			state := "verifies"
			switch {
			case !k.Retired.IsZero():
				state = "retired"
			case k.ID == newest:
				state = "mints"
			}
			shown := shownKey{k.ID, state, db.Millis(k.Created), db.Millis(k.Retired), use.Sessions}
			t.add(shown, strconv.FormatInt(k.ID, 10), state, when(k.Created), when(k.Retired),
				strconv.Itoa(use.Sessions))
		}
		return t.end(nil)
	})
}

type keysRotate struct{}

// Run makes a root key. The server mints with it from the next request on.
func (*keysRotate) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		master, err := c.prepareKeys(ctx, w, d)
		if err != nil {
			return err
		}
		keys, err := d.RootKeys(ctx)
		if err != nil {
			return err
		}
		id, err := addKey(ctx, d.AddRootKey, master, keys)
		if err == nil {
			fmt.Fprintf(w.stdout, "root key %d mints from now on; retire the older ones when `postern keys list` "+
				"shows no sessions on them\n", id)
		}
		return err
	})
}

type keysRetire struct {
	ID    int64 `arg:"" help:"Number of the key, as 'keys list' shows it."`
	Force bool  `help:"Retire it although sessions hold tokens made with it; they have to log in again, and clients other than Element may lose their encryption keys."`
}

// Run retires a key. A session moves to the newest key when it is refreshed, so waiting costs nobody anything.
func (cmd *keysRetire) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		keys, err := d.RootKeys(ctx)
		if err != nil {
			return err
		}
		inForce := func(k db.RootKey) bool { return k.ID == cmd.ID && k.Retired.IsZero() }
		if !slices.ContainsFunc(keys, inForce) {
			return fmt.Errorf("there is no root key %d in force; `postern keys list` shows them", cmd.ID)
		}
		if cmd.ID == newestKey(keys) {
			return fmt.Errorf("root key %d is the one that mints; run `postern keys rotate` first", cmd.ID)
		}
		err = d.RetireRootKey(ctx, cmd.ID, time.Now(), cmd.Force)
		if errors.Is(err, db.ErrKeyInUse) {
			return cmd.inUse(ctx, d)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w.stdout, "root key %d is retired\n", cmd.ID)
		return err
	})
}

// inUse says how many sessions keep a key from being retired.
func (cmd *keysRetire) inUse(ctx context.Context, d *db.DB) error {
	use, err := d.SessionsOnKey(ctx, cmd.ID, time.Now())
	if err != nil {
		return err
	}
	advice := "wait until they have been refreshed"
	if use.Lasting > 0 {
		advice += fmt.Sprintf(" (%d cannot refresh, as tokens for bots never do, and have to end)", use.Lasting)
	}
	return fmt.Errorf("%s would have to log in again; %s, or add --force", plural(use.Sessions, "session"), advice)
}
