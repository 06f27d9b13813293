// Package delegated gives tests Postern's real binary in front of a homeserver that delegates its authentication to it:
// a real Synapse (package synapse), or the stand-in of package fakesynapse.
//
//	func TestMain(m *testing.M) { process.Main(m) }
//
//	hs := synapse.Prepare(t, synapse.Options{})
//	p := delegated.New(t, hs.URL, synapse.ServerName, "alice")
//	p.Start(t)
//	hs.Delegate(t, p.Server.URL, delegated.Secret)
//	hs.Run(t)
package delegated

import (
	"path/filepath"
	"testing"

	"postern/test/rig/process"
)

const (
	Secret   = "a-secret-that-both-have"
	Password = "a long password" // of every account
)

// Postern is an installation in front of a homeserver.
type Postern struct {
	process.Site
	Server *process.Server // the one that runs, or ran last

	flags []string
}

// New makes an installation, with accounts. It does not run yet.
func New(t testing.TB, homeserver, serverName string, accounts ...string) *Postern {
	t.Helper()
	p := &Postern{
		Site:  process.Site{Binary: process.Binary(t), Database: filepath.Join(t.TempDir(), "postern.db")},
		flags: append(process.Before(t, homeserver, Secret), "--server-name", serverName, "--rate-limit", "off"),
	}
	for _, name := range accounts {
		p.Run(t, Password, "user", "add", name, "--password-stdin", "--server-name", serverName)
	}
	return p
}

// Start runs it until the test ends; it has to be content then.
func (p *Postern) Start(t testing.TB, flags ...string) {
	t.Helper()
	p.Server = p.Site.Start(t, append(p.flags, flags...)...)
}

// StartToKill runs it until the test kills it, or ends.
func (p *Postern) StartToKill(t testing.TB, flags ...string) {
	t.Helper()
	p.Server = p.Site.StartToKill(t, append(p.flags, flags...)...)
}
