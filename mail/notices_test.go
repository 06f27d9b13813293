package mail

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
)

// house is a database that tells its people.
type house struct {
	*testing.T
	db      *db.DB
	notices *Notices
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{T: t, notices: NewNotices()}
	d, err := db.Open(t.Context(), db.Config{DSN: dbtest.DSN(t), OnEvent: h.notices.OnEvent})
	h.must(err)
	h.db = d
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	_, err = Enable(t.Context(), d, true)
	h.must(err)
	h.must(d.AddRootKey(t.Context(), db.RootKey{ID: 1, Wrapped: []byte("key"), Created: at}))
	return h
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// account makes an account with addresses.
func (h *house) account(name string, addresses ...string) {
	h.Helper()
	h.must(h.db.CreateUser(h.Context(), db.User{Localpart: name, PasswordHash: "hash", Created: at}))
	for _, a := range addresses {
		h.must(h.db.AddEmail(h.Context(), db.Email{Address: a, Localpart: name, Validated: at, Added: at,
			Language: "de"}))
	}
	h.told()
}

func (h *house) login(name, id, device string) {
	h.Helper()
	_, err := h.db.StartSession(h.Context(), db.Login{ID: id, Localpart: name, PasswordHash: "hash", DeviceID: device,
		DisplayName: "Alices " + device, At: time.Now(), KeyID: 1, Seen: db.Seen{Addr: "192.0.2.7", Agent: "Firefox"}})
	h.must(err)
}

// told are the kinds and targets of the mails that were queued since the last look.
func (h *house) told() (all []string) {
	h.Helper()
	claimed, err := h.db.ClaimDeliveries(context.Background(), "", "test", time.Now().Add(time.Hour),
		time.Now().Add(2*time.Hour), 500)
	h.must(err)
	for _, v := range claimed {
		if v.Language != "de" || !v.Expires.After(v.Created.Add(24*time.Hour)) {
			h.Errorf("it is %+v", v)
		}
		all = append(all, v.Kind+" "+strings.TrimPrefix(v.Target, "mailto:"))
		h.must(h.db.SettleDelivery(context.Background(), v.ID, "test", time.Time{}, ""))
	}
	slices.Sort(all)
	return all
}

func (h *house) wants(what string, want ...string) {
	h.Helper()
	slices.Sort(want)
	if got := h.told(); !slices.Equal(got, want) {
		h.Errorf("%s: told %q, want %q", what, got, want)
	}
}

// TestNotices: each address of an account is told of what its owner must know, and of nothing else.
func TestNotices(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := t.Context()
	senders := []<-chan struct{}{h.notices.News(), h.notices.News()}
	h.account("alice", "a@example.org", "b@example.org")
	h.account("bob")
	h.login("alice", "s1", "ONE")
	h.wants("the first device of a new account")
	h.login("alice", "s2", "TWO")
	h.wants("another device", "new_device a@example.org", "new_device b@example.org")
	h.login("alice", "s3", "TWO")
	h.wants("a device that there was")
	_, err := h.db.EndSessions(ctx, "alice")
	h.must(err)
	h.login("alice", "s4", "FOUR")
	h.wants("a new device when all have gone", "new_device a@example.org", "new_device b@example.org")
	_, err = h.db.ChangePassword(ctx, db.PasswordChange{Localpart: "alice", Hash: "hash"})
	h.must(err)
	h.wants("a password", "password_changed a@example.org", "password_changed b@example.org")
	h.must(h.db.AddEmail(ctx, db.Email{Address: "c@example.org", Localpart: "alice", Validated: at, Added: at,
		Language: "de"}))
	h.wants("an address more", "email_added a@example.org", "email_added b@example.org", "email_added c@example.org")
	h.must(h.db.RemoveEmail(ctx, "alice", "c@example.org"))
	h.wants("an address less",
		"email_removed a@example.org", "email_removed b@example.org", "email_removed c@example.org")
	h.must(h.db.LockUser(ctx, "alice", at))
	h.must(h.db.UnlockUser(ctx, "alice"))
	h.wants("a lock")
	h.login("bob", "b1", "ONE")
	h.login("bob", "b2", "TWO")
	h.wants("an account without an address")
	for _, news := range senders {
		select {
		case <-news:
		default:
			t.Error("a sender was not woken")
		}
	}
	if changed, err := Enable(ctx, h.db, true); changed || err != nil {
		t.Errorf("it was on: %v, %v", changed, err)
	}
	if changed, err := Enable(ctx, h.db, false); !changed || err != nil {
		t.Errorf("it goes off: %v, %v", changed, err)
	}
	h.login("alice", "s9", "NINE")
	h.wants("mail is off")
}

// TestNoticeSays: a notice names the device, and from where; one of the command line says whose doing it was.
func TestNoticeSays(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.account("alice", "a@example.org")
	h.login("alice", "s1", "ONE")
	h.login("alice", "s2", "TWO")
	byHand := db.By(t.Context(), command{})
	_, err := h.db.ChangePassword(byHand, db.PasswordChange{Localpart: "alice", Hash: "other"})
	h.must(err)
	all, err := h.db.Deliveries(t.Context(), time.Time{}, 9)
	h.must(err)
	if len(all) != 2 {
		t.Fatalf("there are %+v", all)
	}
	for _, v := range all {
		r, _ := written(t, v)
		want := []string{"Gerät: Alices TWO", "Von: 192.0.2.7", "Konto: @alice:example.org"}
		if v.Kind == db.EventPassword {
			want = []string{"Von: den Betreibern", "Konto: @alice:example.org"}
		}
		for _, text := range want {
			if !strings.Contains(r.plain, text) {
				t.Errorf("%s does not say %q: %s", v.Kind, text, r.plain)
			}
		}
	}
}

type command struct{}

func (command) Seen() db.Seen { return db.Seen{Agent: "postern user passwd"} }

// TestNoticeFlood: somebody who makes devices without end does not fill the owner's mailbox, and cannot keep another
// notice from coming.
func TestNoticeFlood(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.account("alice", "a@example.org")
	for i := range 30 {
		h.login("alice", fmt.Sprint("s", i), fmt.Sprint("D", i))
	}
	if got := h.told(); len(got) != 10 {
		t.Errorf("%d mails, want 10", len(got))
	}
	_, err := h.db.ChangePassword(t.Context(), db.PasswordChange{Localpart: "alice", Hash: "other"})
	h.must(err)
	h.wants("then a password", "password_changed a@example.org")
}

// TestNoticeOrNothing: a change whose notice cannot be written does not happen.
func TestNoticeOrNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.account("alice", "a@example.org")
	h.must(h.db.Write(t.Context(), func(tx *db.Tx) error { return tx.Exec(`ALTER TABLE deliveries RENAME TO hidden`) }))
	_, err := h.db.ChangePassword(t.Context(), db.PasswordChange{Localpart: "alice", Hash: "other"})
	if err == nil {
		t.Error("the password was changed without a notice")
	}
	h.must(h.db.Write(t.Context(), func(tx *db.Tx) error { return tx.Exec(`ALTER TABLE hidden RENAME TO deliveries`) }))
	if u, err := h.db.User(t.Context(), "alice"); err != nil || u.PasswordHash != "hash" {
		t.Errorf("the account is %+v, %v", u, err)
	}
}

// TestNoticePlans: what a login looks up for its notice it finds by an index.
func TestNoticePlans(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	h := newHouse(t)
	for _, q := range []string{readers, usedBefore, deviceName} {
		args := []any{"alice"}
		if strings.Contains(q, "$2") {
			args = append(args, "s1")
		}
		h.must(h.db.Read(t.Context(), "EXPLAIN QUERY PLAN "+q, args, func(scan func(...any) error) error {
			var id, parent, unused int
			var detail string
			err := scan(&id, &parent, &unused, &detail)
			if strings.Contains(detail, "SCAN") && !strings.Contains(detail, "CONSTANT") {
				t.Errorf("%s: %s", q, detail)
			}
			return err
		}))
	}
}

// TestNoticeValues: what stands in a notice can be read without a key, and holds no link.
func TestNoticeValues(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.account("alice", "a@example.org")
	h.login("alice", "s1", "ONE")
	h.login("alice", "s2", "TWO")
	all, err := h.db.Deliveries(t.Context(), time.Time{}, 9)
	h.must(err)
	var values map[string]string
	if len(all) != 1 || json.Unmarshal(all[0].Sealed, &values) != nil || values["link"] != "" {
		t.Errorf("there are %+v", all)
	}
}
