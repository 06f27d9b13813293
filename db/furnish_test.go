package db

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// holdings is everything that a database tells of itself.
type holdings struct {
	Users        []User
	Sessions     []Session
	Keys         []RootKey
	Events       []Event
	Registration []RegistrationToken
	ServerName   string
	LoginTokens  int
	KeysBefore   int
	Imported     int
	Made         [3]int // sessions that began here, accounts whose password was set here, accounts made here
	Reservations int
	Waiting      []WaitingUser
	Outbox       []string
	Clients      []Client
	Emails       []Email
	Deliveries   []string
}

func (d *DB) holdings(t *testing.T) (h holdings) {
	t.Helper()
	var errs [11]error
	h.Users, errs[0] = d.Users(bg)
	h.Sessions, errs[1] = d.Sessions(bg, "")
	h.Keys, errs[2] = d.RootKeys(bg)
	h.Events, errs[3] = d.Events(bg, "", 1000)
	h.Registration, errs[4] = d.RegistrationTokens(bg, t0)
	h.ServerName, errs[5] = d.Setting(bg, "server_name")
	h.Clients, errs[7] = d.Clients(bg)
	const outbox = `SELECT localpart, device_id, since, due, tries, refused, error, spared, changed, holder, held,
		reopen FROM outbox ORDER BY localpart, device_id`
	h.Outbox, errs[6] = list(bg, d, outbox, func(scan func(...any) error) (string, error) {
		var localpart, device, why, holder string
		var since, due, tries, held int64
		var refused, spared, changed, reopen bool
		err := scan(&localpart, &device, &since, &due, &tries, &refused, &why, &spared, &changed, &holder,
			&held, &reopen)
		return fmt.Sprint(localpart, "|", device, "|", since, due, tries, refused, why, "|", spared,
			changed, holder, "|", held, reopen), err
	})
	h.Waiting, errs[8] = d.WaitingUsers(bg)
	h.Emails, errs[9] = d.Emails(bg, "alice")
	const deliveries = `SELECT ` + deliveryColumns + `, holder, held FROM deliveries ORDER BY id`
	h.Deliveries, errs[10] = list(bg, d, deliveries, func(scan func(...any) error) (string, error) {
		var holder string
		var held int64
		v, err := scanDelivery(func(dest ...any) error { return scan(append(dest, &holder, &held)...) })
		return fmt.Sprintf("%+v %s %d", v, holder, held), err
	})
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	// engines sort text differently
	slices.SortFunc(h.Sessions, func(a, b Session) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(h.Events, func(a, b Event) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	slices.SortFunc(h.Users, func(a, b User) int { return strings.Compare(a.Localpart, b.Localpart) })
	h.LoginTokens, h.KeysBefore = d.count(t, "used_login_tokens"), d.count(t, "sessions WHERE prev_key_id = 1")
	h.Imported = d.count(t, "imported_tokens")
	h.Made = [3]int{d.count(t, "sessions WHERE state = 'live' AND NOT imported"),
		d.count(t, "users WHERE imported <> '' AND own_password AND deactivated = 0"),
		d.count(t, "users WHERE imported = '' AND deactivated = 0")}
	h.Reservations = d.count(t, "registration_reservations")
	return h
}

// furnish puts something into every table and every column.
func furnish(t *testing.T, d *DB) {
	t.Helper()
	d.hasten(t)
	day := t0.Add(day)
	for _, u := range []User{{Localpart: "bob", PasswordHash: "his", Created: t0, Deactivated: day},
		{Localpart: "Žofie \"O'Hara\"\t\\", PasswordHash: "", Created: t0}} {
		if err := d.CreateUser(bg, u); err != nil {
			t.Fatal(err)
		}
	}
	d.bulk(t, "many", 3*insertRows+1, time.Time{})
	d.bulk(t, "ending", 5, day)
	if err := d.CreateUser(bg, User{Localpart: "moved", PasswordHash: "theirs", Created: t0}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.StartSession(bg, Login{ID: "imported", Localpart: "moved", PasswordHash: "theirs", DeviceID: "A",
		At: t0, KeyID: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ChangePassword(bg, PasswordChange{Localpart: "moved", Hash: "own"}); err != nil {
		t.Fatal(err)
	}
	login(t, d, "one", "A")
	if _, err := bot(d, "bell", "BELL", func(l *Login) { l.Scope = ScopeAdmin }); err != nil {
		t.Fatal(err)
	}
	invite(t, d, RegistrationToken{Token: "door", UsesAllowed: 7, Used: 2, Expires: day})
	ask(t, d, "Ž", "192.0.2.1")
	if _, err := d.Register(bg, Registration{Localpart: "shown", PasswordHash: "hers", At: t0, Waits: true,
		Email: Email{Address: "shown@example.org", Validated: t0, Language: "de"}}); err != nil {
		t.Fatal(err)
	}
	furnishMail(t, d)
	_, err := d.StartSession(bg, Login{ID: "linked", Localpart: "alice", DeviceID: "L", At: t0, LoginToken: "spent",
		LoginTokenExpires: day, KeyID: 1})
	_, err2 := d.AdvanceGeneration(bg, refresh("one", 1))
	r := refresh("one", 2)
	r.KeyID = 2
	_, err3 := d.AdvanceGeneration(bg, r)
	err = errors.Join(err, err2, err3, d.AddRootKey(bg, RootKey{ID: 1, Wrapped: []byte{0, 255, 7}, Created: t0}),
		d.AddRootKey(bg, RootKey{ID: 2, Wrapped: []byte("key"), Created: t0}),
		d.AddRootKey(bg, RootKey{ID: 3, Wrapped: []byte("old"), Created: t0}),
		d.RetireRootKey(bg, 3, day, true), d.SetSetting(bg, "server_name", "example.org"),
		d.ReserveRegistrationToken(bg, "door", "uia", t0, day),
		d.LockUser(bg, "alice", day), d.UnlockUser(bg, "alice"),
		d.KeepClient(bg, "app", "{}", t0), d.AddClient(bg, "bot", "{}", day),
		d.LockUser(bg, "Žofie \"O'Hara\"\t\\", day))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.AdvanceGeneration(bg, Refresh{Session: "many1", Generation: -1, At: day, KeyID: 2}); !errors.Is(err,
		ErrReplay) {
		t.Fatal(err)
	}
	// what packages of the homeserver write
	if err := d.Write(bg, func(t *Tx) error {
		return errors.Join(
			t.Exec(`UPDATE users SET imported = 'mark' WHERE localpart = 'moved'`),
			t.Exec(`UPDATE sessions SET imported = TRUE WHERE id = 'imported'`),
			t.Exec(`INSERT INTO imported_tokens (hash, session_id, refresh, expires)
				VALUES ($1, 'imported', FALSE, 7), ($2, 'imported', TRUE, 0)`, []byte{1, 0, 255}, []byte("other")),
			t.Exec(`INSERT INTO outbox (localpart, device_id, since, due, tries, refused, error, spared, changed,
					holder, held, reopen)
				VALUES ('alice', 'C', 1, 2, 0, FALSE, '', TRUE, TRUE, '', 0, FALSE),
					('alice', 'many2', 3, 4, 5, TRUE, 'refused', FALSE, FALSE, 'holder', 6, FALSE),
					('bob', '', 7, 8, 9, FALSE, 'away', FALSE, TRUE, '', 0, TRUE)`))
	}); err != nil {
		t.Fatal(err)
	}
}

// furnishMail puts an address there, and a delivery that waits, one that a sender has, and one that was sent.
func furnishMail(t *testing.T, d *DB) {
	t.Helper()
	err := d.AddEmail(bg, Email{Address: "alice@example.org", Localpart: "alice", Validated: t0, Added: t0.Add(1e9),
		Language: "en"})
	for _, id := range []string{"sent", "held", "waits"} {
		v := Delivery{ID: id, Kind: "kind", Target: "mailto:alice@example.org", Localpart: "alice", Language: "en",
			Sealed: []byte{0, 255, 7}, Created: t0, Expires: t0.Add(day)}
		err = errors.Join(err, d.Deliver(bg, v))
		if id == "waits" {
			continue
		}
		claimed, failed := d.ClaimDeliveries(bg, "holder", t0, t0.Add(time.Hour), 1)
		if err = errors.Join(err, failed); id == "sent" && len(claimed) == 1 {
			err = errors.Join(err, d.SettleDelivery(bg, id, "holder", time.Time{}, "an error"))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
