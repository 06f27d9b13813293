package importer

import (
	"context"
	"strings"

	"postern/db"
)

// otherLetters is the reason of an account whose name another one has.
const otherLetters = "an account here has the name in other letters"

// skipTaken leaves accounts behind whose name, in upper or lower case, another account has that is here and not at the
// source: a registration would refuse them, and so does a homeserver that has the other one. Two that the source itself
// has come both, since there it has them. So does whoever comes with devices: that source is the homeserver.
func skipTaken(ctx context.Context, d *db.DB, contents Contents) error {
	if contents.Sessions {
		return nil
	}
	listed := make(map[string]bool)
	for _, a := range contents.Accounts {
		listed[a.Localpart] = listed[a.Localpart] || a.Skip == ""
	}
	here, others := make(map[string]bool), make(map[string]bool)
	if err := d.EachUser(ctx, func(u db.User, _ int) error {
		here[u.Localpart] = true
		if !listed[u.Localpart] {
			others[strings.ToLower(u.Localpart)] = true
		}
		return nil
	}); err != nil {
		return err
	}
	for i, a := range contents.Accounts {
		if a.Skip == "" && !here[a.Localpart] && others[strings.ToLower(a.Localpart)] {
			contents.Accounts[i].Skip = otherLetters
		}
	}
	return nil
}
