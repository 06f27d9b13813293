package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/db"
	"postern/handlers"
	"postern/test/rig/matrixtest"
)

func botOf(s *site, localpart string) handlers.Bot {
	s.Helper()
	account, err := s.db.User(s.Context(), localpart)
	s.must(err)
	return handlers.Bot{Account: account, Name: "Script", Scope: db.ScopeAdmin}
}

// Every operation does what it says, once all that it is about is there.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.furnish()
	each(t, func(id string, c call) {
		c.Token = s.token
		if a := s.send(c); a.Status/100 != 2 {
			t.Errorf("%s: %d %s", id, a.Status, a.Raw)
		}
		if missing := strings.NewReplacer("alice", "nobody", "bob", "nobody", "/s1", "/sx", "/s2", "/sx", "open-day",
			"closed-day", "/ops/", "/nobody/", "dave", "nobody", "erin", "nobody").Replace(c.Path); missing != c.Path {
			c.Path = missing
			s.send(c).Want(t, 404, "M_NOT_FOUND")
		}
	})
}

// An account from its making to its end; each change leaves an event that names the token.
func TestAccountLife(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.done("POST", "/accounts", `{"localpart":"@Carol:example.org","password":"battery staple","admin":true}`)
	want := map[string]any{"user_id": "@carol:example.org", "localpart": "carol", "state": "active", "admin": true,
		"second_factor": false, "sessions": 0.0, "created_ts": float64(s.clock.Now().UnixMilli())}
	if a.Status != 201 || !cmp.Equal(a.JSON, want) {
		t.Errorf("%d %s", a.Status, cmp.Diff(want, a.JSON))
	}
	s.ask("POST", "/accounts", `{"localpart":"carol"}`).Want(t, 400, "M_USER_IN_USE")
	s.ask("POST", "/accounts", `{"localpart":"dan","password":"short"}`).Want(t, 400, "M_WEAK_PASSWORD")
	s.ask("POST", "/accounts", `{"localpart":"dan","password":""}`).Want(t, 400, "M_INVALID_PARAM")
	s.done("POST", "/accounts", `{"localpart":"erin"}`)
	if token := s.tryLogin("erin", ""); token != "" {
		t.Error("somebody has logged in without a password")
	}
	if s.tryLogin("carol", "battery staple") == "" {
		t.Error("the password is not good")
	}
	if got := s.done("GET", "/accounts/carol", "").JSON["sessions"]; got != 1.0 {
		t.Errorf("%v sessions", got)
	}
	if got := s.done("PUT", "/accounts/carol/lock", "").Text("state"); got != "locked" {
		t.Errorf("the account is %s", got)
	}
	s.done("DELETE", "/accounts/carol/lock", "")
	s.done("DELETE", "/accounts/carol/admin", "")
	if got := s.done("PUT", "/accounts/carol/password", `{"password":"battery staples","end_sessions":false}`); got.
		JSON["sessions_ended"] != 0.0 {
		t.Errorf("%s", got.Raw)
	}
	s.clock.Step(time.Second)
	if got := s.done("PUT", "/accounts/carol/password", `{"password":"battery stapler"}`); got.
		JSON["sessions_ended"] != 1.0 {
		t.Errorf("%s", got.Raw)
	}
	s.done("PUT", "/accounts/carol/deactivation", "")
	if got := s.done("GET", "/accounts/carol", ""); got.Text("state") != "deactivated" ||
		got.JSON["deactivated_ts"] == nil {
		t.Errorf("%s", got.Raw)
	}
	if got := s.done("DELETE", "/accounts/carol/deactivation", "").Text("state"); got != "active" {
		t.Errorf("the account is %s", got)
	}
	var kinds []string
	for _, e := range list(t, s.done("GET", "/events?account=@carol:example.org", ""), "events") {
		kinds = append(kinds, e["kind"].(string))
		agent, _ := e["user_agent"].(string)
		if by := strings.HasPrefix(agent, "admin API, ops's token Script, from 192.0.2.1, "); e["kind"] != "login" &&
			e["kind"] != "new_device" && (!by || e["ip"] != nil) {
			t.Errorf("the event is of %v, %v", e["ip"], e["user_agent"])
		}
	}
	slices.Sort(kinds)
	if got := strings.Join(kinds, " "); got != "admin_off admin_on created deactivated locked login logout new_device "+
		"password_changed password_changed reactivated unlocked" {
		t.Errorf("the events are %s", got)
	}
}

// tryLogin is the access token of a login, or empty.
func (s *site) tryLogin(localpart, password string) string {
	s.Helper()
	r := call{Method: "POST", Path: "/_matrix/client/v3/login",
		Body: matrixtest.LoginBody(localpart, password, "")}
	return matrixtest.Ask(s, s.server.Handler(), r).Text("access_token")
}

func list(t testing.TB, a answer, name string) (all []map[string]any) {
	t.Helper()
	values, ok := a.JSON[name].([]any)
	if !ok {
		t.Fatalf("no %s in %d %s", name, a.Status, a.Raw)
	}
	for _, v := range values {
		all = append(all, v.(map[string]any))
	}
	return all
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	made := s.done("POST", "/invitations", "")
	week := s.clock.Now().Add(7 * 24 * time.Hour).UnixMilli()
	if made.Status != 201 || len(made.Text("token")) != 26 || made.JSON["uses_allowed"] != 1.0 ||
		made.JSON["expires_ts"] != float64(week) || made.Text("state") != "good" ||
		made.Text("link") != "https://example.org/register?token="+made.Text("token") {
		t.Errorf("%d %s", made.Status, made.Raw)
	}
	forever := s.done("POST", "/invitations", `{"token":"open-day","uses_allowed":0,"expires_ts":0}`)
	if forever.JSON["uses_allowed"] != nil || forever.JSON["expires_ts"] != nil {
		t.Errorf("%s", forever.Raw)
	}
	s.ask("POST", "/invitations", `{"token":"open-day"}`).Want(t, 400, "M_INVALID_PARAM")
	s.ask("POST", "/invitations", `{"token":"a b"}`).Want(t, 400, "M_INVALID_PARAM")
	s.ask("POST", "/invitations", `{"expires_ts":1}`).Want(t, 400, "M_INVALID_PARAM")
	s.ask("POST", "/invitations", `{"uses_allowed":-1}`).Want(t, 400, "M_INVALID_PARAM")
	if got := s.done("DELETE", "/invitations/open-day", ""); got.Text("state") != "revoked" {
		t.Errorf("%s", got.Raw)
	}
	if n := s.done("GET", "/counts", "").JSON["invitations"]; n != 1.0 {
		t.Errorf("%v are good", n)
	}
}

// A link is good once, for as long as was asked for; and whoever cannot log in gets none.
func TestResetLinks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	made := s.done("POST", "/accounts/alice/reset_link", `{"life_ms":60000}`)
	if !strings.HasPrefix(made.Text("link"), "https://example.org/recover?link=") ||
		made.JSON["expires_ts"] != float64(s.clock.Now().Add(time.Minute).UnixMilli()) {
		t.Errorf("%s", made.Raw)
	}
	if got := list(t, s.done("GET", "/events?account=alice&kind=reset_link", ""), "events"); len(got) != 1 {
		t.Errorf("the events are %v", got)
	}
	for _, body := range []string{`{"life_ms":1}`, `{"life_ms":604800001}`} {
		s.ask("POST", "/accounts/alice/reset_link", body).Want(t, 400, "M_INVALID_PARAM")
	}
	s.done("PUT", "/accounts/alice/lock", "")
	s.ask("POST", "/accounts/alice/reset_link", "").Want(t, 400, "M_USER_LOCKED")
	s.done("PUT", "/accounts/alice/deactivation", "")
	s.ask("POST", "/accounts/alice/reset_link", "").Want(t, 400, "M_USER_DEACTIVATED")
	s = newSite(t, func(c *handlers.Config) { c.OAuth = nil })
	s.ask("POST", "/accounts/alice/reset_link", "").Want(t, 400, "M_UNRECOGNIZED")
}

func TestSignups(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.wait("dave")
	s.wait("erin")
	if got := list(t, s.done("GET", "/signups", ""), "signups"); len(got) != 2 || got[0]["localpart"] != "dave" ||
		got[0]["network"] != "192.0.2.1" {
		t.Errorf("%v", got)
	}
	shown := db.Email{Address: "gina@example.org", Localpart: "gina", Validated: s.clock.Now(), Added: s.clock.Now()}
	_, err := s.db.Register(t.Context(), db.Registration{Localpart: "gina", At: s.clock.Now(), Waits: true,
		Email: shown})
	s.must(err)
	if got := list(t, s.done("GET", "/signups", ""), "signups"); got[2]["email"] != shown.Address ||
		got[0]["email"] != nil {
		t.Errorf("%v", got)
	}
	s.done("PUT", "/signups/dave", "")
	if s.tryLogin("dave", password) == "" {
		t.Error("who was approved cannot log in")
	}
	s.ask("PUT", "/signups/dave", "").Want(t, 404, "M_NOT_FOUND")
	s.done("DELETE", "/signups/erin", "")
	s.ask("PUT", "/signups/erin", "").Want(t, 404, "M_NOT_FOUND")
	s.wait("frank")
	s.must(s.db.CreateUser(t.Context(), db.User{Localpart: "frank", Created: s.clock.Now()})) // an import does so
	s.ask("PUT", "/signups/frank", "").Want(t, 400, "M_USER_IN_USE")
}

// Each list is given a page at a time, and the pages hold what the list has, once and in order.
func TestPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hash, err := passwordHash()
	s.must(err)
	for i := range 6 {
		s.wait(fmt.Sprint("new", i))
		s.done("POST", "/invitations", "")
		_, err := s.db.StartSession(t.Context(), db.Login{ID: fmt.Sprint("s", i), Localpart: "alice",
			PasswordHash: hash, DeviceID: fmt.Sprint("D", 9-i), At: s.clock.Now(), KeyID: 1})
		s.must(err)
		if i%2 == 0 {
			s.clock.Step(time.Second)
		}
	}
	for path, key := range map[string]string{"/accounts": "user_id", "/accounts?search=O": "user_id",
		"/accounts?state=active&admin=false": "user_id", "/sessions": "session_id",
		"/accounts/alice/sessions": "session_id", "/invitations": "token", "/signups": "user_id", "/events": "",
		"/events?kind=login&kind=waiting": "", "/events?account=alice": ""} {
		name := path[strings.LastIndex(path, "/")+1:]
		name, _, _ = strings.Cut(name, "?")
		of := func(rows []map[string]any) (all []string) {
			for _, row := range rows {
				text, _ := row[key].(string)
				if key == "" {
					text = fmt.Sprint(row["ts"], row["kind"], row["localpart"], row["session_id"])
				}
				all = append(all, text)
			}
			return all
		}
		whole := s.done("GET", path, "")
		want := of(list(t, whole, name))
		if len(want) < 2 || whole.JSON["next"] != nil ||
			len(slices.Compact(slices.Sorted(slices.Values(want)))) != len(want) {
			t.Errorf("%s: %s", path, whole.Raw)
		}
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		for _, size := range []int{1, 2, len(want)} {
			var got []string
			from, pages := "", 0
			for {
				a := s.done("GET", fmt.Sprint(path, sep, "limit=", size, from), "")
				got = append(got, of(list(t, a, name))...)
				if pages++; a.JSON["next"] == nil || pages > len(want) {
					break
				}
				from = "&from=" + a.Text("next")
			}
			if !slices.Equal(got, want) || pages != (len(want)+size-1)/size {
				t.Errorf("%s by %d, %d pages: %s", path, size, pages, cmp.Diff(want, got))
			}
		}
	}
	if got := list(t, s.done("GET", "/accounts?search=nobody", ""), "accounts"); got != nil {
		t.Errorf("%v", got)
	}
	if got := list(t, s.done("GET", "/events?account=%40x%3Aother.org", ""), "events"); got != nil {
		t.Errorf("%v", got)
	}
}

// What does not fit the contract is refused by it.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/accounts", "/sessions", "/accounts/alice/sessions", "/invitations", "/signups",
		"/events"} {
		for _, query := range []string{"limit=0", "limit=1001", "limit=x", "limit=", "limit=1.5", "from=x",
			"from=WyIxIl0rrr", "from=W10", "limit=99999999999999999999", "from=" + strings.Repeat("A", 5000), "a=%zz"} {
			s.ask("GET", path+"?"+query, "").Want(t, 400, "M_INVALID_PARAM")
		}
	}
	for _, query := range []string{"/accounts?state=dead", "/accounts?admin=perhaps", "/accounts?search=" +
		strings.Repeat("a", 256), "/events?since_ts=-1", "/events?until_ts=x", "/events?kind=nonsense", "/events?kind=",
		"/events?kind=login&kind=log", "/events?kind=" + strings.Repeat("a", 65),
		"/events?x" + strings.Repeat("&kind=login", 21)} {
		s.ask("GET", query, "").Want(t, 400, "M_INVALID_PARAM")
	}
	if a := s.ask("GET", "/events?kind=nonsense", ""); !strings.Contains(a.Raw, "admin_on, admin_off, ") {
		t.Errorf("the kinds are not listed: %s", a.Raw)
	}
	for _, test := range []struct{ body, code string }{
		{`x`, "M_NOT_JSON"}, {``, "M_NOT_JSON"}, {`[]`, "M_BAD_JSON"}, {`{}`, "M_MISSING_PARAM"},
		{`{"localpart":1}`, "M_BAD_JSON"}, {`{"localpart":""}`, "M_INVALID_PARAM"},
		{`{"localpart":"ok","admin":"yes"}`, "M_BAD_JSON"}, {`{"localpart":"A@"}`, "M_INVALID_USERNAME"},
	} {
		s.ask("POST", "/accounts", test.body).Want(t, 400, test.code)
	}
	large := `{"password":"` + strings.Repeat("a", 70_000) + `"}`
	for _, c := range []call{{Method: "POST", Path: "/accounts"}, {Method: "PUT", Path: "/accounts/alice/password"},
		{Method: "PUT", Path: "/accounts/alice/deactivation"}, {Method: "POST", Path: "/invitations"},
		{Method: "POST", Path: "/accounts/alice/reset_link"}, {Method: "POST", Path: "/accounts/alice/emails"}} {
		s.ask(c.Method, c.Path, large).Want(t, 413, "M_TOO_LARGE")
	}
	s.ask("PUT", "/accounts/alice/password", `{"password":"short"}`).Want(t, 400, "M_WEAK_PASSWORD")
	s.ask("PUT", "/accounts/alice/deactivation", `{"erase":"x"}`).Want(t, 400, "M_BAD_JSON")
}

// A database that is away is not the token's fault.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.must(s.db.Close())
	each(t, func(id string, c call) {
		c.Token = s.token
		if a := s.send(c); a.Status != 503 {
			t.Errorf("%s: %d %s", id, a.Status, a.Raw)
		}
	})
}

// Passwords are hashed in their turn, and who has waited for too long asks again.
func TestHashesWaitTheirTurn(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.Patience = 300 * time.Millisecond })
	for _, c := range []call{samples["createAccount"], samples["setPassword"]} {
		limited := false
		for round := 0; round < 20 && !limited; round++ {
			var wait sync.WaitGroup
			var mu sync.Mutex
			for i := range 40 {
				wait.Go(func() {
					body := strings.Replace(c.Body, "carol", fmt.Sprintf("carol%d-%d", round, i), 1)
					a := s.ask(c.Method, c.Path, body)
					mu.Lock()
					defer mu.Unlock()
					limited = limited || a.Status == http.StatusTooManyRequests
				})
			}
			wait.Wait()
		}
		if !limited {
			t.Errorf("%s %s: nobody has waited for too long", c.Method, c.Path)
		}
	}
}

// Factors are shown without what verifies them.
func TestFactors(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	added := s.clock.Now()
	s.must(s.db.AddFactor(t.Context(), db.Factor{ID: "key", Localpart: "alice", Kind: db.FactorPasskey, Name: "Phone",
		Sealed: []byte("secret"), Created: added}, "", []db.Factor{{ID: "r1", Localpart: "alice",
		Kind: db.FactorRecovery, Sealed: []byte("secret")}}))
	a := s.done("GET", "/accounts/alice/factors", "")
	want := map[string]any{"recovery_codes": 1.0, "factors": []any{map[string]any{"id": "key", "kind": "passkey",
		"name": "Phone", "created_ts": float64(added.UnixMilli())}}}
	if !cmp.Equal(a.JSON, want) {
		t.Error(cmp.Diff(want, a.JSON))
	}
	if got := s.done("DELETE", "/accounts/alice/factors", "").JSON["factors_cleared"]; got != 1.0 {
		t.Errorf("%v were cleared", got)
	}
	if got := s.done("DELETE", "/accounts/alice/factors", "").JSON["factors_cleared"]; got != 0.0 {
		t.Errorf("%v were cleared", got)
	}
}

// No answer holds a token, a password or a hash.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.furnish()
	hash, err := passwordHash()
	s.must(err)
	for _, path := range slices.Sorted(maps.Keys(contract.Spec.Paths.Map())) {
		for _, c := range samples {
			if c.Method != "GET" || !strings.HasPrefix(root+c.Path, strings.Split(path, "{")[0]) {
				continue
			}
			quoted, _ := json.Marshal(hash)
			if a := s.ask("GET", c.Path, ""); strings.Contains(a.Raw, s.token) ||
				strings.Contains(a.Raw, strings.Trim(string(quoted), `"`)) || strings.Contains(a.Raw, "argon2") {
				t.Errorf("%s shows %s", c.Path, a.Raw)
			}
		}
	}
}
