package handlers

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"postern/db"
	"postern/tokens"
)

// A link leads a person to a page, where a form does what the link is for: whoever only looks at it, as a mail scanner
// does, changes nothing. It is sealed, not stored, and says how its account was when it was made. So it is over with
// its time, with another password of the account, once that was locked or deactivated, and with its own use.

// SealedID is the length of the id of a [SealText], in bytes.
const SealedID = 18

// SealText gives the text of something that travels by way of others, and comes back: an id, its end, and the rest
// sealed. The kind keeps it apart from all else that is sealed.
func SealText(master tokens.MasterKey, random io.Reader, kind string, expires time.Time, v any) (text string,
	id [SealedID]byte, err error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", id, err // unreachable: strings and numbers
	}
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return "", id, err
	}
	sealed, err := master.Seal(random, kind+string(id[:]), expires, plain)
	if err != nil {
		return "", id, err
	}
	head := binary.BigEndian.AppendUint64(id[:], uint64(expires.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(head, sealed...)), id, nil
}

// OpenText reads what was sealed as that kind. Whether its time is over is for the caller to see.
func OpenText(master tokens.MasterKey, kind, text string, into any) (id [SealedID]byte, expires time.Time, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < SealedID+8 {
		return id, expires, false
	}
	copy(id[:], raw)
	expires = time.UnixMilli(int64(binary.BigEndian.Uint64(raw[SealedID:])))
	plain, err := master.Open(kind+string(id[:]), expires, raw[SealedID+8:])
	return id, expires, err == nil && json.Unmarshal(plain, into) == nil
}

// What links are sealed as.
const (
	resetLink   = "link to choose a password "
	addressLink = "link to show a mail address "
)

// LinkParam is the parameter of a page's address that has a link's sealed text.
const LinkParam = "link"

// How long links are good. One to choose a password that was asked for on the page is used at once, one that an
// operator makes is handed over first. One that shows an address opens nothing by itself: see [Server.BindAddress].
const (
	MailedLinkLife   = 30 * time.Minute
	OperatorLinkLife = 24 * time.Hour
	MaxLinkLife      = 7 * 24 * time.Hour
	AddressLinkLife  = 24 * time.Hour
)

// link is what a link holds.
type link struct {
	Localpart string
	State     []byte // see stateOf
	Address   string `json:",omitempty"` // the mail address that it was sent to; empty: an operator made it

	id      [SealedID]byte
	expires time.Time
}

// spent is what is spent of a link that shows an address.
func (l link) spent() string { return "address link " + db.Spell(l.id[:]) }

// stateOf is another one once the account has another password, or was locked or deactivated. Half of a hash is as good
// as all of it here: whoever sealed the link has chosen neither.
func stateOf(account db.User) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "state of an account %d %s", account.Closings, account.PasswordHash))
	return sum[:sha256.Size/2]
}

// linkTo is the address of a page with a new link about an account.
func (c Config) linkTo(page, kind string, account db.User, address string, expires time.Time) (string, error) {
	text, _, err := SealText(c.Master, c.Random, kind, expires,
		link{Localpart: account.Localpart, State: stateOf(account), Address: address})
	return c.PublicURL + page + LinkParam + "=" + text, err
}

// MakeResetLink makes a link with which whoever has it gives an account a new password, once, for an operator; an event
// says so. [db.ErrLocked] if the account is locked. The configuration is that of a server with pages: its database, its
// keys and its address.
func MakeResetLink(ctx context.Context, c Config, account db.User, expires time.Time) (string, error) {
	switch {
	case c.PublicURL == "":
		return "", noPages()
	case !account.Deactivated.IsZero():
		return "", UserDeactivated()
	case !account.Locked.IsZero():
		return "", db.ErrLocked
	}
	made, err := c.linkTo(RecoverPath+"?", resetLink, account, "", expires)
	if err != nil {
		return "", err
	}
	return made, c.DB.Record(ctx, db.Event{Kind: db.EventResetLink, Localpart: account.Localpart})
}

// ResetLink is [MakeResetLink] of this server, with a life of up to [MaxLinkLife].
func (s *Server) ResetLink(ctx context.Context, account db.User, life time.Duration) (string, error) {
	if s.Config.OAuth == nil {
		return "", noPages()
	}
	return MakeResetLink(ctx, s.Config, account, s.Now().Add(min(life, MaxLinkLife)))
}

func noPages() *Error {
	return &Error{Status: http.StatusBadRequest, Code: "M_UNRECOGNIZED",
		Message: "This server has no pages, to which the link would lead. They come with --public-url."}
}

// ErrLinkOver says that a link is none of this server's, or good no longer. Which of these it is is not told.
var ErrLinkOver = errors.New("the link is over")

// openLink reads a link that is good now, and finds its account as it is, in find.
func (s *Server) openLink(ctx context.Context, kind, text string,
	find func(ctx context.Context, localpart string) (db.User, error)) (l link, account db.User, err error) {
	var ok bool
	if l.id, l.expires, ok = OpenText(s.Master, kind, text, &l); !ok || !s.Now().Before(l.expires) {
		return l, account, ErrLinkOver
	}
	account, err = find(ctx, l.Localpart)
	if errors.Is(err, db.ErrNotFound) {
		return l, account, ErrLinkOver
	}
	if err == nil && (subtle.ConstantTimeCompare(l.State, stateOf(account)) != 1 ||
		!account.Deactivated.IsZero() || !account.Locked.IsZero()) {
		err = ErrLinkOver
	}
	return l, account, err
}

// ResetAccount finds the account that a link gives a new password; else [ErrLinkOver].
func (s *Server) ResetAccount(ctx context.Context, text string) (db.User, error) {
	_, account, err := s.openReset(ctx, text)
	return account, err
}

// openReset is openLink of a link to choose a password, whose address, if it was mailed, is the account's still.
func (s *Server) openReset(ctx context.Context, text string) (link, db.User, error) {
	l, account, err := s.openLink(ctx, resetLink, text, s.DB.User)
	if err != nil || l.Address == "" {
		return l, account, err
	}
	// Whoever has removed an address wants nobody to come in by it.
	has, err := s.hasEmail(ctx, l.Localpart, l.Address)
	if err == nil && !has {
		err = ErrLinkOver
	}
	return l, account, err
}

// hasEmail reports whether a mail address is one of an account's.
func (s *Server) hasEmail(ctx context.Context, localpart, address string) (bool, error) {
	bound, err := s.DB.Email(ctx, address)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil && bound.Localpart == localpart, err
}

// ResetPassword gives the account of a link a new password, and gives the account as it is then. Its browsers are
// signed out. Of several who use one link at once, one succeeds; the others hear [ErrLinkOver].
func (s *Server) ResetPassword(ctx context.Context, text, password string, endSessions bool) (db.User, error) {
	l, account, err := s.openReset(ctx, text)
	if err != nil {
		return account, err
	}
	hash, err := s.newHash(ctx, account.Localpart, password, strangerAt(CallerOf(ctx).Addr, account.Localpart))
	if err != nil {
		return account, err
	}
	_, err = s.DB.ChangePassword(ctx, db.PasswordChange{Localpart: account.Localpart, OldHash: account.PasswordHash,
		Era: account.Closings + 1, Address: l.Address, Hash: hash, EndOthers: endSessions})
	if errors.Is(err, db.ErrConflict) || errors.Is(err, db.ErrNotFound) {
		err = ErrLinkOver
	}
	account.PasswordHash = hash
	return account, err
}
