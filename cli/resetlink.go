package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"postern/db"
	"postern/handlers"
)

type userResetLink struct {
	Name    string        `arg:"" help:"Localpart, or whole user id."`
	Expires time.Duration `default:"24h" help:"How long it is good, up to 168h."`
	inviteLink
}

// Help is shown by `postern user reset-link --help`.
func (*userResetLink) Help() string {
	return `For somebody who has forgotten their password, where the server sends no mail, or has no address of
theirs. Whoever has the link can give the account a new password, once; hand it over in private. It is over
with its time, and with any other new password. A second factor is still asked for when they sign in.
The link leads to a page of the OAuth 2.0 API, which serve has with a --public-url, but not with --oauth off.

Examples:
  postern user reset-link alice --public-url https://matrix.example.org
  postern user reset-link alice --public-url https://matrix.example.org --expires 2h`
}

// Run prints a link. The event reset_link tells of it.
func (cmd *userResetLink) Run(ctx context.Context, w world, c *common) error {
	switch {
	case cmd.Expires < time.Second || cmd.Expires > handlers.MaxLinkLife:
		return errors.New("--expires is not between 1s and 168h")
	case cmd.PublicURL == "":
		return errors.New("a link needs --public-url, the address by which people reach the server, as serve has it")
	case cmd.problem() != nil:
		return cmd.problem()
	}
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		user, err := d.User(ctx, name)
		if err != nil {
			return err
		}
		if err := mayLogIn(user); err != nil {
			return err
		}
		master, err := c.prepareKeys(ctx, w, d)
		if err != nil {
			return err
		}
		link, err := handlers.MakeResetLink(ctx, handlers.Config{DB: d, Master: master, Random: rand.Reader,
			PublicURL: cmd.public()}, user, time.Now().Add(cmd.Expires))
		if err != nil {
			return err
		}
		fmt.Fprintln(w.stdout, link)
		fmt.Fprintf(w.stderr, "Whoever has it can give %s a new password, once, for %s.\n",
			handlers.NewUserID(name, c.ServerName), cmd.Expires)
		return nil
	})
}
