package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"postern/handlers"
	"postern/oauth/protocol"
)

// servesOAuth reports whether the OAuth 2.0 API is served. An error says why not, and what to do.
func (f *serveFlags) servesOAuth() (bool, error) {
	switch {
	case f.OAuth == "off":
		return false, nil
	case f.OAuth != "on" && f.OAuth != "":
		return false, fmt.Errorf("--oauth %q is neither on nor off", f.OAuth)
	case f.onWorkbench():
		return true, nil
	case f.PublicURL != "":
		err := oauthProblem(f.PublicURL)
		return err == nil, err
	case f.OAuth == "on":
		return false, errors.New("--oauth on needs --public-url, the https address by which clients reach the server")
	}
	return false, nil
}

// oauthProblem is what keeps the OAuth 2.0 API from being served at an address: its clients must know it by one that
// nobody can read or change on the way, and its paths are fixed.
func oauthProblem(public string) error {
	u, err := url.Parse(public)
	switch {
	case err != nil || u.Host == "":
		return nil // --public-url itself is refused
	case strings.TrimSuffix(public, "/") != u.Scheme+"://"+strings.ToLower(u.Host):
		return fmt.Errorf("the OAuth 2.0 API needs a --public-url without a path, in lower case, and not %q", public)
	case u.Scheme == "http" && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback():
		return fmt.Errorf("the OAuth 2.0 API needs an https address in --public-url and not %q; http is for "+
			"127.0.0.1 and localhost", public)
	}
	return nil
}

// keepsSessions holds that a server does not log people out by a flag that was forgotten: a client of the OAuth 2.0 API
// can refresh nowhere else. With --oauth off that is meant, and is logged.
func (f *serveFlags) keepsSessions(ctx context.Context, config handlers.Config) error {
	if config.OAuth != nil {
		return nil
	}
	clients, err := config.DB.Clients(ctx)
	if err != nil {
		return err
	}
	sessions := 0
	for _, client := range clients {
		sessions += client.Sessions
	}
	switch _, why := f.servesOAuth(); {
	case sessions == 0:
		return nil
	case f.OAuth == "off":
		config.Log.Warn("the OAuth 2.0 API is off, and clients that have signed in by it cannot refresh: each is "+
			"logged out when its access token expires", "sessions", sessions)
		return nil
	case why != nil:
		return fmt.Errorf("%w; or, if the %s that began by it may be logged out, --oauth off", why,
			plural(sessions, "session"))
	}
	return fmt.Errorf("%s began by the OAuth 2.0 API and would be logged out without it; set --public-url as it was, "+
		"or, if that is meant, --oauth off", plural(sessions, "session"))
}

// oauthRules are what the flags say of clients.
func (f *serveFlags) oauthRules(p *flagErrors) protocol.Rules {
	rules := protocol.Rules{Admission: protocol.Admission(f.OAuthClients)}
	switch rules.Admission {
	case protocol.AdmitOpen, protocol.AdmitStatic:
		if len(f.OAuthKnownHost) > 0 {
			p.add(fmt.Errorf("--oauth-known-host is for --oauth-clients known, and not for %s", f.OAuthClients))
		}
	case protocol.AdmitKnown:
		if len(f.OAuthKnownHost) == 0 {
			p.add(errors.New("--oauth-clients known needs a host, such as --oauth-known-host element.io"))
		}
	default:
		p.add(fmt.Errorf("--oauth-clients %q is none of open, known, static", f.OAuthClients))
	}
	for _, text := range f.OAuthKnownHost {
		host, good := protocol.HostName(text)
		if !good {
			p.add(fmt.Errorf("--oauth-known-host %q is not a host; write it like element.io", text))
		}
		rules.Hosts = append(rules.Hosts, host)
	}
	return rules
}

// onWorkbench reports whether this is a server on a newcomer's own machine, so that its public address is where it
// listens.
func (f *serveFlags) onWorkbench() bool {
	if !f.Dev || f.PublicURL != "" || f.OAuth != "on" && f.OAuth != "" {
		return false
	}
	at, err := net.ResolveTCPAddr("tcp", f.Listen)
	return err == nil && (at.IP == nil || at.IP.IsUnspecified() || at.IP.IsLoopback())
}

// localURL is where a browser on this machine finds what listens at an address.
func localURL(listens net.Addr) string {
	if at, is := listens.(*net.TCPAddr); is && at.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", at.Port)
	}
	return "http://" + listens.String()
}
