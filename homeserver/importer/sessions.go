package importer

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// Contents is all that a source has, as it was at one instant.
type Contents struct {
	Kind     Kind
	Accounts []Account
	Devices  map[string][]Device // by the name of an account that moves
	Left     map[string]int      // how many devices or tokens stay behind, by the reason
}

// Device is a device and all its tokens, those that are over too: whoever shows one of them must be told that it keeps
// the device.
type Device struct {
	ID, Name    string
	Seen        time.Time
	Addr, Agent string
	End         time.Time // when its session ends, however often it is refreshed; zero: never
	Tokens      []Token
	Unlisted    bool // only tokens speak of it: Synapse does not mind, until another server has the accounts
}

// Token is what is read of a token: it is hashed at once.
type Token struct {
	Hash    [sha256.Size]byte // SHA-256 of the whole token
	Refresh bool
	Spent   bool      // a refresh token whose successor was used
	Expires time.Time // zero: never
}

// The reasons for which tokens and devices stay behind.
const (
	leftPuppet    = "tokens that an admin made to act as somebody else"
	leftNoDevice  = "tokens without a device"
	leftNoAccount = "devices of accounts that stay behind"
)

// ReadSessions is Read with the devices and tokens of the accounts that move, which only Synapse's databases have.
func ReadSessions(ctx context.Context, c Config) (Contents, error) {
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
	l := lodgings{contents: Contents{Kind: Synapse, Accounts: c.accounts(records), Devices: make(map[string][]Device),
		Left: make(map[string]int)}}
	if err := c.elsewhere(records); err != nil {
		return Contents{}, err
	}
	err = l.read(ctx, s)
	return l.contents, s.explain(err)
}

// lodgings collects the devices of accounts that move.
type lodgings struct {
	contents Contents
	devices  map[string]map[string]*Device // by account and device; an account that moves has an entry
}

func (l *lodgings) read(ctx context.Context, s *source) error {
	l.devices = make(map[string]map[string]*Device)
	for _, a := range l.contents.Accounts {
		if a.Skip == "" {
			l.devices[a.Name] = nil
		}
	}
	used, err := l.readAccess(ctx, s)
	if err == nil {
		err = l.readRefresh(ctx, s, used)
	}
	if err == nil {
		err = l.readDevices(ctx, s)
	}
	for name, devices := range l.devices {
		for _, id := range slices.Sorted(maps.Keys(devices)) {
			l.contents.Devices[name] = append(l.contents.Devices[name], *devices[id])
		}
	}
	return err
}

// device finds or makes a device; nil if its account stays behind.
func (l *lodgings) device(user, id string) *Device {
	devices, moves := l.devices[user]
	if !moves {
		return nil
	}
	if devices == nil {
		devices = make(map[string]*Device)
		l.devices[user] = devices
	}
	d := devices[id]
	if d == nil {
		d = &Device{ID: strings.Clone(id), Unlisted: true}
		devices[id] = d
	}
	return d
}

// readAccess reads Synapse's table access_tokens, and gives the ids of the refresh tokens that came with an access
// token which was used. What the table knows, by the schema version that brought it: at first user_id, device_id (NULL
// for who came by an admin's call), token; 55 valid_until_ms (milliseconds), 58 puppets_user_id, 59 refresh_token_id
// and used.
func (l *lodgings) readAccess(ctx context.Context, s *source) (used map[int64]bool, err error) {
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
		_, moves := l.devices[user]
		switch {
		case puppet != "":
			l.contents.Left[leftPuppet]++
		case !moves: // its device is counted
		case device == "":
			l.contents.Left[leftNoDevice]++
		default:
			d := l.device(user, device)
			d.Tokens = append(d.Tokens, Token{Hash: sha256.Sum256([]byte(token)), Expires: at(time.UnixMilli(expires))})
		}
		return nil
	})
	return used, err
}

// readRefresh reads Synapse's table refresh_tokens, of schema version 59 (65: expiry_ts and ultimate_session_expiry_ts,
// in milliseconds). Until version 46 there was another one of that name, which nobody used. A token is good until its
// successor was refreshed, or the access token that came with the successor was used; Synapse keeps the last two of a
// device.
func (l *lodgings) readRefresh(ctx context.Context, s *source, used map[int64]bool) error {
	if err := s.columns(ctx, "refresh_tokens"); err != nil || !s.has["next_token_id"] {
		return err
	}
	moved := make(map[int64]bool) // those that have a successor
	err := s.each(ctx, `SELECT id FROM refresh_tokens WHERE next_token_id IS NOT NULL`,
		func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			moved[id] = true
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
		d := l.device(user, device)
		if d == nil {
			return nil
		}
		t := Token{Hash: sha256.Sum256([]byte(token)), Refresh: true, Spent: next != 0 && (moved[next] || used[next]),
			Expires: at(time.UnixMilli(expires))}
		d.Tokens = append(d.Tokens, t)
		if t := at(time.UnixMilli(end)); t.After(d.End) {
			d.End = t
		}
		return nil
	})
}

// readDevices reads Synapse's table devices: user_id, device_id, display_name; since version 56 last_seen
// (milliseconds), ip, user_agent, and hidden, which is set for keys of users that are listed there as if they were
// devices.
func (l *lodgings) readDevices(ctx context.Context, s *source) error {
	if err := s.columns(ctx, "devices"); err != nil || !s.has["device_id"] {
		return err
	}
	q := `SELECT ` + strings.Join([]string{s.text("user_id"), s.text("device_id"), s.text("display_name"),
		s.number("last_seen"), s.text("ip"),
		s.text("user_agent"), s.flag("hidden")}, `, `) + ` FROM devices`
	return s.each(ctx, q, func(scan func(...any) error) error {
		var user, id, name, addr, agent string
		var seen, hidden int64
		if err := scan(&user, &id, &name, &seen, &addr, &agent, &hidden); err != nil || hidden != 0 {
			return err
		}
		d := l.device(user, id)
		if d == nil {
			l.contents.Left[leftNoAccount]++
			return nil
		}
		d.Unlisted, d.Name, d.Seen, d.Addr, d.Agent = false, name, at(time.UnixMilli(seen)), addr, agent
		return nil
	})
}
