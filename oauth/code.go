package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"time"

	"postern/db"
	"postern/oauth/protocol"
)

// code is what a client redeems: an authorization code, which says what its owner has agreed to, or a device code. It
// travels sealed under the master key, so nobody can read or change it, and it is nowhere stored.
type code struct {
	id      [codeIDBytes]byte
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

const (
	codeIDBytes = 18

	// codeLife is how long a client may take to redeem a code: its browser hands it over in a moment, and a phone may
	// be changing networks. RFC 6749, section 4.1.2, allows ten minutes.
	codeLife = 2 * time.Minute
)

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
	text, c.id, c.expires, err = a.seal(kind, life, c)
	return text, c, err
}

// openCode reads a code; ok is false if it is none of this server's, or of another kind.
func (a *API) openCode(kind, text string) (c code, ok bool) {
	id, expires, ok := a.open(kind, text, &c)
	c.id, c.expires = id, expires
	return c, ok
}

// seal gives the text of something that travels by way of others, and comes back: an id, its end, and the rest sealed.
func (a *API) seal(kind string, life time.Duration, v any) (text string, id [codeIDBytes]byte, expires time.Time,
	err error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", id, expires, err // unreachable: strings and numbers
	}
	if _, err := io.ReadFull(a.server.Random, id[:]); err != nil {
		return "", id, expires, err
	}
	expires = db.FromMillis(db.Millis(a.server.Now().Add(life)))
	sealed, err := a.server.Master.Seal(a.server.Random, kind+string(id[:]), expires, plain)
	if err != nil {
		return "", id, expires, err
	}
	head := binary.BigEndian.AppendUint64(id[:], uint64(expires.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(head, sealed...)), id, expires, nil
}

// open reads what was sealed as that kind. Whether its time is over is for the caller to see.
func (a *API) open(kind, text string, into any) (id [codeIDBytes]byte, expires time.Time, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < codeIDBytes+8 {
		return id, expires, false
	}
	copy(id[:], raw)
	expires = time.UnixMilli(int64(binary.BigEndian.Uint64(raw[codeIDBytes:])))
	plain, err := a.server.Master.Open(kind+string(id[:]), expires, raw[codeIDBytes+8:])
	return id, expires, err == nil && json.Unmarshal(plain, into) == nil
}

// spent is the name under which it is remembered that the code was redeemed.
func (c code) spent() string { return "oauth code " + db.Spell(c.id[:]) }

// session is the id of the session that the code starts: whoever redeems it again is led to it. It is taken to be born
// at the code's end, the latest moment that is known when somebody does.
func (c code) session() string {
	sum := sha256.Sum256(append([]byte("oauth session "), c.id[:]...))
	return db.SessionID(c.expires, sum[:])
}
