package handlers

import (
	"context"
	"errors"

	"postern/db"
)

// countedAccount counts an attempt, waits for its turn, and finds the account whose password this is.
func (s *Server) countedAccount(ctx context.Context, a attempt) (db.User, error) {
	who, name := CallerOf(ctx), s.counted(a)
	if err := s.logins.takeAddress(who.Addr, who.Now); err != nil {
		return db.User{}, err
	}
	if a.email {
		a.device = "" // whether it is the account's would tell whose the mail address is
	}
	limited := s.logins.takeAccount(name, who.Now)
	if limited != nil && a.device == "" {
		return db.User{}, limited
	}
	account, err := s.meantBy(ctx, a)
	if err != nil {
		return db.User{}, err
	}
	from, err := s.turnOf(ctx, &account, a, limited)
	if err != nil {
		return db.User{}, err
	}
	return s.checkPassword(ctx, account, a.password, from)
}

// counted is what attempts at an account are counted by. With a mail address it is that, whether or not an account has
// it: a limit that it shared with a name would tell whose it is.
func (s *Server) counted(a attempt) string {
	if a.email {
		return "mail " + db.Clip(a.user, maxAddress)
	}
	return localpart(a.user, s.ServerName)
}

// meantBy finds the account that somebody wants to log in to. One that does not exist is empty. See [Server.account].
func (s *Server) meantBy(ctx context.Context, a attempt) (db.User, error) {
	if !a.email {
		return s.account(ctx, a.user)
	}
	e, err := s.DB.Email(ctx, a.user) // one that is no address nobody has
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return db.User{}, err
	}
	account, err := s.DB.User(ctx, e.Localpart)
	if errors.Is(err, db.ErrNotFound) {
		err = nil
	}
	return account, err
}

// turnOf is how a login waits for its turn. One on a device that the account has is told from those of strangers, who
// may be guessing: where it has to wait, or the account's limit is reached, it waits and is counted apart from them.
// Strangers are also counted together, by whichever of the account's names they guess. With more of them than one name
// allows no password is right: a limit of its own would tell which names are one account's.
func (s *Server) turnOf(ctx context.Context, account *db.User, a attempt, limited error) (claim, error) {
	who, name := CallerOf(ctx), s.counted(a)
	stranger := strangerAt(who.Addr, name)
	known, err := s.knownDevice(ctx, *account, a.device)
	switch {
	case err != nil:
		return stranger, err
	case known == "" && limited == nil:
		if s.stages.takeAccount("names of "+account.Localpart, who.Now) != nil {
			account.PasswordHash = nobodys(account.PasswordHash)
		}
		return stranger, nil
	case known == "":
		return stranger, limited
	case limited != nil:
		return sessionAt(known), s.stages.takeAccount("devices of "+name, who.Now)
	case s.hasher.delays(stranger):
		return sessionAt(known), nil
	}
	return stranger, nil
}

// knownDevice is the id of the session on a device that a login names, if the account has it. It is looked for in any
// case, since the time that it takes must not tell that strangers have guessed.
func (s *Server) knownDevice(ctx context.Context, account db.User, device string) (string, error) {
	if device == "" {
		return "", nil
	}
	session, err := s.DB.Device(ctx, account.Localpart, device)
	if errors.Is(err, db.ErrNotFound) {
		err = nil
	}
	return session.ID, err
}
