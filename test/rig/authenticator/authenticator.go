// Package authenticator gives tests a passkey, on a device that does what a test says, and the browser around it. Web
// Authentication: An API for accessing Public Key Credentials, Level 3.
package authenticator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"

	"github.com/fxamacker/cbor/v2"
)

// Passkey is one that verifies who holds it.
type Passkey struct {
	ID     []byte
	Handle []byte // whose it is, as the server named them
	Secret *ecdsa.PrivateKey
	Count  uint32 // the signature counter: each use adds one. Stands: it does not move

	// Site and Origin are what the browser takes the page for.
	Site, Origin string

	Absent, Unverified, Stands, Syncs, Synced bool
}

// New gives one that is on no account yet, in a browser at the origin.
func New(site, origin string) *Passkey {
	p := &Passkey{ID: make([]byte, 32), Site: site, Origin: origin}
	_, _ = rand.Read(p.ID) // never fails
	p.Rekey()
	return p
}

// Rekey gives it another key.
func (p *Passkey) Rekey() {
	p.Secret, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // never fails
}

// bytes travel as base64url.
type bytes []byte

// MarshalText implements [encoding.TextMarshaler].
func (b bytes) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *bytes) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.AppendDecode(nil, text)
	return err
}

// Make answers a page that asks for a new passkey with these options. Section 5.1.3.
func (p *Passkey) Make(options string) (string, error) {
	var asked struct {
		Challenge bytes
		User      struct{ ID bytes }
	}
	if err := json.Unmarshal([]byte(options), &asked); err != nil {
		return "", err
	}
	p.Handle = asked.User.ID
	public, err := p.public()
	if err != nil {
		return "", err
	}
	const aaguid = 16
	about := binary.BigEndian.AppendUint16(make([]byte, aaguid), uint16(len(p.ID)))
	data := append(p.data(attested), append(append(about, p.ID...), public...)...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		return "", err
	}
	return p.answer(map[string]any{"attestationObject": bytes(object), "transports": []string{"internal"},
		"clientDataJSON": bytes(p.client("webauthn.create", asked.Challenge))})
}

// Show answers a page that asks for a passkey with these options. Section 5.1.4.
func (p *Passkey) Show(options string) (string, error) {
	var asked struct{ Challenge bytes }
	if err := json.Unmarshal([]byte(options), &asked); err != nil {
		return "", err
	}
	if !p.Stands {
		p.Count++
	}
	client, data := p.client("webauthn.get", asked.Challenge), p.data(0)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(data, hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, p.Secret, digest[:])
	if err != nil {
		return "", err
	}
	return p.answer(map[string]any{"clientDataJSON": bytes(client), "authenticatorData": bytes(data),
		"signature": bytes(signature), "userHandle": bytes(p.Handle)})
}

// The flags of authenticator data. Section 6.1.
const (
	present  = 1 << 0
	verified = 1 << 2
	syncs    = 1 << 3
	synced   = 1 << 4
	attested = 1 << 6
)

// data is authenticator data, without what a new passkey adds.
func (p *Passkey) data(flags byte) []byte {
	for flag, is := range map[byte]bool{present: !p.Absent, verified: !p.Unverified, syncs: p.Syncs, synced: p.Synced} {
		if is {
			flags |= flag
		}
	}
	site := sha256.Sum256([]byte(p.Site))
	return binary.BigEndian.AppendUint32(append(site[:], flags), p.Count)
}

// public is the public key as COSE has it. RFC 9053, section 7.1.1.
func (p *Passkey) public() ([]byte, error) {
	point, err := p.Secret.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	const side = 32 // of a point: 4, x, y
	return cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1 : 1+side], -3: point[1+side:]})
}

func (p *Passkey) client(kind string, challenge bytes) []byte {
	raw, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": p.Origin}) // never fails
	return raw
}

func (p *Passkey) answer(response map[string]any) (string, error) {
	raw, err := json.Marshal(map[string]any{"id": bytes(p.ID), "rawId": bytes(p.ID), "type": "public-key",
		"response": response})
	return string(raw), err
}
