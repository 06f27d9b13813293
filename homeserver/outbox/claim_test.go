package outbox

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/test/rig/postgres"
)

// createAll adds accounts in one transaction, as an import does.
func (d base) createAll(users []db.User) error {
	return d.Write(bg, func(t *db.Tx) (err error) {
		for _, u := range users {
			const q = `INSERT INTO users (localpart, password_hash, created) VALUES ($1, '', $2)`
			err = errors.Join(err, t.Exec(q, u.Localpart, db.Millis(u.Created)), t.Follow(u.Localpart, ""))
		}
		return err
	})
}

// What people do now does not wait for a large import, and looking for what is due costs the same however much waits.
func TestNewestFirst(t *testing.T) {
	t.Parallel()
	now := t0
	d := fresh(t)
	d.now = func() time.Time { now = now.Add(time.Second); return now }
	withHomeserver(t, d)
	var many []db.User
	for i := range 3 * maxRows {
		many = append(many, db.User{Localpart: fmt.Sprint("user", i), Created: t0})
	}
	if err := d.createAll(many); err != nil {
		t.Fatal(err)
	}
	login(t, d, "one", "A")
	accounts, err := d.Claim(bg, "first", t0, t0.Add(time.Minute), 2)
	if err != nil || len(accounts) != 2 || accounts[0].Localpart != "alice" {
		t.Errorf("%+v, %v", accounts, err)
	}
	for n := range 2 * maxRows {
		if _, err := d.StartSession(bg, aLogin(fmt.Sprint("s", n), fmt.Sprint("D", n))); err != nil {
			t.Fatal(err)
		}
	}
	if accounts, err = d.Claim(bg, "second", t0, t0.Add(time.Minute), 8); err != nil || len(accounts) != 8 ||
		accounts[0].Localpart == "alice" {
		t.Errorf("beside the first: %+v, %v", accounts, err)
	}
	if err := d.Settle(bg, "first", "alice", []Outcome{{DeviceID: "A"}}); err != nil {
		t.Fatal(err)
	}
	accounts, err = d.Claim(bg, "third", t0, t0.Add(time.Minute), 8)
	if err != nil || accounts[0].Localpart != "alice" || len(accounts[0].Rows) != maxRows {
		t.Errorf("of many devices: %d accounts, %v", len(accounts), err)
	}
}

// TestQueryPlans: looking for what is due must not read all that waits, nor must a login.
func TestQueryPlans(t *testing.T) {
	t.Parallel()
	if postgres.Chosen() {
		t.Skip("SQLite says it by INDEX and SCAN")
	}
	d := fresh(t)
	for _, q := range []string{dueNow, nextDue, claimable, claim, settled, release, setback, busy, waits, deviceName} {
		args := make([]any, strings.Count(q, "$")+1)
		for i := range args {
			args[i] = 1
		}
		searches := 0
		err := d.Read(bg, "EXPLAIN QUERY PLAN "+q, args, func(scan func(...any) error) error {
			var id, parent, unused int
			var detail string
			err := scan(&id, &parent, &unused, &detail)
			if strings.Contains(detail, "SCAN") {
				t.Errorf("%s: %s", q, detail)
			}
			if strings.Contains(detail, " INDEX ") {
				searches++
			}
			return err
		})
		if err != nil || searches == 0 {
			t.Errorf("%s: %d indexes, %v", q, searches, err)
		}
	}
}

// BenchmarkClaim is one look at an outbox in which 100,000 accounts wait.
func BenchmarkClaim(b *testing.B) {
	d := fresh(b)
	if err := d.SetHomeserver(bg, "http://127.0.0.1:8008"); err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		var many []db.User
		for j := range 1000 {
			many = append(many, db.User{Localpart: fmt.Sprint("user", i, "-", j), Created: t0})
		}
		if err := d.createAll(many); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		accounts, err := d.Claim(bg, "holder", t0, t0.Add(time.Minute), 8)
		if err != nil || len(accounts) != 8 {
			b.Fatal(len(accounts), err)
		}
		for _, e := range accounts {
			if err := d.Settle(bg, "holder", e.Localpart, []Outcome{{DeviceID: ""}}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
