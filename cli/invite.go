package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
)

type inviteCmds struct {
	Add    inviteAdd    `cmd:"" help:"Make a registration token and print it."`
	List   inviteList   `cmd:"" help:"List the registration tokens."`
	Revoke inviteRevoke `cmd:"" help:"Revoke a registration token; registrations under way with it cannot finish either."`
}

type inviteAdd struct {
	Uses    int64         `default:"1" help:"How many accounts may be made with it; 0: any number."`
	Expires time.Duration `default:"168h" help:"How long it is good; 0: for ever."`
	Token   string        `placeholder:"TEXT" help:"The token itself; a random one without it."`
	inviteLink
}

// inviteLink is where people can make an account with a token.
type inviteLink struct {
	PublicURL string `name:"public-url" env:"POSTERN_PUBLIC_URL" placeholder:"URL" help:"Where the server is found, as serve has it: prints links as well, to a page that is served with the OAuth 2.0 API."`
}

func (l inviteLink) problem() error { return webURL("--public-url", l.PublicURL) }

// public is the server's address, without a slash at its end.
func (l inviteLink) public() string { return strings.TrimSuffix(l.PublicURL, "/") }

// Help is shown by `postern invite add --help`.
func (*inviteAdd) Help() string {
	return `The server has to run with --registration token, or with approval, where whoever is invited does
not wait. With a public URL a link follows the token: it leads to the page on which an account is made.
That page is part of the OAuth 2.0 API, which serve has with a --public-url, but not with --oauth off.

Examples:
  postern invite add
  postern invite add --public-url https://matrix.example.org
  postern invite add --uses 20 --expires 72h --token open-day`
}

// Run makes a token.
func (cmd *inviteAdd) Run(ctx context.Context, w world, c *common) error {
	token := cmd.Token
	if token == "" {
		token = rand.Text()
	}
	switch {
	case !handlers.IsRegistrationToken(token):
		return errors.New("a registration token has 1 to 64 of A-Z a-z 0-9 . _ ~ -")
	case cmd.Uses < 0 || cmd.Expires < 0:
		return errors.New("--uses and --expires cannot be below 0")
	case cmd.problem() != nil:
		return cmd.problem()
	}
	r := db.RegistrationToken{Token: token, UsesAllowed: cmd.Uses, Created: time.Now()}
	if cmd.Expires > 0 {
		r.Expires = r.Created.Add(cmd.Expires)
	}
	return c.open(ctx, func(d *db.DB) error {
		err := d.AddRegistrationToken(ctx, r)
		if errors.Is(err, db.ErrConflict) {
			return fmt.Errorf("the token %q exists already; `postern invite list` shows it", token)
		}
		if err == nil {
			fmt.Fprintln(w.stdout, token)
			if cmd.PublicURL != "" {
				fmt.Fprintln(w.stdout, handlers.InvitationLink(cmd.PublicURL, token))
			}
		}
		return err
	})
}

type inviteList struct {
	listFlags
	inviteLink
}

// Help is shown by `postern invite list --help`.
func (*inviteList) Help() string {
	return `Examples:
  postern invite list
  postern invite list --format json
  postern invite list --public-url https://matrix.example.org`
}

// Run lists the tokens, and with a public URL the links of those that are good.
func (cmd *inviteList) Run(ctx context.Context, w world, c *common) error {
	if err := cmd.problem(); err != nil {
		return err
	}
	return c.existing(ctx, func(d *db.DB) error {
		shapes := c.shapes()
		shapes.PublicURL = cmd.PublicURL
		tokens, err := d.RegistrationTokens(ctx, shapes.Now)
		if err != nil {
			return err
		}
		heading := "TOKEN STATE ALLOWED USED RESERVED EXPIRES CREATED"
		if cmd.PublicURL != "" {
			heading += " LINK"
		}
		l := cmd.listing(w.stdout, heading)
		for _, t := range tokens {
			shown := shapes.Invitation(t)
			row := []string{
				t.Token, string(shown.State), allowed(t.UsesAllowed), strconv.FormatInt(t.Used, 10),
				strconv.FormatInt(t.Reserved, 10), when(t.Expires), when(t.Created)}
			if cmd.PublicURL != "" {
				row = append(row, cell(shown.Link))
			}
			l.add(shown, row...)
		}
		return l.end(nil)
	})
}

func allowed(uses int64) string {
	if uses == 0 {
		return "any"
	}
	return strconv.FormatInt(max(uses, 0), 10)
}

type inviteRevoke struct {
	Token string `arg:"" help:"The token."`
}

// Run revokes a token.
func (cmd *inviteRevoke) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		err := d.RevokeRegistrationToken(ctx, cmd.Token, time.Now())
		if errors.Is(err, db.ErrNotFound) {
			return fmt.Errorf("there is no registration token %q; `postern invite list` shows them", cmd.Token)
		}
		if err == nil {
			fmt.Fprintf(w.stdout, "%s is revoked\n", cmd.Token)
		}
		return err
	})
}
