package importer

import "context"

// Census is who is at a Synapse, to be compared with who is here.
type Census struct {
	Users   []string        // localparts of the accounts that can move and are not deactivated
	All     map[string]bool // localparts of all accounts
	Devices map[string]bool // "localpart device" of those in All
	Source  Source

	ThirdParty int // e-mail addresses and phone numbers of accounts
}

// Count reads which accounts and devices a Synapse has, with no tokens.
func Count(ctx context.Context, c Config) (Census, error) {
	n := Census{All: make(map[string]bool), Devices: make(map[string]bool)}
	s, err := c.open(ctx)
	if err != nil {
		return n, err
	}
	defer s.close()
	_, records, err := c.recordsOf(ctx, s)
	if err != nil {
		return n, err
	}
	for _, a := range c.accounts(records) {
		if a.Name != "@"+a.Localpart+":"+c.ServerName {
			continue // another server's
		}
		n.All[a.Localpart] = true
		if a.Skip == "" && !a.Deactivated {
			n.Users = append(n.Users, a.Localpart)
		}
	}
	if err := c.countDevices(ctx, s, n.Devices, n.All); err != nil {
		return n, s.explain(err)
	}
	if err := s.columns(ctx, "user_threepids"); err != nil {
		return n, s.explain(err)
	}
	if s.has["medium"] {
		err := s.each(ctx, `SELECT COUNT(*) FROM user_threepids`,
			func(scan func(...any) error) error { return scan(&n.ThirdParty) })
		if err != nil {
			return n, s.explain(err)
		}
	}
	n.Source, err = c.newest(ctx, s)
	return n, err
}

// countDevices reads the table devices.
func (c Config) countDevices(ctx context.Context, s *source, devices, of map[string]bool) error {
	noDevice, err := s.noDevice(ctx)
	if err != nil {
		return err
	}
	if err := s.columns(ctx, "devices"); err != nil || !s.has["device_id"] {
		return err
	}
	q := `SELECT user_id, device_id FROM devices WHERE ` + s.flag("hidden") + ` = 0 AND NOT ` + noDevice
	return s.each(ctx, q, func(scan func(...any) error) error {
		var user, device string
		err := scan(&user, &device)
		if localpart, server := c.split(user); server == c.ServerName && of[localpart] {
			devices[localpart+" "+device] = true
		}
		return err
	})
}

// noDevice is the condition under which a row of the table devices is a dehydrated device (schema version 58; MSC3814):
// keys that Synapse keeps for a user, on which nobody is logged in. A hidden row is no device either: it stands for
// cross-signing keys (schema version 56).
func (s *source) noDevice(ctx context.Context) (condition string, err error) {
	if err := s.columns(ctx, "dehydrated_devices"); err != nil || !s.has["device_id"] {
		return "1 = 0", err
	}
	return `EXISTS (SELECT 1 FROM dehydrated_devices AS d
		WHERE d.user_id = devices.user_id AND d.device_id = devices.device_id)`, nil
}
