package homeserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/db"
)

// TestAdminMakesUsers: an account is made with all that is asked for, and the homeserver never sees a password, however
// the field is spelled.
func TestAdminMakesUsers(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	put := func(name, body string) answer {
		return s.admin(h, alice, "PUT", "v2/users/%40"+name+"%3Aexample.org", body)
	}
	a := put("carol", `{"p\u0061ssword":"a long password","displayname":"Carol","admin":true,"locked":false}`)
	if a.Status != 201 || a.JSON["admin"] != true || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("made: %d %s %v", a.Status, a.Raw, a.Header)
	}
	if u, err := s.db.User(t.Context(), "carol"); err != nil || !u.Admin {
		t.Errorf("%+v, %v", u, err)
	}
	login := call{Method: "POST", Path: loginPath, Body: loginBody("carol", "a long password", "")}
	carol := s.ok(s.do(login)).Text("access_token")
	s.ok(s.admin(h, carol, "GET", "v1/users/@carol:example.org/admin", ""))
	if a = put("carol", `{"displayname":"C"}`); a.Status != 200 || a.JSON["admin"] != true {
		t.Errorf("again: %d %s", a.Status, a.Raw)
	}
	if a = put("nopass", `{}`); a.Status != 201 {
		t.Errorf("without a password: %d %s", a.Status, a.Raw)
	}
	for _, body := range h.bodies {
		if strings.Contains(body, "long password") {
			t.Errorf("the homeserver got %s", body)
		}
	}
	s.ok(put("carol", `{"password":"another long password","logout_devices":false}`))
	s.ok(s.whoami(carol))
	s.ok(put("carol", `{"password":"a third long password"}`))
	s.want(s.whoami(carol), 401, "M_UNKNOWN_TOKEN")
	events, err := s.db.EventPage(t.Context(), db.EventFilter{Localpart: "carol", Kinds: []string{db.EventPassword}},
		db.Event{}, 1)
	if err != nil || len(events) != 1 || events[0].Addr != "" ||
		!strings.HasPrefix(events[0].Agent, "Synapse's admin API: alice, from ") {
		t.Errorf("carol must read that whoever runs the server did it: %+v, %v", events, err)
	}
	s.ok(put("alice", `{"password":"a long password of hers","admin":true}`))
	s.ok(s.whoami(alice)) // whoever changes their own password stays
}

// TestAdminPutRefused: what is refused, by whichever server, changes nothing at either.
func TestAdminPutRefused(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	before := s.userRows()
	for _, try := range []struct {
		user, body, code string
		status, asked    int
	}{
		{"@bob:other.org", `{}`, "M_UNKNOWN", 400, 0},
		{"@bob:example.org%2Fadmin", `{}`, "M_UNKNOWN", 400, 0},
		{"@bob:EXAMPLE.org", `{}`, "M_UNKNOWN", 400, 0},
		{"bob", `{}`, "M_INVALID_PARAM", 400, 0},
		{"@bob", `{}`, "M_INVALID_PARAM", 400, 0},
		{"@bob:example.org", `[]`, "M_BAD_JSON", 400, 0},
		{"@bob:example.org", `{`, "M_NOT_JSON", 400, 0},
		{"@bob:example.org", `{"admin":"false"}`, "M_BAD_JSON", 400, 0},
		{"@bob:example.org", `{"password":7}`, "M_UNKNOWN", 400, 0},
		{"@bob:example.org", `{"password":""}`, "M_UNKNOWN", 400, 0},
		{"@bob:example.org", `{"password":"x"}`, "M_WEAK_PASSWORD", 400, 0},
		{"@bob:example.org", `{"password":"` + strings.Repeat("x", 513) + `"}`, "M_UNKNOWN", 400, 0},
		{"@bob:example.org", `{"logout_devices":1}`, "M_UNKNOWN", 400, 0},
		{"@alice:example.org", `{"admin":false,"displayname":"x"}`, "M_UNKNOWN", 400, 0},
		{"@bob:example.org", `{"user_type":"clown","password":"a long password","admin":true}`, "M_UNKNOWN", 400, 1},
		{"@new:example.org", `{"user_type":"clown","password":"a long password"}`, "M_UNKNOWN", 400, 1},
		{"@BOB:example.org", `{"password":"a long password"}`, "M_INVALID_USERNAME", 400, 1},
		{"@NEW:example.org", `{"password":"a long password"}`, "M_INVALID_USERNAME", 400, 1},
		{"@:example.org", `{"password":"a long password"}`, "M_INVALID_USERNAME", 400, 1},
		{"@new%00:example.org", `{}`, "M_INVALID_USERNAME", 400, 1},
	} {
		asked := h.asked()
		a := s.admin(h, alice, "PUT", "v2/users/"+try.user, try.body)
		if a.Status != try.status || a.Code() != try.code || h.asked()-asked != try.asked {
			t.Errorf("%s %s: %d %s after %d questions", try.user, try.body, a.Status, a.Raw, h.asked()-asked)
		}
	}
	if after := s.userRows(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// userRows is all that is known of users.
func (s *site) userRows() string {
	s.Helper()
	users, err := s.db.Users(s.Context())
	s.must(err)
	return fmt.Sprintf("%+v", users)
}

// TestAdminMakesUsersWhole: whatever fails in between, there is either no account or a whole one that the homeserver is
// told of, and the same request once more does what is left.
func TestAdminMakesUsersWhole(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	s.must(s.queue.SetHomeserver(t.Context(), "http://home.example.org"))
	put := func() answer {
		return s.admin(h, alice, "PUT", "v2/users/@carol:example.org",
			`{"password":"a long password","admin":true,"displayname":"Carol"}`)
	}
	h.set(func() { h.away = errTestAway })
	if a := put(); a.Status != 503 {
		t.Errorf("away: %d %s", a.Status, a.Raw)
	}
	if _, err := s.db.User(t.Context(), "carol"); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("there is an account: %v", err)
	}
	h.set(func() { h.away, h.deaf = nil, errTestAway })
	if a := put(); a.Status != 503 {
		t.Errorf("away when it is told: %d %s", a.Status, a.Raw)
	}
	if waits, err := s.queue.Waits(t.Context(), "carol", ""); !waits || err != nil {
		t.Errorf("nobody will tell the homeserver: %v", err)
	}
	h.set(func() { h.deaf, h.fails = nil, 1; h.bodies = nil })
	if a := put(); a.Status != 502 {
		t.Errorf("away for the second part: %d %s", a.Status, a.Raw)
	}
	if u, err := s.db.User(t.Context(), "carol"); err != nil || !u.Admin {
		t.Errorf("%+v, %v", u, err)
	}
	a := s.ok(put())
	if a.JSON["admin"] != true || !strings.Contains(h.bodies[len(h.bodies)-1], "Carol") {
		t.Errorf("%s, %v", a.Raw, h.bodies)
	}
	s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("carol", "a long password", "")}))
}

// TestAdminSetsEmails: a user's mail addresses are what an administrator has set, no two users share one, and a tool
// that writes back what it has read takes none away.
func TestAdminSetsEmails(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	put := func(user, body string) answer { return s.admin(h, alice, "PUT", "v2/users/"+user, body) }
	has := func(user string, want ...string) {
		t.Helper()
		all, err := s.db.Emails(t.Context(), user)
		got := []string{}
		for _, e := range all {
			got = append(got, e.Address)
		}
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s has %q, %v, want %q", user, got, err, want)
		}
	}
	const both = `{"threepids":[{"medium":"email","address":"Bob@Example.org"},{"medium":"msisdn","address":"49170"},
		{"medium":"email","address":"b@example.org"},{"medium":"email","address":"b@EXAMPLE.org"}]}`
	s.ok(put("@bob:example.org", both))
	has("bob", "b@example.org", "bob@example.org")
	a := s.ok(put("@bob:example.org", `{"displayname":"B"}`))
	var said struct {
		Threepids []struct{ Address string }
	}
	if json.Unmarshal([]byte(a.Raw), &said); len(said.Threepids) != 3 {
		t.Errorf("the answer is %s", a.Raw)
	}
	a = put("@carol:example.org", `{"threepids":[{"medium":"email","address":"carol@example.org"}]}`)
	if a.Status != 201 {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	has("carol", "carol@example.org")
	asked := h.asked()
	s.want(put("@carol:example.org", `{"threepids":[{"medium":"email","address":"B@example.org"}]}`), 400,
		"M_THREEPID_IN_USE")
	s.want(put("@carol:example.org", `{"threepids":[{"medium":"email","address":"a@b.org\r\nBcc: x@y.org"}]}`), 400,
		"M_INVALID_PARAM")
	s.want(put("@carol:example.org", `{"threepids":{"medium":"email"}}`), 400, "M_INVALID_PARAM")
	if h.asked() != asked {
		t.Error("the homeserver was asked")
	}
	has("carol", "carol@example.org")
	s.ok(put("@bob:example.org", `{"threepids":[{"medium":"email","address":"b@example.org"}]}`))
	has("bob", "b@example.org")
	s.ok(put("@bob:example.org", `{"threepids":[{"medium":"email","address":"one@example.org","ADDRESS":"two@example.org"},
		{"medium":"msisdn","Medium":"email","address":"three@example.org"}]}`))
	has("bob", "one@example.org") // as Synapse reads it
	s.ok(put("@bob:example.org", `{"threepids":[]}`))
	has("bob")
	s.ok(put("@bob:example.org", `{"deactivated":true,"threepids":[]}`))
	s.ok(put("@bob:example.org", `{"deactivated":false,"threepids":[{"medium":"email","address":"b@example.org"}]}`))
	has("bob", "b@example.org")
}

// TestAdminDemotes: nobody takes the mark away from themselves, so there is always one who has it.
func TestAdminDemotes(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	set := func(user, body string) answer { return s.admin(h, alice, "PUT", "v1/users/"+user+"/admin", body) }
	is := func(user string) any {
		return s.ok(s.admin(h, alice, "GET", "v1/users/"+user+"/admin", "")).JSON["admin"]
	}
	for _, body := range []string{`{"admin":false}`, `{"admin":true,"admin":false}`} {
		if a := set("@alice:example.org", body); a.Status != 400 || a.Text("error") != "You may not demote yourself." {
			t.Errorf("%s: %d %s", body, a.Status, a.Raw)
		}
	}
	s.want(set("@bob:example.org", `{}`), 400, "M_MISSING_PARAM")
	s.want(set("@bob:example.org", `{"admin":"false"}`), 400, "M_BAD_JSON")
	s.want(set("@bob:example.org", `{"admin":null}`), 400, "M_BAD_JSON")
	s.want(set("@bob:other.org", `{"admin":true}`), 400, "M_UNKNOWN")
	s.want(set("@nobody:example.org", `{"admin":true}`), 404, "M_NOT_FOUND")
	s.ok(set("@bob:example.org", `{"admin":true}`))
	if is("@alice:example.org") != true || is("@bob:example.org") != true || is("@nobody:example.org") != false {
		t.Error("the marks are wrong")
	}
	s.ok(set("@bob:example.org", `{"admin":false}`))
	if is("@bob:example.org") != false {
		t.Error("the mark stays")
	}
}

// TestAdminLogsIn: the token is a session that ends when it is to, and says nothing of the administrator's own.
func TestAdminLogsIn(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	login := func(user, body string) answer { return s.admin(h, alice, "POST", "v1/users/"+user+"/login", body) }
	soon := s.clock.Now().Add(time.Minute).UnixMilli()
	token := s.ok(login("@bob:example.org", fmt.Sprintf(`{"valid_until_ms":%d}`, soon))).Text("access_token")
	endless := s.ok(login("@bob:example.org", ``)).Text("access_token")
	if who := s.ok(s.whoami(token)); who.Text("user_id") != "@bob:example.org" {
		t.Errorf("%s", who.Raw)
	}
	s.want(s.admin(h, token, "GET", "v1/registration_tokens", ""), 403, "M_FORBIDDEN")
	s.clock.Step(2 * time.Minute)
	s.want(s.whoami(token), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.whoami(endless))
	s.ok(s.logout(endless))
	s.want(login("@alice:example.org", `{}`), 400, "M_UNKNOWN")
	s.want(login("@nobody:example.org", `{}`), 404, "M_NOT_FOUND")
	s.want(login("@bob:other.org", `{}`), 400, "M_UNKNOWN")
	s.want(login("@bob:example.org", `{"valid_until_ms":"x"}`), 400, "M_UNKNOWN")
	s.want(login("@bob:example.org", `{"valid_until_ms":1}`), 400, "M_INVALID_PARAM")
	s.must(s.db.LockUser(t.Context(), "bob", s.clock.Now()))
	s.want(login("@bob:example.org", `{}`), 403, "M_FORBIDDEN") // a 401 would be of the administrator's own token
	s.must(s.db.UnlockUser(t.Context(), "bob"))
	_, err := s.db.Deactivate(t.Context(), "bob", s.clock.Now(), false)
	s.must(err)
	s.want(login("@bob:example.org", `{}`), 403, "M_FORBIDDEN")
}
