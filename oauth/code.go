package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/oauth/protocol"
)

// code is an authorization code: what its owner has agreed to. It travels sealed under the master key, so nobody can
// read or change it, and it is nowhere stored.
type code struct {
	id      [codeIDBytes]byte
	expires time.Time

	ClientID    string
	RedirectURI string
	Challenge   protocol.Challenge
	Localpart   string
	Password    [sha256.Size]byte // a hash of the stored hash: another password since then refuses the code
	DeviceID    string
	Name        string // of the device
}

const (
	codeIDBytes = 18

	// codeLife is how long a client may take to redeem a code: its browser hands it over in a moment, and a phone may
	// be changing networks. RFC 6749, section 4.1.2, allows ten minutes.
	codeLife = 2 * time.Minute
)

// newCode is the code for a request that the owner of an account agrees to.
func newCode(request *protocol.Authorization, client *protocol.Client, account db.User) code {
	return code{ClientID: request.ClientID, RedirectURI: request.RedirectURI, Challenge: request.Challenge,
		Localpart: account.Localpart, Password: fingerprint(account), DeviceID: request.Scope.DeviceID,
		Name: client.DisplayName()}
}

func fingerprint(account db.User) [sha256.Size]byte {
	return sha256.Sum256([]byte(account.PasswordHash))
}

// sealCode gives the text of a code: its id, its end, and the rest sealed.
func (a *API) sealCode(c code) (string, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return "", err // unreachable: strings and numbers
	}
	if _, err := io.ReadFull(a.server.Random, c.id[:]); err != nil {
		return "", err
	}
	c.expires = a.server.Now().Add(codeLife)
	sealed, err := a.server.Master.Seal(a.server.Random, sealName(c.id), c.expires, plain)
	if err != nil {
		return "", err
	}
	text := binary.BigEndian.AppendUint64(c.id[:], uint64(c.expires.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(text, sealed...)), nil
}

// openCode reads a code; ok is false if it is none of this server's.
func (a *API) openCode(text string) (c code, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < codeIDBytes+8 {
		return code{}, false
	}
	copy(c.id[:], raw)
	c.expires = time.UnixMilli(int64(binary.BigEndian.Uint64(raw[codeIDBytes:])))
	plain, err := a.server.Master.Open(sealName(c.id), c.expires, raw[codeIDBytes+8:])
	return c, err == nil && json.Unmarshal(plain, &c) == nil
}

// sealName is what the text is sealed under, which keeps it apart from all else that is sealed.
func sealName(id [codeIDBytes]byte) string { return "oauth code " + string(id[:]) }

// spent is the name under which it is remembered that the code was redeemed.
func (c code) spent() string { return "oauth code " + handlers.SessionIDOf(c.id[:]) }

// session is the id of the session that the code starts: whoever redeems it again is led to it.
func (c code) session() string {
	sum := sha256.Sum256(append([]byte("oauth session "), c.id[:]...))
	return handlers.SessionIDOf(sum[:codeIDBytes])
}
