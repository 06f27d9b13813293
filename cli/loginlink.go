package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"postern/db"
	"postern/handlers"
)

type userLoginLink struct {
	Name   string        `arg:"" help:"Localpart, or whole user id."`
	TTL    time.Duration `name:"ttl" default:"10m" help:"How long it is good."`
	Client string        `placeholder:"URL" help:"A web client to open with the token, such as https://app.example.org."`
}

// Help is shown by `postern user login-link --help`.
func (*userLoginLink) Help() string {
	return `Whoever has the token can log in as the user, once; hand it over in private. The server has to run
with --login-tokens.

Examples:
  postern user login-link alice
  postern user login-link alice --ttl 1h --client https://app.example.org`
}

// Run prints a login token, and a link when a client is named.
func (cmd *userLoginLink) Run(ctx context.Context, w world, c *common) error {
	if cmd.TTL < time.Second || cmd.TTL > handlers.MaxLoginTokenTTL {
		return errors.New("--ttl is not between 1s and 24h")
	}
	client, err := url.Parse(cmd.Client)
	if err != nil || cmd.Client != "" && client.Host == "" {
		return fmt.Errorf("--client %q is not a URL; write it like https://app.example.org", cmd.Client)
	}
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		user, err := d.User(ctx, name)
		if err != nil {
			return err
		}
		if err := mayLogIn(user); err != nil {
			return err
		}
		token, err := c.loginToken(ctx, w, d, name, time.Now().Add(cmd.TTL))
		if err != nil {
			return err
		}
		if err := d.Record(ctx, db.Event{Kind: db.EventLoginLink, Localpart: name}); err != nil {
			return err // what is printed is known to whoever looks at the events
		}
		if cmd.Client != "" {
			query := client.Query()
			query.Set("loginToken", token)
			client.RawQuery = query.Encode()
			fmt.Fprintln(w.stdout, client)
			return nil
		}
		fmt.Fprintln(w.stdout, token)
		fmt.Fprintf(w.stderr, "A client logs in with it by POST /_matrix/client/v3/login "+
			"{\"type\":\"m.login.token\",\"token\":\"…\"}, once, for %s.\n", cmd.TTL)
		return nil
	})
}

func (c *common) loginToken(ctx context.Context, w world, d *db.DB, name string, expires time.Time) (string, error) {
	master, err := c.prepareKeys(ctx, w, d)
	if err != nil {
		return "", err
	}
	ring, err := handlers.ReadKeyring(ctx, d, master)
	if err != nil {
		return "", err
	}
	return handlers.MintLoginToken(c.ServerName, ring, name, "."+rand.Text(), expires)
}

// mayLogIn is nil unless nobody can log in to an account. The error says what ends that.
func mayLogIn(user db.User) error {
	switch {
	case !user.Deactivated.IsZero():
		return fmt.Errorf("%s is deactivated, so nobody can log in; `postern user reactivate %s` opens it again",
			user.Localpart, user.Localpart)
	case !user.Locked.IsZero():
		return fmt.Errorf("%s is locked, so nobody can log in; `postern user unlock %s` ends that", user.Localpart,
			user.Localpart)
	}
	return nil
}
