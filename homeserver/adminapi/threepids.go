package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/amend"
)

// Mail addresses are at both servers: Synapse sends notifications there, and this server lets people recover by them.
// So those that an administrator gives to a user, or takes away, are given and taken here. Phone numbers are Synapse's.

// threepid is an address as Synapse writes it.
type threepid struct {
	Medium    string `json:"medium"`
	Address   string `json:"address"`
	Validated int64  `json:"validated_at"`
	Added     int64  `json:"added_at"`
}

const email = "email"

// readEmails reads which mail addresses a user is to have; nil: those that there are.
func readEmails(body amend.Object) (wanted *[]string, err error) {
	var all []json.RawMessage
	wrong := invalidParam("threepids must be a list of objects with a medium and an address")
	if there, err := read(body, "threepids", &all, wrong); err != nil || !there {
		return nil, err
	}
	wanted = new([]string)
	for _, text := range all {
		x, err := readThreepid(text)
		switch {
		case err != nil:
			return nil, wrong
		case x.Medium != email:
			continue
		}
		address, err := handlers.Address(x.Address)
		if err != nil {
			return nil, invalidParam("Invalid email address: " + x.Address)
		}
		if !slices.Contains(*wanted, address) {
			*wanted = append(*wanted, address)
		}
	}
	if len(*wanted) > db.MaxEmails {
		return nil, invalidParam("A user may have ten email addresses")
	}
	return wanted, nil
}

// readThreepid reads the two fields that count, by their exact names, as Synapse does: encoding/json takes other
// letters for them too, and what is bound here would not be what is bound there.
func readThreepid(text json.RawMessage) (x threepid, err error) {
	body, err := amend.ParseObject(text)
	if err == nil {
		_, err = read(body, "medium", &x.Medium, errNoThreepid)
	}
	if err == nil {
		_, err = read(body, "address", &x.Address, errNoThreepid)
	}
	return x, err
}

var errNoThreepid = errors.New("a medium or an address is no text")

// free refuses addresses that another account has: who gets a mail there could take that over.
func (a *API) free(ctx context.Context, localpart string, addresses []string) error {
	for _, address := range addresses {
		found, err := a.Queue.DB.Email(ctx, address)
		switch {
		case errors.Is(err, db.ErrNotFound) || err == nil && found.Localpart == localpart:
		case err == nil:
			return taken(address)
		default:
			return err
		}
	}
	return nil
}

func taken(address string) error {
	return amend.Refused(http.StatusBadRequest, "M_THREEPID_IN_USE", "Another user has this address: "+address)
}

// bind has an account have these addresses and no others.
func (a *API) bind(ctx context.Context, localpart string, wanted []string) error {
	emails := make([]db.Email, 0, len(wanted))
	for _, address := range wanted {
		emails = append(emails, bound(localpart, address, a.Server.Now()))
	}
	address, err := a.Queue.DB.SetEmails(ctx, localpart, emails)
	if errors.Is(err, db.ErrConflict) {
		return taken(address) // since it was found free
	}
	return err
}

// bound is an address that an administrator vouches for.
func bound(localpart, address string, now time.Time) db.Email {
	return db.Email{Address: address, Localpart: localpart, Validated: now, Added: now}
}

// addEmails writes this server's addresses of a user beside those that Synapse knows: a tool that reads a user, changes
// a field and writes all of it back would else take them away.
func (a *API) addEmails(ctx context.Context, user map[string]json.RawMessage, localpart string) error {
	var shown []threepid
	if text, there := user["threepids"]; !there || json.Unmarshal(text, &shown) != nil {
		return nil
	}
	emails, err := a.Queue.DB.Emails(ctx, localpart)
	if err != nil || len(emails) == 0 {
		return err
	}
	for _, e := range emails {
		if !slices.ContainsFunc(shown, func(x threepid) bool { return x.Medium == email && x.Address == e.Address }) {
			shown = append(shown, threepid{email, e.Address, db.Millis(e.Validated), db.Millis(e.Added)})
		}
	}
	text, err := json.Marshal(shown)
	if err == nil {
		user["threepids"] = text
	}
	return err
}
