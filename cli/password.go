package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"

	"postern/handlers"
	"postern/passwords"
)

// passwordInput is how a command gets a password: never from a flag, where every process could read it.
type passwordInput struct {
	PasswordStdin bool `help:"Read the password from standard input; without it, a terminal is asked twice."`
	passwordFlags
}

// passwordFlags say what a new password must be.
type passwordFlags struct {
	PasswordMin      int      `name:"password-min-length" default:"8" env:"POSTERN_PASSWORD_MIN_LENGTH" help:"Characters that a new password must have."`
	PasswordNeeds    []string `env:"POSTERN_PASSWORD_NEEDS" placeholder:"KINDS" help:"Kinds of characters that a new password must have, of digit, symbol, uppercase, lowercase; separated by commas."`
	PasswordStrength int      `default:"3" env:"POSTERN_PASSWORD_STRENGTH" help:"How hard a new password must be to guess, from 0 (off) to 4 (zxcvbn)."`
	LeakedPasswords  string   `env:"POSTERN_LEAKED_PASSWORDS" placeholder:"FILE" help:"List of leaked passwords that nobody may choose: the SHA-1 file of Have I Been Pwned, sorted by hash."`
}

// rules are what the flags say. The list of leaked passwords is nil if there is none.
func (f passwordFlags) rules() (rules handlers.PasswordRules, leaked *passwords.Leaked, err error) {
	var p flagErrors
	rules = handlers.PasswordRules{Length: f.PasswordMin, Strength: f.PasswordStrength}
	if f.PasswordMin < 1 || f.PasswordMin > 512 {
		p.add(fmt.Errorf("--password-min-length \"%d\" is not between 1 and 512", f.PasswordMin))
	}
	if f.PasswordStrength < 0 || f.PasswordStrength > 4 {
		p.add(fmt.Errorf("--password-strength \"%d\" is not between 0 and 4", f.PasswordStrength))
	}
	if rules.Needs, err = handlers.ParsePasswordNeeds(f.PasswordNeeds); err != nil {
		p.add(fmt.Errorf("--password-needs: %w", err))
	}
	if f.LeakedPasswords != "" {
		if leaked, err = passwords.OpenLeaked(f.LeakedPasswords); err != nil {
			p.add(fmt.Errorf("--leaked-passwords: %w", err))
		}
	}
	return rules, leaked, errors.Join(p...)
}

// lookUp looks passwords up in a list of leaked ones. A password counts as none while the list cannot be read.
func lookUp(list *passwords.Leaked, unread func(error)) func(password string) bool {
	if list == nil {
		return nil
	}
	return func(password string) bool {
		has, err := list.Has(password)
		if err != nil {
			unread(err)
		}
		return has
	}
}

// read gives the password of an account, or says how to pass one.
func (p passwordInput) read(ctx context.Context, w world, user handlers.UserID) (string, error) {
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
	return string(password), p.judge(w, string(password), user)
}

// judge refuses a password as the server does.
func (p passwordInput) judge(w world, password string, user handlers.UserID) error {
	rules, leaked, err := p.rules()
	if err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	if leaked != nil {
		defer leaked.Close()
	}
	rules.Leaked = lookUp(leaked, func(err error) {
		fmt.Fprintf(w.stderr, "warning: the password was not looked up among the leaked ones: %v\n", err)
	})
	if err := rules.Check(password, user); err != nil {
		return fmt.Errorf("%w; --password-min-length, --password-needs, --password-strength and --leaked-passwords "+
			"say what is taken; nothing was changed", err)
	}
	return nil
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

func (p passwordInput) hash(ctx context.Context, w world, user handlers.UserID) (string, error) {
	password, err := p.read(ctx, w, user)
	if err != nil {
		return "", err
	}
	return handlers.HashPassword(password)
}
