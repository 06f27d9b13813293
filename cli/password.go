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
)

// passwordInput is how a command gets a password: never from a flag, where every process could read it.
type passwordInput struct {
	PasswordStdin bool     `help:"Read the password from standard input; without it, a terminal is asked twice."`
	PasswordNeeds []string `env:"POSTERN_PASSWORD_NEEDS" placeholder:"KINDS" help:"Kinds of characters that it must have, as for serve."`
	PasswordMin   int      `name:"password-min-length" default:"8" env:"POSTERN_PASSWORD_MIN_LENGTH" help:"Characters that the password must have, as for serve; a lower number allows a shorter one."`
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
	needs, err := handlers.ParsePasswordNeeds(p.PasswordNeeds)
	if err != nil {
		return "", fmt.Errorf("--password-needs %w; nothing was changed", err)
	}
	if err := handlers.CheckPassword(string(password), p.PasswordMin, needs); err != nil {
		return "", fmt.Errorf("%w, or --password-min-length and --password-needs must allow it; nothing was changed",
			err)
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

func (p passwordInput) hash(ctx context.Context, w world) (string, error) {
	password, err := p.read(ctx, w)
	if err != nil {
		return "", err
	}
	return handlers.HashPassword(password)
}
