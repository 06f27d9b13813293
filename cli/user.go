package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"postern/db"
	"postern/handlers"
)

type userCmds struct {
	Add        userAdd        `cmd:"" help:"Add an account."`
	List       userList       `cmd:"" help:"List the accounts."`
	Passwd     userPasswd     `cmd:"" help:"Give an account a new password; its sessions end."`
	Deactivate userDeactivate `cmd:"" help:"Deactivate an account; its sessions end and nobody can log in."`
	Reactivate userReactivate `cmd:"" help:"Let a deactivated account log in again, with the password it had."`
	Lock       userLock       `cmd:"" help:"Lock an account: its sessions and devices stay, but nothing works until it is unlocked."`
	Unlock     userUnlock     `cmd:"" help:"Unlock an account; its sessions go on."`
	Admin      userAdmin      `cmd:"" help:"Say whether an account may administer the homeserver behind."`
	Import     userImport     `cmd:"" help:"Move accounts here from Synapse, Dendrite or a CSV file."`
	LoginLink  userLoginLink  `cmd:"" help:"Print a token that logs a new device in, once."`
}

// passwordInput is how a command gets a password: never from a flag, where every process could read it.
type passwordInput struct {
	PasswordStdin bool `help:"Read the password from standard input; without it, a terminal is asked twice."`
}

// read gives the password, or says how to pass one.
func (p passwordInput) read(ctx context.Context, w world) (string, error) {
	file, _ := w.stdin.(*os.File)
	if !p.PasswordStdin && (file == nil || !term.IsTerminal(int(file.Fd()))) {
		return "", errors.New("standard input is not a terminal; pipe the password in and add --password-stdin")
	}
	password, err := readPassword(ctx, w, file, p.PasswordStdin)
	switch {
	case err != nil:
		return "", err
	case len(password) == 0:
		return "", errors.New("the password is empty; nothing was changed")
	case !utf8.Valid(password):
		return "", errors.New("the password is not valid UTF-8, so no client could send it; nothing was changed")
	}
	return string(password), nil
}

func readPassword(ctx context.Context, w world, terminal *os.File, pipe bool) ([]byte, error) {
	if pipe {
		text, err := io.ReadAll(io.LimitReader(w.stdin, 64<<10))
		text = bytes.TrimSuffix(text, []byte("\n"))
		return bytes.TrimSuffix(text, []byte("\r")), err
	}
	first, err := prompt(ctx, w, terminal, "Password: ")
	if err != nil {
		return nil, err
	}
	second, err := prompt(ctx, w, terminal, "The same again: ")
	if err == nil && !bytes.Equal(first, second) { // both were typed here: there is no secret to guess
		err = errors.New("the two passwords differ; nothing was changed")
	}
	return first, err
}

// prompt reads a line without showing it. Ctrl-C ends it, and the terminal is left as it was.
func prompt(ctx context.Context, w world, terminal *os.File, text string) ([]byte, error) {
	before, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return nil, err
	}
	fmt.Fprint(w.stderr, text)
	defer fmt.Fprintln(w.stderr)
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(int(terminal.Fd()))
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done():
		return nil, errors.Join(errors.New("interrupted; nothing was changed"),
			term.Restore(int(terminal.Fd()), before))
	}
}

type userAdd struct {
	passwordInput
	Name string `arg:"" help:"Localpart, or whole user id."`
}

// Help is shown by `postern user add --help`.
func (*userAdd) Help() string {
	return `Examples:
  postern user add alice
  pass show matrix/alice | postern user add alice --password-stdin`
}

// Run adds the account. The server, if it runs, knows it at once.
func (cmd *userAdd) Run(ctx context.Context, w world, c *common) error {
	name := handlers.Localpart(cmd.Name, c.ServerName)
	if err := handlers.CheckLocalpart(name, c.ServerName); err != nil {
		return fmt.Errorf("%q cannot be added to %s: %w", cmd.Name, c.ServerName, err)
	}
	hash, err := cmd.hash(ctx, w)
	if err != nil {
		return err
	}
	return c.open(ctx, func(d *db.DB) error {
		err := d.CreateUser(ctx, db.User{Localpart: name, PasswordHash: hash, Created: time.Now()})
		if errors.Is(err, db.ErrConflict) {
			return fmt.Errorf("%s exists already; `postern user passwd %s` gives it a new password", name, name)
		}
		if err == nil {
			fmt.Fprintf(w.stdout, "added %s\n", handlers.NewUserID(name, c.ServerName))
		}
		return err
	})
}

func (p passwordInput) hash(ctx context.Context, w world) (string, error) {
	password, err := p.read(ctx, w)
	if err != nil {
		return "", err
	}
	return handlers.HashPassword(password)
}

type userList struct{}

// Run lists the accounts with the number of their sessions.
func (*userList) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		users, err := d.Users(ctx)
		if err != nil {
			return err
		}
		sessions, err := d.Sessions(ctx, "")
		if err != nil {
			return err
		}
		count := make(map[string]int)
		for _, s := range sessions {
			count[s.Localpart]++
		}
		var rows [][]string
		for _, u := range users {
			state := "active"
			switch {
			case !u.Deactivated.IsZero():
				state = "deactivated"
			case !u.Locked.IsZero():
				state = "locked"
			}
			rows = append(rows, []string{
				string(handlers.NewUserID(u.Localpart, c.ServerName)), state, when(u.Created),
				strconv.Itoa(count[u.Localpart]), yes(u.Admin)})
		}
		return table(w.stdout, "USER STATE CREATED SESSIONS ADMIN", rows)
	})
}

// yes is a mark in a table.
func yes(is bool) string {
	if is {
		return "yes"
	}
	return "-"
}

type userPasswd struct {
	passwordInput
	Name         string `arg:"" help:"Localpart, or whole user id."`
	KeepSessions bool   `help:"Leave the sessions of the account as they are."`
}

// Run sets the password. Sessions end by default, since a new password often means that the old one leaked.
func (cmd *userPasswd) Run(ctx context.Context, w world, c *common) error {
	hash, err := cmd.hash(ctx, w)
	if err != nil {
		return err
	}
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		ended, err := d.ChangePassword(ctx, db.PasswordChange{Localpart: name, Hash: hash, EndOthers: !cmd.KeepSessions})
		if err == nil {
			fmt.Fprintf(w.stdout, "%s has a new password; %s ended\n", name, plural(ended, "session"))
		}
		return err
	})
}

type userDeactivate struct {
	Name  string `arg:"" help:"Localpart, or whole user id."`
	Erase bool   `help:"Let the homeserver behind forget the user as far as it can: new members of rooms do not see what they wrote."`
}

// Run deactivates the account.
func (cmd *userDeactivate) Run(ctx context.Context, w world, c *common) error {
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		deactivate := d.Deactivate
		if cmd.Erase {
			deactivate = d.Erase
		}
		ended, err := deactivate(ctx, name, time.Now())
		if err == nil {
			fmt.Fprintf(w.stdout, "%s is deactivated; %s ended\n", name, plural(ended, "session"))
		}
		return err
	})
}

type userReactivate struct {
	Name string `arg:"" help:"Localpart, or whole user id."`
}

// Run reactivates the account.
func (cmd *userReactivate) Run(ctx context.Context, w world, c *common) error {
	return c.account(ctx, cmd.Name, func(d *db.DB, name string) error {
		err := d.Reactivate(ctx, name)
		if err == nil {
			fmt.Fprintf(w.stdout, "%s is active\n", name)
		}
		return err
	})
}

// account opens the database for work on one account, and says so when there is none of that name.
func (c *common) account(ctx context.Context, name string, do func(d *db.DB, localpart string) error) error {
	return c.existing(ctx, func(d *db.DB) error {
		localpart, err := c.localpart(ctx, d, name)
		if err == nil {
			err = do(d, localpart)
		}
		if errors.Is(err, db.ErrNotFound) {
			return fmt.Errorf("there is no account %q on %s; `postern user list` shows them", name, c.ServerName)
		}
		return err
	})
}
