package importer

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"

	"postern/db"
	"postern/homeserver/imported"
)

// The reasons for which tokens and devices are skipped.
const (
	skippedPuppet    = "tokens that an admin made to act as somebody else"
	skippedNoDevice  = "tokens without a device"
	skippedNoAccount = "devices of accounts that stay behind"
	skippedKept      = "dehydrated devices, which the homeserver keeps"
)

// readSessions is Read with the devices and tokens of the accounts that come.
func (c Config) readSessions(ctx context.Context) (Contents, error) {
	if c.Format == "" && !c.isCSV() {
		c.Format = Synapse
	}
	if c.Format != Synapse {
		return Contents{}, errors.New("sessions can only come from a database of Synapse's; leave --sessions out")
	}
	s, err := c.open(ctx)
	if err != nil {
		return Contents{}, err
	}
	defer s.close()
	_, records, err := c.recordsOf(ctx, s)
	if err != nil {
		return Contents{}, err
	}
	r := sessionReader{contents: Contents{Kind: Synapse, Accounts: c.accounts(records), Sessions: true,
		Devices: make(map[string][]imported.Device), Skipped: make(map[string]int)}}
	if err := c.elsewhere(records); err != nil {
		return Contents{}, err
	}
	if err = r.read(ctx, s); err == nil {
		r.contents.Source, err = c.newest(ctx, s)
	}
	return r.contents, s.explain(err)
}

// sessionReader collects the devices of accounts that come, and their tokens: expired ones too, since whoever shows one
// of them must learn that it keeps the device.
type sessionReader struct {
	contents Contents
	devices  map[string]map[string]*imported.Device // by account and device; an account that comes has an entry
}

func (r *sessionReader) read(ctx context.Context, s *source) error {
	r.devices = make(map[string]map[string]*imported.Device)
	for _, a := range r.contents.Accounts {
		if a.Skip == "" {
			r.devices[a.Name] = nil
		}
	}
	used, err := r.readAccess(ctx, s)
	if err == nil {
		err = r.readRefresh(ctx, s, used)
	}
	if err == nil {
		err = r.readDevices(ctx, s)
	}
	for name, devices := range r.devices {
		for _, id := range slices.Sorted(maps.Keys(devices)) {
			r.contents.Devices[name] = append(r.contents.Devices[name], *devices[id])
		}
	}
	return err
}

// device finds or makes a device; nil if its account is skipped.
func (r *sessionReader) device(user, id string) *imported.Device {
	devices, comes := r.devices[user]
	if !comes {
		return nil
	}
	if devices == nil {
		devices = make(map[string]*imported.Device)
		r.devices[user] = devices
	}
	d := devices[id]
	if d == nil {
		d = &imported.Device{DeviceID: strings.Clone(id), Unlisted: true}
		devices[id] = d
	}
	return d
}

// readAccess reads Synapse's table access_tokens, and gives the ids of the refresh tokens that came with an access
// token which was used. What the table knows, by the schema version that brought it: at first user_id, device_id (NULL
// for who came by an admin's call), token; 55 valid_until_ms (milliseconds), 58 puppets_user_id, 59 refresh_token_id
// and used.
func (r *sessionReader) readAccess(ctx context.Context, s *source) (used map[int64]bool, err error) {
	used = make(map[int64]bool)
	if err := s.columns(ctx, "access_tokens"); err != nil || !s.has["token"] {
		return used, err
	}
	q := `SELECT ` + strings.Join([]string{s.text("user_id"), s.text("device_id"), s.text("token"),
		s.number("valid_until_ms"),
		s.text("puppets_user_id"), s.number("refresh_token_id"), s.flag("used")}, `, `) + ` FROM access_tokens`
	err = s.each(ctx, q, func(scan func(...any) error) error {
		var user, device, token, puppet string
		var expires, refresh, seen int64
		if err := scan(&user, &device, &token, &expires, &puppet, &refresh, &seen); err != nil {
			return err
		}
		if refresh != 0 && seen != 0 {
			used[refresh] = true
		}
		_, comes := r.devices[user]
		switch {
		case puppet != "":
			r.contents.Skipped[skippedPuppet]++
		case !comes: // its device is counted
		case device == "":
			r.contents.Skipped[skippedNoDevice]++
		default:
			d := r.device(user, device)
			d.Tokens = append(d.Tokens, imported.Token{Hash: sha256.Sum256([]byte(token)),
				Expires: millis(expires)})
		}
		return nil
	})
	return used, err
}

// readRefresh reads Synapse's table refresh_tokens, of schema version 59 (65: expiry_ts and ultimate_session_expiry_ts,
// in milliseconds). Until version 46 there was another one of that name, which nobody used. A token is good until its
// successor was refreshed, or the access token that came with the successor was used; Synapse keeps the last two of a
// device.
func (r *sessionReader) readRefresh(ctx context.Context, s *source, used map[int64]bool) error {
	if err := s.columns(ctx, "refresh_tokens"); err != nil || !s.has["next_token_id"] {
		return err
	}
	hasNext := make(map[int64]bool) // the tokens that have a successor
	err := s.each(ctx, `SELECT id FROM refresh_tokens WHERE next_token_id IS NOT NULL`,
		func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			hasNext[id] = true
			return err
		})
	if err != nil {
		return err
	}
	q := `SELECT ` + strings.Join([]string{s.text("user_id"), s.text("device_id"), s.text("token"),
		s.number("next_token_id"),
		s.number("expiry_ts"), s.number("ultimate_session_expiry_ts")}, `, `) + ` FROM refresh_tokens`
	return s.each(ctx, q, func(scan func(...any) error) error {
		var user, device, token string
		var next, expires, end int64
		if err := scan(&user, &device, &token, &next, &expires, &end); err != nil {
			return err
		}
		d := r.device(user, device)
		if d == nil {
			return nil
		}
		t := imported.Token{Hash: sha256.Sum256([]byte(token)), Refresh: true, Expires: millis(expires)}
		if next != 0 && (hasNext[next] || used[next]) {
			t.Expires = expired
		}
		d.Tokens = append(d.Tokens, t)
		if t := millis(end); t.After(d.Expires) {
			d.Expires = t
		}
		return nil
	})
}

// readDevices reads Synapse's table devices: user_id, device_id, display_name; since version 56 last_seen
// (milliseconds), ip, user_agent, and hidden, which is set for keys of users that are listed there as if they were
// devices.
func (r *sessionReader) readDevices(ctx context.Context, s *source) error {
	noDevice, err := s.noDevice(ctx)
	if err != nil {
		return err
	}
	if err := s.columns(ctx, "devices"); err != nil || !s.has["device_id"] {
		return err
	}
	q := `SELECT ` + strings.Join([]string{s.text("user_id"), s.text("device_id"), s.text("display_name"),
		s.number("last_seen"), s.text("ip"),
		s.text("user_agent"), s.flag("hidden"), "CASE WHEN " + noDevice + " THEN 1 ELSE 0 END"}, `, `) + ` FROM devices`
	return s.each(ctx, q, func(scan func(...any) error) error {
		var user, id, name, addr, agent string
		var seen, hidden, kept int64
		err := scan(&user, &id, &name, &seen, &addr, &agent, &hidden, &kept)
		switch {
		case err != nil, hidden != 0:
			return err
		case kept != 0:
			r.contents.Skipped[skippedKept]++
			return nil
		}
		d := r.device(user, id)
		if d == nil {
			r.contents.Skipped[skippedNoAccount]++
			return nil
		}
		d.Unlisted, d.DisplayName, d.Seen = false, name, db.Seen{At: millis(seen), Addr: addr, Agent: agent}
		return nil
	})
}
