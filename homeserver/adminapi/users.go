package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/amend"
	"postern/homeserver/synapse"
)

// put is what a request to make or change a user says that is this server's to do.
type put struct {
	localpart           string
	body                amend.Object
	password            string    // empty: it stays
	emails              *[]string // nil: they stay
	admin               *bool     // nil: it stays
	deactivated, locked *bool
	logoutDevices       bool
}

// putUser is PUT v2/users/ID: it makes a user, or changes one. Synapse, "Create or modify account".
//
// Synapse has the request first, without the password. It checks all of it before it looks for the user, so what it
// refuses for another reason than that there is none is refused. A user whom neither server knows is made here, and
// Synapse told; then it has the request once more, for the name, the picture and whatever else is asked for.
func (a *API) putUser(r request) error {
	p, err := a.readPut(r)
	if err == nil && p.emails != nil {
		err = a.free(r.Context(), p.localpart, *p.emails)
	}
	if err != nil {
		return err
	}
	answer, made, err := a.pass(r, p)
	if err != nil {
		return err
	}
	if answer.Status/100 != 2 {
		answer.Forward(r.w)
		return nil
	}
	if !made {
		if err := a.carryOut(context.WithoutCancel(r.Context()), p); err != nil {
			return err
		}
	}
	a.log(r)
	return a.tell(r, answer, made)
}

// readPut reads the request, and refuses what this server would not do.
func (a *API) readPut(r request) (p put, err error) {
	if p.body, err = r.object(false); err != nil {
		return p, err
	}
	if p.localpart, err = a.local(r.call.Args[0], "This endpoint can only be used with local users"); err != nil {
		return p, err
	}
	p.logoutDevices = true
	for _, field := range []struct {
		name  string
		into  **bool
		wrong error
	}{
		{"admin", &p.admin, badJSON("Param 'admin' must be a boolean, if given")},
		{"deactivated", &p.deactivated, invalid("'deactivated' parameter is not of type boolean")},
		{"locked", &p.locked, invalid("'locked' parameter is not of type boolean")},
	} {
		if _, err := read(p.body, field.name, field.into, field.wrong); err != nil {
			return p, err
		}
	}
	if p.password, err = password(p.body, "password"); err != nil {
		return p, err
	}
	_, err = read(p.body, "logout_devices", &p.logoutDevices,
		invalid("'logout_devices' parameter is not of type boolean"))
	if err == nil {
		p.emails, err = readEmails(p.body)
	}
	if err == nil && p.password != "" {
		err = a.Server.CheckNewPassword(p.password, p.localpart)
	}
	if err == nil && p.admin != nil && !*p.admin && p.localpart == r.who.Session.Localpart {
		err = demotesSelf()
	}
	return p, err
}

func demotesSelf() error { return invalid("You may not demote yourself.") }

// ours are the fields of the request that Synapse does not get: it would refuse the first, and ignores the second then.
var ours = []string{"password", "logout_devices"}

// pass has Synapse answer. A user whom it does not know is made before, if this server has none either.
func (a *API) pass(r request, p put) (answer *amend.Answer, made bool, err error) {
	answer, err = amend.Ask(r.next, amend.WithBody(r.Context(), r.Request, p.body.Without(ours)))
	if err != nil || answer.Status != http.StatusForbidden {
		return answer, false, err
	}
	switch _, err := a.User(r.Context(), p.localpart); {
	case err == nil:
		return answer, false, nil // it is refused for another reason
	case !errors.Is(err, synapse.ErrNotFound):
		return nil, false, amend.Away(err)
	}
	_, known, err := a.account(r.Context(), p.localpart)
	switch {
	case err == nil && known:
		err = a.provision(r.Context(), p.localpart)
	case err == nil:
		made, err = true, a.make(r.Context(), p)
	}
	if err != nil {
		return nil, false, err
	}
	left := ours
	if made {
		left = append([]string{"deactivated", "locked"}, ours...) // which count for a user that is there
	}
	answer, err = amend.Ask(r.next, amend.WithBody(r.Context(), r.Request, p.body.Without(left)))
	return answer, made, err
}

// provision makes the homeserver know a user.
func (a *API) provision(ctx context.Context, localpart string) error {
	if err := a.Provision(ctx, localpart, "", ""); err != nil {
		return amend.Away(err)
	}
	return nil
}

// make makes the account.
func (a *API) make(ctx context.Context, p put) error {
	account := a.made(p.localpart, p.password, p.admin != nil && *p.admin)
	if mark := account.Also; p.emails != nil {
		account.Also = func(t *db.Tx) error {
			for _, address := range *p.emails {
				// One that somebody else has since it was found free stays theirs.
				if _, err := t.AddEmail(bound(p.localpart, address, a.Server.Now())); err != nil {
					return err
				}
			}
			if mark == nil {
				return nil
			}
			return mark(t)
		}
	}
	_, err := a.Server.MakeAccount(ctx, account)
	return err
}

// made is an account that is to be made, with its mark.
func (a *API) made(localpart, password string, admin bool) handlers.MadeAccount {
	account := handlers.MadeAccount{Localpart: localpart, Password: password, Admin: admin}
	if admin {
		account.Also = func(t *db.Tx) error {
			_, err := t.SetAdmin(localpart, true)
			return err
		}
	}
	return account
}

// carryOut does this server's part for a user that was there.
func (a *API) carryOut(ctx context.Context, p put) error {
	account, known, err := a.account(ctx, p.localpart)
	if err == nil && !known {
		if p.password == "" && (p.admin == nil || !*p.admin) {
			return nil // a user of Synapse's alone, such as an application service's
		}
		account, err = a.Adopt(ctx, p.localpart)
	}
	if err == nil && p.admin != nil {
		err = a.Queue.DB.SetAdmin(ctx, p.localpart, *p.admin)
	}
	if err == nil && p.password != "" {
		_, err = a.Server.SetPassword(ctx, p.localpart, p.password, p.logoutDevices)
	}
	if err == nil {
		err = a.changed(ctx, p.localpart, p.deactivated, p.locked)
	}
	closed := !account.Deactivated.IsZero()
	if p.deactivated != nil {
		closed = *p.deactivated
	}
	if err == nil && p.emails != nil && !closed {
		err = a.bind(ctx, p.localpart, *p.emails)
	}
	return err
}

// tell answers with the user as Synapse describes it, and its mark.
func (a *API) tell(r request, answer *amend.Answer, made bool) error {
	var user map[string]json.RawMessage
	if answer.Read(&user) != nil || user == nil {
		answer.Forward(r.w) // nothing that we know
		return nil
	}
	a.correct(user)
	amend.Late(r.w)
	if made {
		handlers.OpenToBrowsers(r.w.Header())
		r.w.Header().Set("Content-Type", "application/json")
		r.w.WriteHeader(http.StatusCreated)
	}
	return reply(r.w, user)
}
