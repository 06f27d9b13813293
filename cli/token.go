package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/tokens"
)

type tokenCmds struct {
	Issue    tokenIssue    `cmd:"" help:"Make a token for a bot, which opens what its caveats say, and print it once."`
	Inspect  tokenInspect  `cmd:"" help:"Show what a token says, without checking it."`
	Verify   tokenVerify   `cmd:"" help:"Check a token: signature, session and caveats."`
	Restrict tokenRestrict `cmd:"" help:"Append caveats to a token and print the narrower one; needs no key."`
}

// tokenArg is a token on the command line or, as -, on standard input, where no other process sees it.
type tokenArg struct {
	Token string `arg:"" help:"The token, or - to read it from standard input."`
}

func (t tokenArg) read(w world) (string, error) {
	if t.Token != "-" {
		return t.Token, nil
	}
	text, err := io.ReadAll(io.LimitReader(w.stdin, 64<<10))
	return strings.TrimSpace(string(text)), err
}

type tokenInspect struct{ tokenArg }

// Run shows a token. Whoever holds one can read it; that says nothing about whether it is good.
func (cmd *tokenInspect) Run(w world) error {
	text, err := cmd.read(w)
	if err != nil {
		return err
	}
	token, err := tokens.Decode(text)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "location    %s\nroot key    %d\nsession     %s\ngeneration  %d\n",
		handlers.Printable(token.Location()), token.KeyID(), handlers.Printable(token.Session()), token.Generation())
	for _, caveat := range token.Caveats() {
		fmt.Fprintf(w.stdout, "caveat      %s%s\n", handlers.Printable(caveat), inWords(caveat))
	}
	fmt.Fprintln(w.stdout, "(not checked; `postern token verify` does)")
	return nil
}

// inWords adds what a caveat's number means to a person.
func inWords(text string) string {
	if before, ok := tokens.Before([]string{text}); ok {
		return "  (until " + when(before) + " UTC)"
	}
	return ""
}

type tokenVerify struct {
	tokenArg
	Type   string `default:"access" enum:"access,refresh,login" help:"What the token is used as: access, refresh or login."`
	Method string `default:"GET" help:"Method of the request that the caveats are held against."`
	Path   string `default:"/_matrix/client/v3/account/whoami" help:"Its path."`
	Addr   string `default:"127.0.0.1" help:"The client's address."`
}

// Help is shown by `postern token verify --help`.
func (*tokenVerify) Help() string {
	return `The exit status is 0 when the token is good for the request, 1 when it is not. Nothing is changed: the
token does not count as used.

Examples:
  postern token verify - < token.txt
  postern token verify MDAx... --method POST --path /_matrix/client/v3/logout`
}

// Run checks a token as the server would.
func (cmd *tokenVerify) Run(ctx context.Context, w world, c *common) error {
	text, err := cmd.read(w)
	if err != nil {
		return err
	}
	addr, err := netip.ParseAddr(cmd.Addr)
	if err != nil {
		return fmt.Errorf("--addr %q is not an address", cmd.Addr)
	}
	return c.existing(ctx, func(d *db.DB) error {
		request := tokens.Request{Now: time.Now(), Method: cmd.Method, Path: handlers.Alias(cmd.Path), Addr: addr}
		claims, err := cmd.verify(ctx, w, c, d, text, request)
		if err != nil {
			return fmt.Errorf("the token is refused: %w", err)
		}
		fmt.Fprintf(w.stdout, "good\nuser        %s\ntype        %s\nsession     %s\ngeneration  %d\nexpires     %s\n",
			claims.UserID, claims.Type, claims.Session, claims.Generation, when(claims.Expires))
		return nil
	})
}

func (cmd *tokenVerify) verify(ctx context.Context, w world, c *common, d *db.DB, text string,
	r tokens.Request) (tokens.Claims, error) {
	master, err := c.masterKey(w, false)
	if err != nil {
		return tokens.Claims{}, err
	}
	ring, err := handlers.ReadKeyring(ctx, d, master)
	if err != nil {
		return tokens.Claims{}, err
	}
	token, err := tokens.Decode(text)
	if err != nil {
		return tokens.Claims{}, err
	}
	authentic, err := token.Authenticate(c.ServerName, ring)
	if err != nil {
		return tokens.Claims{}, err
	}
	session, _, err := d.Session(ctx, authentic.Session())
	if errors.Is(err, db.ErrNotFound) {
		return tokens.Claims{}, errors.New("its session has ended")
	}
	if err != nil {
		return tokens.Claims{}, err
	}
	if err := session.Accepts(authentic.Generation(), r.Now); err != nil {
		return tokens.Claims{}, err
	}
	r.DeviceID = session.DeviceID
	return authentic.Check(tokens.Type(cmd.Type), tokens.Caveats(), r)
}

type tokenRestrict struct {
	tokenArg
	Caveat []string `arg:"" sep:"none" help:"Caveats, each in quotes."`
}

// Help is shown by `postern token restrict --help`.
func (*tokenRestrict) Help() string {
	return `A caveat only takes away. A refresh token hands its caveats on to the pair that it is exchanged for.

Examples:
  postern token restrict MDAx... 'method in GET,HEAD' 'path under /_matrix/client/v3/sync'
  postern token restrict - 'addr in 192.0.2.0/24' 'time < 1790000000000' < token.txt`
}

// Run appends the caveats. Only their form is checked: another server may know keys that Postern does not.
func (cmd *tokenRestrict) Run(w world) error {
	text, err := cmd.read(w)
	if err != nil {
		return err
	}
	caveats := make([]tokens.Caveat, len(cmd.Caveat))
	for i, written := range cmd.Caveat {
		if caveats[i], err = tokens.ParseCaveat(written); err != nil {
			return err
		}
	}
	narrower, err := tokens.Restrict(text, caveats...)
	if err == nil {
		fmt.Fprintln(w.stdout, narrower)
	}
	return err
}
