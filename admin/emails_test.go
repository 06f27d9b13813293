package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/db"
)

// An account is given mail addresses and loses them; an address is one account's, and whose it is the operator reads.
func TestAccountEmails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	now := float64(s.clock.Now().Add(10 * time.Second).UnixMilli())
	s.done("POST", "/accounts", `{"localpart":"carol","email":"Carol@Example.org"}`)
	want := map[string]any{"emails": []any{map[string]any{"address": "carol@example.org", "validated_ts": now,
		"added_ts": now}}}
	if got := s.done("GET", "/accounts/carol/emails", ""); !cmp.Equal(got.JSON, want) {
		t.Error(cmp.Diff(want, got.JSON))
	}
	taken := s.ask("POST", "/accounts", `{"localpart":"dan","email":"CAROL@example.org"}`)
	if taken.Want(t, 400, "M_THREEPID_IN_USE"); !strings.Contains(taken.Raw, "@carol:example.org") {
		t.Error(taken.Raw)
	}
	s.ask("POST", "/accounts", `{"localpart":"dan","email":"nobody"}`).Want(t, 400, "M_INVALID_EMAIL")
	s.ask("GET", "/accounts/dan", "").Want(t, 404, "M_NOT_FOUND")
	taken = s.ask("POST", "/accounts/alice/emails", `{"address":"carol@example.org"}`)
	if taken.Want(t, 400, "M_THREEPID_IN_USE"); !strings.Contains(taken.Raw, "@carol:example.org") {
		t.Error(taken.Raw)
	}
	s.ask("POST", "/accounts/alice/emails", `{"address":"x"}`).Want(t, 400, "M_INVALID_EMAIL")
	for i := range db.MaxEmails {
		s.done("POST", "/accounts/alice/emails", fmt.Sprintf(`{"address":"a/%d+x@example.org"}`, i))
	}
	s.done("POST", "/accounts/alice/emails", `{"address":"A/0+x@example.org"}`)
	s.ask("POST", "/accounts/alice/emails", `{"address":"more@example.org"}`).Want(t, 400, "M_INVALID_PARAM")
	s.ask("DELETE", "/accounts/alice/emails/carol@example.org", "").Want(t, 404, "M_NOT_FOUND")
	left := list(t, s.done("DELETE", "/accounts/@alice:example.org/emails/A%2F0%2Bx%40example.org", ""), "emails")
	if len(left) != db.MaxEmails-1 {
		t.Errorf("left are %v", left)
	}
	events := list(t, s.done("GET", "/events?account=alice&kind=email_added&kind=email_removed", ""), "events")
	if len(events) != db.MaxEmails+1 || events[0]["kind"] != "email_removed" ||
		!strings.HasPrefix(events[0]["user_agent"].(string), "admin API, ops's token") {
		t.Errorf("the events are %v", events)
	}
	s.done("PUT", "/accounts/carol/deactivation", "")
	if got := list(t, s.done("GET", "/accounts/carol/emails", ""), "emails"); len(got) != 0 {
		t.Errorf("a deactivated account has %v", got)
	}
	s.ask("POST", "/accounts/carol/emails", `{"address":"c@example.org"}`).Want(t, 400, "M_USER_DEACTIVATED")
}
