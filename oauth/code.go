package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/oauth/protocol"
)

// code is what a client redeems: an authorization code, which says what its owner has agreed to, or a device code. It
// travels sealed under the master key, so nobody can read or change it, and it is nowhere stored.
type code struct {
	id      [handlers.SealedID]byte
	expires time.Time

	ClientID    string
	RedirectURI string             `json:",omitempty"`
	Challenge   protocol.Challenge `json:",omitempty"`
	Localpart   string             `json:",omitempty"`
	Password    [sha256.Size]byte  `json:",omitzero"` // see fingerprint: another one since refuses the code
	DeviceID    string
	Name        string            // of the device
	UserCode    protocol.UserCode `json:",omitempty"` // of a device code: whom it waits for
}

// codeLife is how long a client may take to redeem a code: its browser hands it over in a moment, and a phone may be
// changing networks. RFC 6749, section 4.1.2, allows ten minutes.
const codeLife = 2 * time.Minute

// What a code is sealed as, which keeps it apart from codes of the other kind and from all else that is sealed.
const (
	fromBrowser = "oauth code "
	forDevice   = "oauth device code "
)

// newCode is the code for a request that the owner of an account agrees to.
func newCode(request *protocol.Authorization, client *protocol.Client, account db.User) code {
	return code{ClientID: request.ClientID, RedirectURI: request.RedirectURI, Challenge: request.Challenge,
		DeviceID: request.Scope.DeviceID, Name: client.DisplayName()}.agreed(account)
}

// of reports whether an account is what it was when its owner agreed.
func (c code) of(account db.User) bool {
	now := fingerprint(account)
	return subtle.ConstantTimeCompare(now[:], c.Password[:]) == 1
}

// fingerprint is another one with another password, and with the first second factor or without the last.
func fingerprint(account db.User) [sha256.Size]byte {
	text := account.PasswordHash
	if account.SecondFactor {
		text += " and a second factor"
	}
	return sha256.Sum256([]byte(text))
}

// agreed is the code with the agreement of an account's owner.
func (c code) agreed(account db.User) code {
	c.Localpart, c.Password = account.Localpart, fingerprint(account)
	return c
}

// sealCode gives the text of a new code: its id, its end, and the rest sealed; and the code with its id and its end.
func (a *API) sealCode(kind string, life time.Duration, c code) (text string, _ code, err error) {
	c.expires = db.FromMillis(db.Millis(a.server.Now().Add(life)))
	text, c.id, err = a.seal(kind, c.expires, c)
	return text, c, err
}

// openCode reads a code; ok is false if it is none of this server's, or of another kind.
func (a *API) openCode(kind, text string) (c code, ok bool) {
	id, expires, ok := a.open(kind, text, &c)
	c.id, c.expires = id, expires
	return c, ok
}

func (a *API) seal(kind string, expires time.Time, v any) (text string, id [handlers.SealedID]byte, err error) {
	return handlers.SealText(a.server.Master, a.server.Random, kind, expires, v)
}

func (a *API) open(kind, text string, into any) (id [handlers.SealedID]byte, expires time.Time, ok bool) {
	return handlers.OpenText(a.server.Master, kind, text, into)
}

// spent is the name under which it is remembered that the code was redeemed.
func (c code) spent() string { return "oauth code " + db.Spell(c.id[:]) }

// session is the id of the session that the code starts: whoever redeems it again is led to it. It is taken to be born
// at the code's end, the latest moment that is known when somebody does.
func (c code) session() string {
	sum := sha256.Sum256(append([]byte("oauth session "), c.id[:]...))
	return db.SessionID(c.expires, sum[:])
}
