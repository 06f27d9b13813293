package outbox_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
	"postern/homeserver/imported"
	"postern/homeserver/outbox"
	"postern/homeserver/synapse"
	"postern/test/rig/fakesynapse"
)

// The homeserver is told of accounts that come from elsewhere, except of those that it was told of before.
func TestImportedAccounts(t *testing.T) {
	t.Parallel()
	there := fakesynapse.New(t, "a secret")
	q, err := outbox.Open(t.Context(), db.Config{DSN: dbtest.DSN(t)})
	if err != nil {
		t.Fatal(err)
	}
	client := synapse.New(synapse.Config{URL: there.URL, Secret: "a secret", Timeout: time.Second})
	sender := outbox.New(outbox.Config{Queue: q, Synapse: client, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	sender.Start()
	t.Cleanup(func() {
		sender.Close()
		client.Close()
		if err := q.DB.Close(); err != nil {
			t.Error(err)
		}
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	settle := func() {
		t.Helper()
		for range 12_000 {
			n, err := q.Size(t.Context())
			must(err)
			if n == 0 {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Fatal("the outbox does not empty")
	}
	must(q.SetHomeserver(t.Context(), there.URL))
	alice, carol := db.User{Localpart: "alice", Created: time.Now()}, db.User{Localpart: "carol", Created: time.Now()}
	must(q.DB.CreateUser(t.Context(), alice))
	settle()
	there.Calls() // those until now
	_, err = imported.Add(t.Context(), q.DB, imported.Batch{Arrivals: []imported.Arrival{{User: alice},
		{User: carol}}})
	must(err)
	settle()
	if got := there.Calls(); !slices.Equal(got, []string{"provision_user carol"}) {
		t.Errorf("the homeserver is told %q", got)
	}
}
