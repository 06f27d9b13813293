package delegation

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
)

// Plan is what setup changes, and how Postern and Synapse reach each other after it. Nothing is written before Apply.
type Plan struct {
	Changes    []Change
	SecretFile string // the secret that both sides have; Apply makes it unless it is there
	PepperFile string // password_config.pepper, for Postern; empty: Synapse has none
	OwnerFile  string // whose owner and group the two get

	Listener *Listener // where Synapse answered clients without TLS before setup; nil: nowhere
	Port     int       // where it answers them after setup
	Clients  string    // host and port where Postern is to listen; no host: everywhere
	Upstream string    // host and port where Postern finds Synapse

	secret, pepper string // as Synapse's configuration has them; empty: it has none
}

// How the two files are called, unless the first is named otherwise.
const (
	secretName = "postern-secret"
	pepperName = "postern-pepper"
)

// Setup plans the changes that let Postern have the accounts. They are none if all is done already.
func (c *Config) Setup(o Options) (*Plan, error) {
	secret, err := c.secretFile(o)
	if err != nil {
		return nil, err
	}
	o.SecretPath = secret
	original, err := c.Original()
	if err != nil {
		return nil, err
	}
	p := &Plan{SecretFile: secret, OwnerFile: c.ownerFile(), Listener: original.Upstream(), Port: o.Port,
		secret: c.Delegation().Secret, pepper: c.Pepper()}
	if p.pepper != "" {
		p.PepperFile = filepath.Join(filepath.Dir(secret), pepperName)
	}
	is := c.Upstream()
	if p.Port == 0 && is != nil {
		p.Port = is.Port
	}
	p.Clients, p.Upstream = addresses(p.Listener, is, p.Port, o.KeepListener)
	p.Changes, err = c.setupChanges(o)
	return p, err
}

// secretFile is the whole path of the secret, since Synapse runs in another folder.
func (c *Config) secretFile(o Options) (string, error) {
	path := o.SecretPath
	if path == "" {
		path = c.Delegation().SecretPath
	}
	if path == "" {
		path = filepath.Join(filepath.Dir(c.Paths()[0]), secretName)
	}
	return filepath.Abs(path)
}

// addresses says where Postern is to listen for clients, and where it finds Synapse. was is Synapse's listener before
// setup and is the one of now; port is Synapse's after setup.
func addresses(was, is *Listener, port int, keepListener bool) (clients, upstream string) {
	if was == nil || is == nil {
		return "127.0.0.1:8008", "127.0.0.1:8010"
	}
	host := "127.0.0.1"
	if is.Loopback() || keepListener {
		host, _, _ = net.SplitHostPort(is.Address())
	}
	upstream = net.JoinHostPort(host, strconv.Itoa(port))
	if port == was.Port {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(was.Port+2)), upstream
	}
	host = "127.0.0.1"
	if !was.Loopback() {
		host = "" // it was open to others, so a proxy on another machine may need it
	}
	return net.JoinHostPort(host, strconv.Itoa(was.Port)), upstream
}

// Step is one thing that Apply did: it made a secret, kept a copy of a file as it was, or wrote a changed file.
type Step struct{ Did, Path string }

// Apply makes the secrets, keeps copies and writes the files, in this order: whatever breaks off in between, Synapse
// still starts. It returns what it did, with an error too.
func (p *Plan) Apply() (did []Step, err error) {
	if did, err = p.makeSecrets(); err != nil {
		return did, err
	}
	for _, change := range p.Changes {
		name, err := change.Keep()
		if err != nil {
			return did, fmt.Errorf("the copy could not be made, and nothing was changed: %w", err)
		}
		did = append(did, Step{"kept", name})
	}
	for _, change := range p.Changes {
		if err := change.Write(); err != nil {
			return did, err
		}
		did = append(did, Step{"wrote", change.Path})
	}
	return did, nil
}

// makeSecrets makes the files that both sides read.
func (p *Plan) makeSecrets() (did []Step, err error) {
	secret := p.secret // written into the configuration by hand: Postern reads it from a file
	if secret == "" {
		secret = newSecret()
	}
	made, err := makeSecret(p.SecretFile, []byte(secret+"\n"), p.OwnerFile)
	if err != nil {
		return nil, fmt.Errorf("the secret could not be made, and nothing was changed: %w", err)
	}
	found, err := ReadSecret(p.SecretFile)
	if err != nil {
		return nil, err
	}
	if err := sameSecret(p.SecretFile, found, p.secret); err != nil {
		return nil, err
	}
	if made {
		did = append(did, Step{"made", p.SecretFile})
	}
	if p.PepperFile == "" {
		return did, nil
	}
	if made, err = makeSecret(p.PepperFile, []byte(p.pepper+"\n"), p.OwnerFile); err != nil {
		return did, err
	}
	if made {
		did = append(did, Step{"made", p.PepperFile})
	}
	if found, err = ReadPepper(p.PepperFile); err != nil {
		return did, err
	}
	return did, sameSecret(p.PepperFile, found, p.pepper)
}
