package notify

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"

	"postern/db"
)

// Target is where an operator is told: a mail address, or the URL of a webhook.
type Target struct {
	Mail string   // the address
	URL  *url.URL // of the webhook; nil: there is an address
}

// ParseTarget reads a target as an operator writes it; internal says that a webhook may have an internal address. The
// error does not hold what may be a secret.
func ParseTarget(text string, internal bool) (Target, error) {
	if address, is := strings.CutPrefix(text, "mailto:"); is {
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address || strings.ContainsAny(address, "?%") { // which mean more in a URL
			return Target{}, fmt.Errorf("%q is not one mail address; write it like mailto:ops@example.org", text)
		}
		return Target{Mail: address}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Fragment != "" {
		return Target{}, errors.New("it is neither like mailto:ops@example.org nor like https://hooks.example.org/…")
	}
	t := Target{URL: u}
	if internal {
		return t, nil
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && Internal(addr) || u.Hostname() == "localhost" {
		return Target{}, fmt.Errorf("%s is an internal address; if you mean it, set --notify-internal", t)
	}
	if u.Scheme == "http" {
		return Target{}, fmt.Errorf("%s is not encrypted on its way; write https, or set --notify-internal for a "+
			"receiver in your own network", t)
	}
	return t, nil
}

// String names the target where others may read it: of a webhook the host is shown, and what tells it from others.
func (t Target) String() string {
	if t.URL == nil {
		return "mailto:" + t.Mail
	}
	return (&url.URL{Scheme: t.URL.Scheme, Host: t.URL.Host, Path: "/", Fragment: digest(t.URL.String())}).String()
}

// Keep has whatever writes to a database from now on, the command line too, tell these targets and no others.
func Keep(ctx context.Context, d *db.DB, targets []Target) error {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.String()
	}
	_, err := d.ChangeSetting(ctx, setting, strings.Join(names, "\n"))
	return err
}
