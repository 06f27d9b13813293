package cli

import (
	"strings"
	"testing"

	"postern/db"
	"postern/homeserver/outbox"
)

// TestUserFactors: an operator sees an account's second factors, and clears them while the server runs; what is logged
// in goes on.
func TestUserFactors(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--rate-limit", "off")
	i.must("secret", "user", "add", "alice", "--password-stdin")
	access, _ := s.login("alice", "secret")
	i.must("", "user", "factors", "alice", "list")
	if out := i.must("", "user", "factors", "@alice:localhost", "clear"); !strings.Contains(out, "no second factor") {
		t.Errorf("clear prints\n%s", out)
	}
	i.queue(func(q *outbox.Queue) error {
		browser := db.Browser{ID: "b", Localpart: "alice"}
		user, err := q.DB.User(t.Context(), "alice")
		if err == nil {
			err = q.DB.AddFactor(t.Context(), factor("f", db.FactorCodes, ""), "b",
				[]db.Factor{factor("r1", db.FactorRecovery, ""), factor("r2", db.FactorRecovery, "")})
		}
		if err == nil {
			err = q.DB.AddFactor(t.Context(), factor("k", db.FactorPasskey, "Her\x1b[2J key"), "b", nil)
		}
		if err == nil {
			err = q.DB.AddBrowser(t.Context(), browser, user.PasswordHash, true)
		}
		return err
	})
	login := `{"type":"m.login.password","user":"alice","password":"secret"}`
	if status, answer := s.ask("POST", "/_matrix/client/v3/login", "", login); status != 403 ||
		!strings.Contains(answer["error"].(string), "postern user factors NAME clear") {
		t.Errorf("a login answers %d %v", status, answer)
	}
	list := i.must("", "user", "factors", "alice", "list")
	for _, words := range []string{"KIND", "one-time codes", `Her\x1b[2J key`, "recovery codes", "2 left"} {
		if !strings.Contains(list, words) {
			t.Errorf("list lacks %q:\n%s", words, list)
		}
	}
	if out := i.must("", "user", "list"); !strings.Contains(out, "SECOND-FACTOR") ||
		!strings.HasSuffix(strings.TrimSpace(out), "yes") {
		t.Errorf("user list prints\n%s", out)
	}
	out := i.must("", "user", "factors", "alice", "clear")
	if !strings.Contains(out, "removed from @alice:localhost: 2 second factors") {
		t.Errorf("clear prints\n%s", out)
	}
	s.good(access)
	s.login("alice", "secret") // on the same device
	if out := i.must("", "session", "events", "alice"); !strings.Contains(out, "factors_cleared") {
		t.Errorf("the events are\n%s", out)
	}
	i.queue(func(q *outbox.Queue) error {
		browsers, err := q.DB.Browsers(t.Context(), "alice")
		if len(browsers) != 0 {
			t.Errorf("the browsers are %v", browsers)
		}
		return err
	})
	i.refused("there is no account", "user", "factors", "nobody", "clear")
	i.refused("must be one of", "user", "factors", "alice", "drop")
	if out := i.must("", "user", "factors", "--help"); !strings.Contains(out, "postern user factors alice clear") {
		t.Errorf("help prints\n%s", out)
	}
}

func factor(id, kind, name string) db.Factor {
	return db.Factor{ID: id, Localpart: "alice", Kind: kind, Name: name, Sealed: []byte("x")}
}

// TestSecondFactorFlag: a server that asks for what nobody could set up does not start.
func TestSecondFactorFlag(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.refused("--second-factor required needs the OAuth 2.0 API", "serve", "--second-factor", "required")
	i.refused("--second-factor admins needs the OAuth 2.0 API", "serve", "--second-factor", "admins", "--oauth", "off",
		"--public-url", "https://example.org")
	i.refused("none of optional, admins, required", "serve", "--second-factor", "everybody")
	s := i.serve("--listen", "127.0.0.1:0", "--public-url", "https://example.org", "--second-factor", "required")
	i.must("secret", "user", "add", "alice", "--password-stdin")
	login := `{"type":"m.login.password","user":"alice","password":"secret"}`
	if status, answer := s.ask("POST", "/_matrix/client/v3/login", "", login); status != 403 ||
		!strings.Contains(answer["error"].(string), "https://example.org/account") {
		t.Errorf("a login answers %d %v", status, answer)
	}
}
