// Package passkey is the part of a relying party in Web Authentication: what a browser is asked for when somebody makes
// a passkey or shows one, and whether its answer is good. Web Authentication: An API for accessing Public Key
// Credentials, Level 3 ("WebAuthn L3").
//
// # The parts
//
//   - [New] makes the relying party of a server that people find by a domain.
//   - [Party.Creation] is what the browser needs to make a passkey, and [Party.Created] reads its answer.
//   - [Party.Request] is what it needs to show one; [Read] says which one an answer shows, and [Party.Shown] whether
//     the answer is good.
//
// The mathematics, and the formats of authenticators, are those of github.com/go-webauthn/webauthn.
//
// # Laws
//
//   - An answer is good for one challenge, which the caller makes, binds to a browser and spends.
//   - A passkey is good on this server's origin alone, for the account that it was made for.
//   - What stands for the password has verified the user. What comes after the password may do without.
//   - A signature counter that does not rise refuses the passkey: there may be a copy of it (section 6.1.1).
//   - No authenticator has to say of which make it is: nothing is asked for, and nothing of it is kept.
//
// What it does not do: keep passkeys, and find out whose one is.
package passkey

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

var (
	// ErrNoDomain says that browsers make no passkeys for the server's address: it is no domain, but an IP address or
	// the name of a machine.
	ErrNoDomain = errors.New("passkeys need a server that is found by a domain")

	// ErrNotGood says that an answer is not good. What it wraps is for the log.
	ErrNotGood = errors.New("the passkey's answer is not good")

	// ErrCopied says that a signature counter has not risen.
	ErrCopied = fmt.Errorf("%w: its signature counter has not risen, there may be a copy of the passkey", ErrNotGood)
)

// MaxAnswer bounds what a browser sends, in bytes. Without a statement of the authenticator's make the longest has a
// credential id of 1023 bytes, twice, and an RSA key.
const MaxAnswer = 16 << 10

// Party is a server as authenticators know it.
type Party struct{ web *webauthn.WebAuthn }

// New makes the relying party of a server with that public URL, or fails with [ErrNoDomain]. People are shown the name.
func New(publicURL, name string) (*Party, error) {
	u, err := url.Parse(publicURL)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDomain, err)
	}
	web, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: name, RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationPreferred,
		},
	})
	if err == nil && u.Hostname() == "" {
		err = errors.New("it has no host")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDomain, err)
	}
	return &Party{web}, nil
}

// Key is a passkey as the server keeps it. WebAuthn L3, section 4, "credential record".
type Key struct {
	ID         []byte
	Public     []byte   // COSE
	Transports []string `json:",omitempty"`
	Count      uint32   // the signature counter, as it was last
	Verified   bool     // the user was verified when it was made
	Syncs      bool     // it may be backed up, for all its life
	Synced     bool     // it is backed up
}

// Text is how a passkey's id is written: base64url.
func (k Key) Text() string { return base64.RawURLEncoding.EncodeToString(k.ID) }

// keyOf is what is kept of a credential.
func keyOf(c *webauthn.Credential) Key {
	k := Key{ID: c.ID, Public: c.PublicKey, Count: c.Authenticator.SignCount, Verified: c.Flags.UserVerified,
		Syncs: c.Flags.BackupEligible, Synced: c.Flags.BackupState}
	for _, t := range c.Transport {
		k.Transports = append(k.Transports, string(t))
	}
	return k
}

func (k Key) credential() webauthn.Credential {
	c := webauthn.Credential{ID: k.ID, PublicKey: k.Public}
	c.Authenticator.SignCount = k.Count
	c.Flags = webauthn.CredentialFlags{UserVerified: k.Verified, BackupEligible: k.Syncs, BackupState: k.Synced}
	for _, t := range k.Transports {
		c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
	}
	return c
}

// Owner is an account.
type Owner struct {
	Handle []byte // names it to authenticators. It tells nobody else anything. Section 14.6.1
	Name   string // which people are shown
	Keys   []Key
}

// WebAuthnID implements [webauthn.User].
func (o Owner) WebAuthnID() []byte { return o.Handle }

// WebAuthnName implements [webauthn.User].
func (o Owner) WebAuthnName() string { return o.Name }

// WebAuthnDisplayName implements [webauthn.User].
func (o Owner) WebAuthnDisplayName() string { return o.Name }

// WebAuthnCredentials implements [webauthn.User].
func (o Owner) WebAuthnCredentials() []webauthn.Credential {
	list := make([]webauthn.Credential, 0, len(o.Keys))
	for _, k := range o.Keys {
		list = append(list, k.credential())
	}
	return list
}

// Creation is what a browser needs to make a passkey for an account, as JSON. An authenticator that has one makes no
// second.
func (p *Party) Creation(o Owner, challenge []byte) (string, error) {
	options, _, err := p.creation(o, challenge)
	if err != nil {
		return "", err
	}
	return text(options.Response)
}

func (p *Party) creation(o Owner, challenge []byte) (*protocol.CredentialCreation, *webauthn.SessionData, error) {
	return p.web.BeginRegistration(o,
		webauthn.WithExclusions(webauthn.Credentials(o.WebAuthnCredentials()).CredentialDescriptors()),
		func(options *protocol.PublicKeyCredentialCreationOptions) error {
			options.Challenge = challenge
			return nil
		})
}

// Created reads the answer to [Party.Creation], and gives the passkey. WebAuthn L3, section 7.1. The caller has to make
// sure that there is no other with its id.
func (p *Party) Created(o Owner, challenge []byte, answer string) (Key, error) {
	if len(answer) > MaxAnswer {
		return Key{}, fmt.Errorf("%w: it has %d bytes", ErrNotGood, len(answer))
	}
	_, session, err := p.creation(o, challenge)
	if err != nil {
		return Key{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return Key{}, notGood(err)
	}
	made, err := p.web.CreateCredential(o, *session, parsed)
	if err != nil {
		return Key{}, notGood(err)
	}
	return keyOf(made), nil
}

// Request is what a browser needs to show a passkey, as JSON: one of the account's, or without an account whichever the
// person chooses, who is verified then.
func (p *Party) Request(o *Owner, challenge []byte) (string, error) {
	options, _, err := p.request(o, challenge)
	if err != nil {
		return "", err
	}
	return text(options.Response)
}

func (p *Party) request(o *Owner, challenge []byte) (*protocol.CredentialAssertion, *webauthn.SessionData, error) {
	if o == nil {
		return p.web.BeginDiscoverableLogin(webauthn.WithChallenge(challenge),
			webauthn.WithUserVerification(protocol.VerificationRequired))
	}
	return p.web.BeginLogin(*o, webauthn.WithChallenge(challenge))
}

func text(options any) (string, error) {
	raw, err := json.Marshal(options)
	return string(raw), err
}

// Answer is what a browser says of a passkey that it shows. Nothing of it is to be believed before [Party.Shown].
type Answer struct {
	ID     string // as [Key.Text] writes it
	parsed *protocol.ParsedCredentialAssertionData
}

// Read reads an answer.
func Read(answer string) (Answer, error) {
	if len(answer) > MaxAnswer {
		return Answer{}, fmt.Errorf("%w: it has %d bytes", ErrNotGood, len(answer))
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return Answer{}, notGood(err)
	}
	return Answer{Key{ID: parsed.RawID}.Text(), parsed}, nil
}

// Shown reports whether an answer to [Party.Request] shows a passkey of the account, and gives it as it is to be kept
// from now on; else [ErrNotGood]. Alone says that the request named no account: the answer then has to, and to have
// verified the user. WebAuthn L3, section 7.2.
func (p *Party) Shown(o Owner, alone bool, challenge []byte, answer Answer) (Key, error) {
	asked := &o
	if alone {
		asked = nil
	}
	_, session, err := p.request(asked, challenge)
	if err != nil {
		return Key{}, notGood(err) // the account has no passkey any more
	}
	var shown *webauthn.Credential
	if alone {
		_, shown, err = p.web.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return o, nil }, *session,
			answer.parsed)
	} else {
		shown, err = p.web.ValidateLogin(o, *session, answer.parsed)
	}
	switch {
	case err != nil:
		return Key{}, notGood(err)
	case shown.Authenticator.CloneWarning:
		return Key{}, ErrCopied
	}
	return keyOf(shown), nil
}

// notGood wraps what the library says, with what it says to developers.
func notGood(err error) error {
	var detailed *protocol.Error
	if errors.As(err, &detailed) && detailed.DevInfo != "" {
		return fmt.Errorf("%w: %w: %s", ErrNotGood, err, detailed.DevInfo)
	}
	return fmt.Errorf("%w: %w", ErrNotGood, err)
}
