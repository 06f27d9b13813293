package main

import (
	"context"
	"fmt"

	rig "postern/test/rig/process"
)

// registrations is how often one client registers: it does each time that somebody logs in.
const registrations = 100_000

// strangers measures what those leave in the database who need no account: clients that register, and authorizations
// that are begun and left.
func (b *bench) strangers(ctx context.Context) (rows []row, err error) {
	s, err := b.site(ctx, 0)
	if err != nil {
		return nil, err
	}
	id, err := s.registered(ctx)
	if err != nil {
		return nil, err
	}
	register := load{clients: refreshers, limit: registrations / refreshers,
		request: func(out []byte, _, _ int) []byte { return post(out, rig.RegistrationPath, inJSON, rig.OAuthClient) }}
	asks := rig.Consent{Client: id, Device: "BENCHABANDONED"}
	authorize, form := gets(checkers, asks.Path()), asks.DeviceForm().Encode()
	device := load{clients: refreshers, limit: b.abandoned / refreshers,
		request: func(out []byte, _, _ int) []byte { return post(out, rig.DevicePath, asForm, form) }}
	authorize.limit = b.abandoned / checkers
	for _, m := range []struct {
		what, goal string
		load       load
	}{
		{"registrations of one client", "0", register},
		{"authorizations that nobody ends", "0", authorize},
		{"devices that nobody lets in", "at most 2000 rows", device},
	} {
		progress("  %d %s", m.load.limit*m.load.clients, m.what)
		before, after, err := s.kept(ctx, m.load, oauthOn...)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{fmt.Sprintf("kept of %d %s", m.load.limit*m.load.clients, m.what),
			fmt.Sprintf("%d bytes before, %d after", before.bytes, after.bytes), "",
			fmt.Sprintf("%d rows more", after.rows-before.rows), m.goal})
	}
	return rows, nil
}

// registered registers the client and gives its id.
func (s *site) registered(ctx context.Context) (id string, err error) {
	p, a, err := s.app(ctx)
	if err != nil {
		return "", err
	}
	a.Close()
	stopAll(&err, p)
	return a.id, err
}
