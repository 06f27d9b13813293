package importer

import (
	"context"

	"postern/db"
	"postern/handlers"
)

// The tables of mail addresses, and what their columns are called. Synapse's is user_threepids since its beginning;
// times are Unix milliseconds. Dendrite's was called account_threepid until October 2022, and says no times.
var emailTables = map[Kind][]struct{ table, user, address string }{
	Synapse:  {{"user_threepids", "user_id", "address"}},
	Dendrite: {{"userapi_threepids", "localpart", "threepid"}, {"account_threepid", "localpart", "threepid"}},
}

// readEmails adds the mail addresses to the accounts. Phone numbers stay, and so does what is no address to this
// server. Of two addresses that are one here, in upper and in lower case, the older is brought.
func (c Config) readEmails(ctx context.Context, s *source, kind Kind, records []record) error {
	of := make(map[[2]string]*record)
	for i := range records {
		of[[2]string{records[i].localpart, records[i].server}] = &records[i]
	}
	seen := make(map[string]bool)
	for _, t := range emailTables[kind] {
		if err := s.columns(ctx, t.table); err != nil {
			return err
		}
		if !s.has[t.user] || !s.has[t.address] {
			continue
		}
		q := `SELECT ` + s.text(t.user) + `, ` + s.text("server_name") + `, ` + s.text(t.address) + `, ` +
			s.number("validated_at") + `, ` + s.number("added_at") + ` AS added FROM ` + t.table +
			` WHERE medium = 'email' ORDER BY added, ` + t.address
		return s.each(ctx, q, func(scan func(...any) error) error {
			var user, server, text string
			var validated, added int64
			if err := scan(&user, &server, &text, &validated, &added); err != nil {
				return err
			}
			localpart, own := c.split(user)
			if server == "" {
				server = own
			}
			r, address := of[[2]string{localpart, server}], ""
			if r != nil {
				address, _ = handlers.Address(text)
			}
			if address != "" && !seen[address] {
				seen[address] = true
				r.emails = append(r.emails, db.Email{Address: address, Localpart: localpart,
					Validated: millis(validated), Added: millis(added)})
			}
			return nil
		})
	}
	return nil
}
